"""The HTML report of a run."""

from .report import html as html
