"""Sources of calls: switchers and functions, and the names of their handlers."""
