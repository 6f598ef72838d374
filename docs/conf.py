"""Sphinx: MyST pages, Furo; `sphinx-build -W docs build/docs`."""

import shutil
from pathlib import Path

from sphinx.application import Sphinx

project = "rulekit"
author = "the rulekit authors"
extensions = ["myst_parser"]
html_theme = "furo"
nitpicky = True
myst_heading_anchors = 3
exclude_patterns = ["_build"]


def publish_schemas(app: Sphinx, problem: Exception | None) -> None:
    """Put the schemas that editors fetch beside the pages."""
    if problem is None and app.builder.format == "html":
        folder = Path(app.outdir) / "schemas"
        folder.mkdir(exist_ok=True)
        root = Path(app.confdir).parent / "rulekit"
        for source in ("testing/tests.schema.json", "config/rulekit.schema.json"):
            shutil.copy(root / source, folder)


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("build-finished", publish_schemas)
