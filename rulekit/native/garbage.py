"""The search for garbage, off while much is made that stays."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# What those leave behind who did not look, until somebody looks through all: objects, of which
# making so many costs more than the search, and times, for whoever loads rules once need not look.
_MOST_OBJECTS = 200_000
_MOST_TIMES = 16
_objects = _times = 0


@contextmanager
def without_collecting() -> Iterator[None]:
    """Look for no cycles meanwhile: everything made lives until the end, looking only costs time.

    Of threads that do so at the same time, the first one that is done looks for them again. Who
    comes again and again looks through all now and then: Python itself would not, for it takes what
    was left behind for old.
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
