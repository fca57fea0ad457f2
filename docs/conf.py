"""How Sphinx builds the pages."""

project = "smartcollect"
copyright = "the smartcollect developers"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = "smartcollect"
exclude_patterns = ["_build"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
default_role = "code"
