"""What runs in the driver's Python: the runtime environment that brings the agent into workers."""
