"""Runs one compiled ruleset over several captures and counts alerts by tag.

python examples/embed.py RULES CAPTURE...
"""

from __future__ import annotations

import sys
from collections import Counter

import rulekit


def main() -> int:
    """Print a line per tag; a capture that breaks off counts as far as it goes."""
    rules, *captures = sys.argv[1:]
    try:
        engine = rulekit.Engine(rulekit.load(rules))
    except rulekit.RuleError as error:
        for diagnostic in error.diagnostics:
            print(f"{diagnostic.code}: {diagnostic.message}", file=sys.stderr)
        return 2
    tags: Counter[str] = Counter()
    for capture in captures:
        try:
            for alert in engine.run(capture):
                tags.update(alert.tags)
        except rulekit.SourceError as error:
            print(error, file=sys.stderr)
        print(f"{capture}: {engine.stats.events} events, {engine.stats.drops} drops")
    for tag, number in tags.most_common():
        print(f"{number:6}  {tag}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
