"""The one place that judges: journal records in, the inputs and outputs of a run out."""
