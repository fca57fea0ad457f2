"""What can be watched, and what it is called."""
