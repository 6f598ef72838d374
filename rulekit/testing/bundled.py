"""Where the rulesets are that come with rulekit."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from rulekit.errors import RulekitError


def bundled_rulesets() -> Path:
    """Return the folder of the bundled rulesets.

    An installed package carries them as ``rulekit/_rulesets``; in a checkout they stand beside the
    package, as ``rulesets``.

    Raises:
        RulekitError: The installation has none.
    """
    package = Path(str(files("rulekit")))
    for folder in (package / "_rulesets", package.parent / "rulesets"):
        if folder.is_dir():
            return folder
    raise RulekitError("this installation of rulekit has no bundled rulesets")
