"""Sphinx: MyST pages, Furo; `sphinx-build -W docs build/docs`."""

project = "rulekit"
author = "the rulekit authors"
extensions = ["myst_parser"]
html_theme = "furo"
nitpicky = True
myst_heading_anchors = 3
exclude_patterns = ["_build"]
