"""Files that commands write and change."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from rulekit.errors import RulekitError, reason


def write_file(path: Path, text: str) -> None:
    """Write a file.

    Raises:
        RulekitError: It cannot be written; names the file.
    """
    try:
        path.write_text(text, "utf-8", "backslashreplace")
    except OSError as error:
        raise RulekitError(f"{path}: {reason(error)}") from None


def replace_file(path: Path, text: str) -> None:
    """Write a file so that nobody ever sees half of it; its mode stays, a link stays a link.

    Raises:
        RulekitError: It cannot be written; names the file.
    """
    target = path.resolve()
    try:
        mode = target.stat().st_mode
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with open(handle, "w", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
            os.chmod(temporary, mode & 0o7777)
            os.replace(temporary, target)
        except OSError:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise RulekitError(f"{path}: {reason(error)}") from None
