"""The search for garbage, off while much is made that stays."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# After so many objects and so many times all is looked through: whoever loads rules once never
# waits for it, and whoever loads them again and again does not fill the memory.
_MOST_OBJECTS = 200_000
_MOST_TIMES = 16
_objects = _times = 0


@contextmanager
def without_collecting() -> Iterator[None]:
    """Look for no cycles meanwhile: everything made lives until the end, looking only costs time.

    Of threads that do so at the same time, the first one that is done looks for them again. Cycles
    that were left behind are looked for here, now and then: Python would not, as they count as old.
    """
    global _objects, _times
    collecting = gc.isenabled()
    if collecting and _objects > _MOST_OBJECTS and _times > _MOST_TIMES:
        _objects = _times = 0
        gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            if not gc.get_freeze_count():
                # What was made counts as old at once: nobody walks through all of it right away.
                _objects += gc.get_count()[0]
                _times += 1
                gc.freeze()
                gc.unfreeze()
            gc.enable()
