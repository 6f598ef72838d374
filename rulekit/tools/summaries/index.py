"""Named questions about a capture: the names that users of sysdig know its chisels by.

Groups and sums are built by the event loop itself (`rulekit.engine._tally`), in bounded memory;
only the rows of a report become Python objects.
"""

from __future__ import annotations

from functools import cache

from rulekit.errors import RulekitError
from rulekit.rules.names import close_to
from rulekit.tools.summaries.base import Summary


@cache
def summaries() -> dict[str, Summary]:
    """Return every summary by its name, in the order of categories."""
    from rulekit.tools.summaries.counts import COUNTS
    from rulekit.tools.summaries.groups import GROUPS
    from rulekit.tools.summaries.stream import STREAMS
    from rulekit.tools.summaries.tables import TABLES
    from rulekit.tools.summaries.users import USERS

    every = (*COUNTS, *GROUPS, *STREAMS, *TABLES, *USERS)
    return {one.name: one for one in sorted(every, key=lambda one: (one.category, one.name))}


def summary(name: str) -> Summary:
    """Return a summary.

    Raises:
        RulekitError: There is none of that name; says which come close.
    """
    found = summaries().get(name)
    if found is None:
        near = close_to(name, summaries())
        hint = f"; do you mean {near}?" if near else "; -cl lists them"
        raise RulekitError(f"no summary is called `{name}`{hint}")
    return found
