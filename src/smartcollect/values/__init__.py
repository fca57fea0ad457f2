"""What is remembered of arguments, results and exceptions."""
