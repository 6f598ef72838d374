"""The capture format. Public names: what synthetic captures are built from.

Loaded when first used, so that the modules of the reader start without the writer.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rulekit.capture.builder import Builder
    from rulekit.capture.writer import FdEntry, Group, Interface, Machine, Process, User

__all__ = ["Builder", "FdEntry", "Group", "Interface", "Machine", "Process", "User"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'rulekit.capture' has no attribute {name!r}")
    home = "rulekit.capture.builder" if name == "Builder" else "rulekit.capture.writer"
    return getattr(import_module(home), name)
