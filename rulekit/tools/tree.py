"""The tree of processes at one moment of a capture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from rulekit.engine._loop import EventLoop
from rulekit.engine.alerts import compile_output

_FIELDS = (
    "thread.tid",
    "thread.ismain",
    "proc.pid",
    "proc.ppid",
    "proc.name",
    "proc.cmdline",
    "proc.exepath",
    "user.name",
    "container.id",
)

# Levels that are drawn: lines of a deeper tree would fill memory.
_INDENT = 64


@dataclass(slots=True)
class Process:
    """A process of the tree.

    Attributes:
        current: It caused the event that the tree was asked for.
        line: It is that process or one of its ancestors.
    """

    pid: int
    parent: int | None
    name: str
    command: str
    exepath: str
    user: str | None
    container: str | None
    threads: int = 1
    current: bool = False
    line: bool = False
    children: list[Process] = field(default_factory=list)

    def as_json(self, depth: int) -> dict[str, Any]:
        """Return the process for JSON; keys are fields where there is one."""
        return {
            "depth": depth,
            "proc.pid": self.pid,
            "proc.ppid": self.parent,
            "proc.name": self.name,
            "proc.cmdline": self.command,
            "proc.exepath": self.exepath,
            "user.name": self.user,
            "container.id": self.container,
            "threads": self.threads,
            "current": self.current,
            "line": self.line,
        }


def process_tree(loop: EventLoop, *, current: int | None = None) -> list[Process]:
    """Return the processes that have no known parent, by pid, with all below them.

    Args:
        loop: At the moment that is wanted.
        current: Thread whose process is marked, with its ancestors.
    """
    output = compile_output(" ".join(f"%{name}" for name in _FIELDS))
    processes: dict[int, Process] = {}
    threads: dict[int, int] = {}
    marked: int | None = None
    for row in loop.threads(output):
        pid = row["proc.pid"]
        if pid is None or pid < 0:
            pid = row["thread.tid"]  # a thread that nobody introduced
        threads[pid] = threads.get(pid, 0) + 1
        if row["thread.tid"] == current:
            marked = pid
        if pid not in processes or row["thread.ismain"]:
            processes[pid] = Process(
                pid=pid,
                parent=row["proc.ppid"],
                name=row["proc.name"] or "",
                command=row["proc.cmdline"] or "",
                exepath=row["proc.exepath"] or "",
                user=row["user.name"],
                container=row["container.id"],
            )
    for pid, process in sorted(processes.items()):
        process.threads = threads[pid]
        parent = processes.get(process.parent) if process.parent is not None else None
        if parent is None or parent is process:
            process.parent = None
        else:
            parent.children.append(process)
    _cut_loops(processes)
    roots = [process for _, process in sorted(processes.items()) if process.parent is None]
    if marked is not None:
        processes[marked].current = True
        at: Process | None = processes[marked]
        while at is not None and not at.line:
            at.line = True
            at = processes.get(at.parent) if at.parent is not None else None
    return roots


def _cut_loops(processes: dict[int, Process]) -> None:
    """Make a process of every loop of parents, which only a lying capture has, a root."""
    sound: set[int] = set()
    for process in processes.values():
        path: dict[int, None] = {}
        at = process
        while at.pid not in sound and at.pid not in path:
            path[at.pid] = None
            if at.parent is None:
                break
            at = processes[at.parent]
        if at.pid in path and at.parent is not None:
            processes[at.parent].children.remove(at)
            at.parent = None
        sound.update(path)


def walk(roots: list[Process]) -> Iterator[tuple[Process, int, tuple[bool, ...]]]:
    """Yield every process, parents first, with its depth, and for each level up to `_INDENT`
    whether the process or ancestor of that level is the last child."""
    # A stack, not recursion: a capture may claim any number of generations.
    stack: list[tuple[Process, int, tuple[bool, ...]]] = [(root, 0, ()) for root in reversed(roots)]
    while stack:
        process, depth, lasts = stack.pop()
        yield process, depth, lasts
        children = process.children
        for i in reversed(range(len(children))):
            below = (*lasts, i == len(children) - 1) if depth < _INDENT else lasts
            stack.append((children[i], depth + 1, below))


def tree_lines(roots: list[Process]) -> Iterator[str]:
    """Yield the tree as text; the process of the event is marked with an arrow."""
    for process, depth, lasts in walk(roots):
        before = "".join("    " if last else "|   " for last in lasts[:-1])
        branch = ("`-- " if lasts[-1] else "|-- ") if lasts else ""
        deep = f"({depth} deep) " if depth > _INDENT else ""
        yield f"{before}{branch}{deep}{_text(process)}"


def _text(process: Process) -> str:
    parts = [str(process.pid), process.command or process.name]
    if process.user:
        parts.append(f"({process.user})")
    if process.container and process.container != "host":
        parts.append(f"[{process.container}]")
    if process.threads > 1:
        parts.append(f"{{{process.threads} threads}}")
    if process.current:
        parts.append("<---")
    return " ".join(parts)
