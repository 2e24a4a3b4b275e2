"""Sphinx settings: `make release-check` builds the documentation with warnings as errors."""

project = "skuscan"
author = "the skuscan authors"
copyright = "2026, the skuscan authors"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = "skuscan"
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3  # levels of headings that can be linked to
exclude_patterns = ["_build"]
autodoc_member_order = "bysource"
autodoc_typehints = "description"
