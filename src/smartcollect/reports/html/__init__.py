"""A run as one HTML page."""

from .report import html as html
