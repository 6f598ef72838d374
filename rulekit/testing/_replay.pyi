import os

from rulekit._fastmatch import Matcher

def replay(
    source: str | os.PathLike[str], matchers: list[Matcher], *, keep: bool = True
) -> tuple[list[list[tuple[int, int]]], int, float]: ...
