"""Labels of registered things: documents that have versions, none of which is ever lost."""
