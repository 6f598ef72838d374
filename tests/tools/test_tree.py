"""The tree of processes: parents, threads, the process of the event, captures that lie."""

from __future__ import annotations

from pathlib import Path

from rulekit.capture import Builder
from rulekit.tools.look import open_loop
from rulekit.tools.tree import Process, process_tree, tree_lines, walk


def tree(b: Builder, tmp_path: Path, current: int | None = None) -> list[Process]:
    b.add_event("getcwd", {"res": 0}, tid=7)
    b.save(tmp_path / "c.scap")
    loop = open_loop(tmp_path / "c.scap")
    assert loop.next()
    return process_tree(loop, current=current)


def test_children_stand_below_their_parents(tmp_path: Path) -> None:
    b = Builder()
    b.add_process(1, "init")
    b.add_process(7, "bash", ptid=1, args=["-l"])
    b.add_process(9, "ls", ptid=7)
    b.add_process(8, "cat", ptid=7)
    b.add_process(20, "sshd", ptid=1)
    b.add_process(30, "orphan", ptid=999)
    lines = list(tree_lines(tree(b, tmp_path, current=8)))
    assert lines == [
        "1 init (root)",
        "|-- 7 bash -l (root)",
        "|   |-- 8 cat (root) <---",
        "|   `-- 9 ls (root)",
        "`-- 20 sshd (root)",
        "30 orphan (root)",
    ]


def test_threads_are_counted_and_the_line_of_the_event_is_marked(tmp_path: Path) -> None:
    b = Builder()
    b.add_process(1, "init")
    b.add_process(7, "java", ptid=1)
    b.add_process(70, "worker", pid=7, ptid=1)
    b.add_process(9, "other", ptid=1)
    roots = tree(b, tmp_path, current=70)
    found = {p.name: (depth, p.threads, p.current, p.line) for p, depth, _ in walk(roots)}
    assert found == {
        "init": (0, 1, False, True),
        "java": (1, 2, True, True),
        "other": (1, 1, False, False),
    }


def test_a_loop_of_parents_is_cut(tmp_path: Path) -> None:
    b = Builder()
    b.add_process(7, "a", ptid=8)
    b.add_process(8, "b", ptid=9)
    b.add_process(9, "c", ptid=7)
    b.add_process(10, "below", ptid=9)
    b.add_process(11, "self", ptid=11)
    roots = tree(b, tmp_path, current=10)
    names = sorted(p.name for p, *_ in walk(roots))
    assert names == ["a", "b", "below", "c", "self"]


def test_a_tree_of_many_generations_is_drawn(tmp_path: Path) -> None:
    b = Builder()
    b.add_process(1, "p")
    for pid in range(2, 3000):
        b.add_process(pid, "p", ptid=pid - 1)
    lines = list(tree_lines(tree(b, tmp_path)))
    assert len(lines) == 2999
    assert lines[-1].endswith("`-- (2998 deep) 2999 p (root)")
    assert max(map(len, lines)) < 400
