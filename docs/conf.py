"""Settings of Sphinx, which builds the manual."""

project = "smartcollect"
copyright = "the smartcollect developers"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = "smartcollect"
exclude_patterns = ["_build"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
default_role = "code"
smartquotes = False  # it would turn the two hyphens of an option into a dash
