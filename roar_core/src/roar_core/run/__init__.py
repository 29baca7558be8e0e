"""The run coordinator: plan, launch, observe, record, and end as the command did."""
