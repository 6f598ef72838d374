"""Write ``docs/reference/lint/``: one page per lint check, from what the check declares.

``--check`` only tells whether the pages are up to date.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from rulekit.tools.lint.check import Check  # noqa: E402
from rulekit.tools.lint.registry import built_in_checks  # noqa: E402

LINT = ROOT / "docs" / "reference" / "lint"
NOTE = "<!-- Made by docs/_generate_lint.py; edit the checks in rulekit/tools/lint/checks. -->\n\n"


def page(check: Check) -> str:
    """Return the page of one check."""
    parts = [
        NOTE,
        f"# {check.name} ({check.code})\n\n",
        f"{check.what}\n\n",
        f"Reported as *{check.severity}*. ",
        f"`--fix`: {check.fix}\n\n" if check.fix else "A person has to decide what to change.\n\n",
        f"## Why it matters\n\n{check.why.strip()}\n\n",
        f"## Example\n\n```yaml\n{check.bad}```\n\n",
        f"Better:\n\n```yaml\n{check.good}```\n",
    ]
    return "".join(parts)


def index() -> str:
    """Return the list of all checks."""
    rows = [
        f"| [{c.code}]({c.code}.md) | {c.name} | {c.severity} | {'yes' if c.fix else ''} "
        f"| {c.what} |\n"
        for c in built_in_checks()
    ]
    toctree = "".join(f"{c.code}\n" for c in built_in_checks())
    return (
        f"{NOTE}# Lint checks\n\n"
        "`rulekit check` reports these beside what loading finds. `--select` and `--ignore` take\n"
        "codes, beginnings of codes or names; `[lint]` in `rulekit.toml`, or\n"
        "`[tool.rulekit.lint]` in `pyproject.toml`, takes `select`, `ignore` and\n"
        "`per-file-ignores`. Comments silence single places:\n\n"
        "```yaml\n"
        "# rulekit: ignore-file[RK471]        the whole file\n\n"
        "# rulekit: ignore[RK410]             the element below\n"
        "- list: kept_for_later\n"
        "  items: [a, b]  # rulekit: ignore   this line, all codes\n"
        "```\n\n"
        "| code | name | severity | fix | finds |\n| --- | --- | --- | --- | --- |\n"
        f"{''.join(rows)}\n"
        f"```{{toctree}}\n:hidden:\n\n{toctree}```\n"
    )


def pages() -> dict[str, str]:
    """Return every page by its file name."""
    return {"index.md": index(), **{f"{c.code}.md": page(c) for c in built_in_checks()}}


def main() -> int:
    """Write or check the pages."""
    check = "--check" in sys.argv[1:]
    wanted = pages()
    LINT.mkdir(parents=True, exist_ok=True)
    present = {p.name: p.read_text("utf-8") for p in LINT.glob("*.md")}
    stale = sorted(n for n in {*wanted, *present} if wanted.get(n) != present.get(n))
    if check:
        if stale:
            changed = ", ".join(stale)
            print(f"run python docs/_generate_lint.py: {changed} would change", file=sys.stderr)
        return int(bool(stale))
    for name in stale:
        if name in wanted:
            (LINT / name).write_text(wanted[name], "utf-8")
        else:
            (LINT / name).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
