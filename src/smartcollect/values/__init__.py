"""Capture of arguments, results and exceptions as plain data."""
