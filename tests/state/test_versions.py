"""What caches are told: versions of threads, fds and ancestry."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rulekit.state._probe import StateProbe
from tests.state.state_events import (
    CLONE_NEWUSER,
    CLONE_THREAD,
    Machine,
    addr4,
    clone_params,
    execve_params,
    i64,
    parts,
    text,
    tuple4,
    tuple_unix,
    u8,
    u32,
    u64,
)

DROP = 148


@pytest.fixture
def m() -> Machine:
    machine = Machine()
    machine.fork(100, 200)
    machine.exec(200)
    machine.open(200, b"/opt/dir", fd=7, flags=1024)
    return machine


CHANGES: dict[str, Callable[[Machine], object]] = {
    "execve": lambda m: m.exec(200),
    "setuid": lambda m: m.put(199, 200, i64(0), u32(5)),
    "setgid": lambda m: m.put(201, 200, i64(0), u32(5)),
    "setsid": lambda m: m.put(275, 200, i64(5)),
    "capset": lambda m: m.put(353, 200, i64(0), u64(7), u64(8), u64(9)),
    "unshare": lambda m: m.put(285, 200, i64(0), u32(CLONE_NEWUSER)),
    "chdir": lambda m: m.put(95, 200, i64(0), text(b"/srv")),
    "fchdir": lambda m: m.put(97, 200, i64(0), i64(7)),
    "getcwd": lambda m: m.put(93, 200, i64(0), text(b"/real")),
    "chroot": lambda m: m.put(267, 200, i64(0), text(b"/jail")),
    "limit": lambda m: m.put(143, 200, i64(0), i64(64), i64(64), u8(7)),
    "task": lambda m: m.put(430, 200, *[b""] * 4, text(b"new")),
    "orphaned": lambda m: (m.exit(100), m.nothing()),
}

NO_CHANGES: dict[str, Callable[[Machine], object]] = {
    "failed execve": lambda m: m.exec(200, res=-2),
    "same uid": lambda m: m.put(199, 200, i64(0), u32(1000)),
    "same directory": lambda m: m.put(95, 200, i64(0), text(b".")),
    "open": lambda m: m.open(200, b"/x"),
    "mmap": lambda m: m.put(161, 200, i64(4096), u32(1), u32(2), u32(3)),
    "its child": lambda m: m.fork(200, 300),
    "another exits": lambda m: (m.fork(100, 300), m.exit(300), m.nothing()),
}


# Before all others, which go on without end where a thread that is gone is found.
def test_a_thread_that_is_gone_is_not_found(m: Machine) -> None:
    m.start_thread(200, 201)
    m.exit(201)
    m.put(DROP, 201)  # of no thread, so that nothing else is looked up: carries out the removal
    assert m.thread(201) is None


@pytest.mark.parametrize("change", CHANGES)
def test_changes_of_a_process_change_its_version(m: Machine, change: str) -> None:
    before = m.thread(200)["version"]
    CHANGES[change](m)
    assert m.thread(200)["version"] != before


@pytest.mark.parametrize("change", NO_CHANGES)
def test_other_events_leave_the_version(m: Machine, change: str) -> None:
    before = m.thread(200)["version"]
    NO_CHANGES[change](m)
    assert m.thread(200)["version"] == before


@pytest.mark.parametrize("change", CHANGES)
def test_what_descendants_see_changes_their_ancestry(m: Machine, change: str) -> None:
    m.fork(200, 300)
    before = m.versions()["ancestry"]
    CHANGES[change](m)
    assert m.versions()["ancestry"] != before


@pytest.mark.parametrize("change", [c for c in CHANGES if c != "orphaned"])
def test_a_leaf_changes_nobodys_ancestry(m: Machine, change: str) -> None:
    before = m.versions()["ancestry"]
    CHANGES[change](m)
    assert m.versions()["ancestry"] == before


@pytest.mark.parametrize("flags", [0, CLONE_THREAD])
def test_forks_and_exits_of_leaves_change_nobodys_ancestry(m: Machine, flags: int) -> None:
    before = m.versions()["ancestry"]
    if flags:
        m.start_thread(200, 201)
    else:
        m.fork(200, 201)
        m.exec(201)
    m.exit(201)
    m.nothing()
    assert m.versions()["ancestry"] == before


def test_threads_see_the_directory_of_their_process(m: Machine) -> None:
    m.start_thread(200, 201)
    before = m.thread(201)["version"]
    m.put(95, 200, i64(0), text(b"/srv"))
    assert m.thread(201)["version"] != before


def test_threads_see_the_directory_that_a_task_tells(m: Machine) -> None:
    m.start_thread(200, 201)
    m.start_thread(200, 202)
    before = m.thread(202)["version"]
    m.put(430, 201, *[b""] * 9, text(b"/srv"))
    assert m.thread(202)["cwd"] == b"/srv/"
    assert m.thread(202)["version"] != before


def test_children_of_threads_see_the_process(m: Machine) -> None:
    # 200 has no child itself, its thread 201 has.
    m.start_thread(200, 201)
    before = m.versions()["ancestry"]
    m.put(199, 200, i64(0), u32(5))
    now = m.versions()["ancestry"]
    assert now != before
    m.put(95, 200, i64(0), text(b"/srv"))
    assert m.versions()["ancestry"] != now


@pytest.mark.parametrize("pid", [700, 600])
def test_what_a_call_tells_of_an_unknown_caller_is_new(m: Machine, pid: int) -> None:
    m.nothing(700)
    before = m.thread(700)["version"]
    assert before
    m.put(223, 700, *clone_params(701, 700, pid, 100))
    assert m.thread(700)["pid"] == pid
    assert m.thread(700)["version"] != before


@pytest.mark.parametrize("pid", [-1, -5])
def test_what_lies_tell_of_an_unknown_caller_is_new(m: Machine, pid: int) -> None:
    m.nothing(-1)
    before = m.thread(-1)["version"], m.versions()["ancestry"]
    m.put(223, -1, *clone_params(701, -1, pid, 100))
    assert m.thread(-1)["ptid"] == 100
    assert m.thread(-1)["version"] != before[0]
    assert m.versions()["ancestry"] != before[1]


@pytest.mark.parametrize("tid", [-1, 0, 1])
def test_numbers_that_anybody_names_as_parent_are_watched(tid: int) -> None:
    # Threads whose parent nobody knows have the parent 0; no link leads to it.
    m = StateProbe()
    steps: list[tuple[int, int, list[bytes]]] = [
        (65, tid, []),
        (199, tid, [i64(0), u32(5)]),
        (186, tid, []),
        (65, 50, []),  # carries out the removal
    ]
    seen = [m.versions()["ancestry"]]
    for now, (kind, on, params) in enumerate(steps, 1):
        m.feed(kind, on, now, params)
        seen.append(m.versions()["ancestry"])
    assert m.threads() == [50]
    assert seen[0] != seen[1] != seen[2] == seen[3] != seen[4]


def test_threads_see_their_main_thread_come(m: Machine) -> None:
    m.put(223, 601, *clone_params(0, 601, 600, 100, flags=CLONE_THREAD))
    before = m.thread(601)["version"], m.versions()["ancestry"]
    m.put(223, 600, *clone_params(0, 600, 600, 100))
    assert m.thread(601)["version"] != before[0]
    assert m.versions()["ancestry"] != before[1]


def test_threads_see_an_unknown_main_thread_become_known(m: Machine) -> None:
    m.put(293, 602, *execve_params(600, 100))  # as an execve says whose event was damaged
    m.nothing(600)
    assert m.thread(602)["main"] is None
    before = m.thread(602)["version"]
    m.put(223, 600, *clone_params(700, 600, 600, 100))
    assert m.thread(602)["main"] == 600
    assert m.thread(602)["version"] != before


def test_threads_see_their_main_thread_become_another_process(m: Machine) -> None:
    # As an execve says whose event was damaged, or reports the id of another namespace.
    m.start_thread(200, 201)
    before = m.thread(201)["version"]
    m.put(293, 200, *execve_params(999, 100))
    assert m.thread(201)["version"] != before


def test_children_of_threads_see_their_main_thread_become_another_process(m: Machine) -> None:
    m.start_thread(200, 201)
    before = m.versions()["ancestry"]
    m.put(293, 200, *execve_params(999, 100))
    assert m.versions()["ancestry"] != before


def test_a_new_thread_of_an_old_number_has_a_new_version(m: Machine) -> None:
    before = m.thread(200)["version"]
    m.exit(200)
    m.fork(100, 200)
    assert m.thread(200)["version"] != before


def test_container_ids_count_as_facts_of_the_process(m: Machine) -> None:
    before = m.thread(200)["version"]
    m.exec(200, cgroups=parts(b"cpu=/default/redis"))
    assert m.thread(200)["container_id"] == b"redis"
    assert m.thread(200)["version"] != before


def test_versions_of_fds(m: Machine) -> None:
    m.socket(200, 5)
    seen = {m.fd(200, 5)["version"]}
    steps: list[Callable[[], object]] = [
        lambda: m.connect(200, 5, tuple4("10.0.0.1", 1, "1.2.3.4", 2)),
        lambda: m.put(21, 200, i64(0), addr4("10.0.0.1", 9), i64(5)),
        lambda: m.put(367, 200, i64(5), i64(7)),
        lambda: m.open(200, b"/x", fd=5),
    ]
    for step in steps:
        step()
        version = m.fd(200, 5)["version"]
        assert version not in seen
        seen.add(version)
    m.put(7, 200, i64(1), b"x", i64(5), u32(1))
    assert m.fd(200, 5)["version"] in seen


def test_a_copy_of_an_fd_has_a_version_of_its_own(m: Machine) -> None:
    m.open(200, b"/x", fd=5)
    m.fork(200, 300)
    assert m.fd(300, 5)["name"] == b"/x"
    assert m.fd(300, 5)["version"] != m.fd(200, 5)["version"]


def test_a_number_that_was_closed_is_not_found(m: Machine) -> None:
    m.open(200, b"/x", fd=5)
    m.close(200, 5)
    m.nothing()
    assert m.fd(200, 5) is None


UNIX = tuple_unix(1, 2, b"/a")
ZERO = tuple4("0.0.0.0", 0, "0.0.0.0", 0)
SOCKETS: dict[str, tuple[int, list[Callable[[Machine], object]]]] = {
    # domain, what comes before, and what is a change then
    "first transfer": (2, [lambda m: m.put(7, 200, i64(1), b"x", i64(5), u32(1))]),
    "first message": (2, [lambda m: m.sendto(200, 5, None)]),
    "connect once more": (
        2,
        [
            lambda m: m.connect(200, 5, tuple4("10.0.0.1", 1, "1.2.3.4", 2)),
            lambda m: m.connect(200, 5, tuple4("10.0.0.1", 1, "1.2.3.5", 2)),
        ],
    ),
    "connect of a fast-open socket": (
        2,
        [
            lambda m: m.sendto(200, 5, None),
            lambda m: (
                m.put(22, 200, i64(5), addr4("6.6.6.6", 6)),
                m.connect(200, 5, None),
            ),
        ],
    ),
    "message between unix sockets": (
        1,
        [lambda m: m.sendto(200, 5, UNIX), lambda m: m.sendto(200, 5, tuple_unix(1, 2, b"/b"))],
    ),
    "other family, no address": (
        10,
        [lambda m: m.sendto(200, 5, None), lambda m: m.sendto(200, 5, ZERO)],
    ),
    "message to another": (
        2,
        [
            lambda m: m.sendto(200, 5, tuple4("10.0.0.1", 5, "8.8.8.8", 53)),
            lambda m: m.sendto(200, 5, tuple4("10.0.0.1", 5, "9.9.9.9", 53)),
        ],
    ),
}


@pytest.mark.parametrize("change", SOCKETS)
def test_changes_of_a_socket_change_its_version(m: Machine, change: str) -> None:
    domain, steps = SOCKETS[change]
    m.socket(200, 5, domain, 2)
    for step in steps:
        before = m.fd(200, 5)["version"]
        step(m)
        assert m.fd(200, 5)["version"] != before


def account(id_: int, name: bytes) -> list[bytes]:
    return [u32(id_), u32(id_), *map(text, (name, b"/", b"/bin/sh", b""))]


TABLES: dict[str, tuple[str, Callable[[Machine], object]]] = {
    "user": ("account", lambda m: m.put(354, 1, *account(5, b"u"))),
    "user deleted": (
        "account", lambda m: m.put(356, 1, *account(7, b"x"))),
    "group": ("account", lambda m: m.put(358, 1, u32(5), text(b"g"), text(b""))),
    "group deleted": ("account", lambda m: m.put(360, 1, u32(7), text(b"x"), text(b""))),
    "container": ("container", lambda m: m.put(402, 1, u32(0), text(b"container"), C2)),
    "container again": ("container", lambda m: m.put(402, 1, u32(0), text(b"container"), C1)),
    "container removed": (
        "container",
        lambda m: (m.put(402, 1, u32(0), text(b"container_removed"), C1), m.nothing())),
}  # fmt: skip
C1, C2 = (text(b'{"container": {"id": "%s", "name": "n"}}' % name) for name in (b"one", b"two"))


@pytest.mark.parametrize("change", TABLES)
def test_changes_of_tables_are_told(m: Machine, change: str) -> None:
    m.put(354, 1, *account(7, b"x"))
    m.put(358, 1, u32(7), text(b"x"), text(b""))
    m.put(402, 1, u32(0), text(b"container"), C1)
    table, step = TABLES[change]
    before = m.versions()
    step(m)
    changed = {name for name, version in m.versions().items() if version != before[name]}
    assert changed == {table, "ancestry"}  # which alone is compared at each event


def test_a_reset_forgets_all_but_goes_on_counting(m: Machine) -> None:
    before = m.versions()
    last = m.thread(200)["version"]
    m.reset()
    assert m.threads() == []
    assert [m.thread(tid) for tid in (200, -1)] == [None, None]
    assert all(m.versions()[name] != value for name, value in before.items())
    m.add_thread(200, 200, 1)
    assert m.thread(200)["version"] > last
    m.check()
