"""The search for garbage, off while much is made that stays."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collecting() -> Iterator[None]:
    """Look for no cycles meanwhile: everything made lives until the end, looking only costs time.

    Of threads that do so at the same time, the first one that is done looks for them again.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            if not gc.get_freeze_count():
                # What was made counts as old at once: nobody walks through all of it right away.
                gc.freeze()
                gc.unfreeze()
            gc.enable()
