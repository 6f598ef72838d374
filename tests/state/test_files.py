"""Descriptors that are no sockets, and paths."""

from __future__ import annotations

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rulekit.state._probe import StateProbe
from tests.state.state_events import (
    AT_FDCWD,
    CLONE_THREAD,
    O_CLOEXEC,
    O_DIRECTORY,
    Machine,
    i64,
    text,
    u8,
    u32,
    u64,
)

FILE, DIRECTORY, FIFO, UNIX, EVENT, SIGNALFD, EVENTPOLL, INOTIFY = 16, 2, 7, 8, 9, 11, 12, 13
TIMERFD, BPF, USERFAULTFD, IOURING, MEMFD, PIDFD = 14, 17, 18, 19, 20, 21
UPPER, LOWER = 128, 256


@pytest.fixture
def m() -> Machine:
    return Machine()


# -- paths -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("directory", "path", "expected"),
    [
        (b"/a/", b"b", b"/a/b"),
        (b"/a/", b"/b", b"/b"),
        (b"/a/", b"", b""),
        (b"/a/", b".", b"/a"),
        (b"/a/", b"./b/./c/.", b"/a/b/c"),
        (b"/a/b/", b"../c", b"/a/c"),
        (b"/a/", b"../../../c", b"/c"),
        (b"/a/", b"b//c///d/", b"/a/b/c/d"),
        (b"/a/", b"...", b"/a/..."),
        (b"/a/", b".hidden", b"/a/.hidden"),
        (b"/a/", b"..hidden", b"/a/..hidden"),
        (b"", b"/", b"/"),
        (b"", b"//", b"/"),
        (b"", b"/..", b"/"),
        (b"", b"/a/.bashrc", b"/a/.bashrc"),
        (b"", b"/a/b/", b"/a/b"),
        (b"", b"/a/./b", b"/a/b"),
        (b"", b"/a/b/..", b"/a"),
        (b"", b"a/../b", b"b"),
        (b"", b"../a", b"a"),
        (b"<UNKNOWN>", b"file", b"<UNKNOWN>file"),
        (b"<UNKNOWN>", b"../file", b"<UNKNOWN>../file"),
        (b"./", b"x", b"./x"),
        (b"/a/", b"<NA>", b"/a/<NA>"),
        (b"/a/", b"caf\xc3\xa9\x01", b"/a/caf\xc3\xa9\x01"),
        (b"/" + b"d" * 600 + b"/", b"f" * 600, b"/DIR_TOO_LONG/FILENAME_TOO_LONG"),
        (b"", b"/" + b"f" * 1022, b"/" + b"f" * 1022),
        (b"", b"/" + b"f" * 1023, b"/DIR_TOO_LONG/FILENAME_TOO_LONG"),
    ],
)
def test_joining_paths(directory: bytes, path: bytes, expected: bytes) -> None:
    assert StateProbe().concat_path(directory, path) == expected


@given(st.text(alphabet="/.ab", max_size=30))
def test_absolute_paths_come_out_as_posixpath_has_them(path: str) -> None:
    expected = posixpath.normpath("/" + path.lstrip("/"))
    assert StateProbe().concat_path(b"/x/", b"/" + path.encode()) == expected.encode()


@given(st.text(alphabet="/.ab", min_size=1, max_size=30).filter(lambda p: p[0] != "/"))
def test_relative_paths_come_out_as_posixpath_has_them(path: str) -> None:
    expected = posixpath.normpath("/home/me/" + path)
    assert StateProbe().concat_path(b"/home/me/", path.encode()) == expected.encode()


# -- open ------------------------------------------------------------------------------------------


def test_open(m: Machine) -> None:
    seen = m.open(100, b"notes.txt", fd=4, flags=1 | O_CLOEXEC)
    assert seen["fd_num"] == 4
    fd = m.fd(100, 4)
    assert seen["fd"]["name"] == fd["name"] == b"/home/me/notes.txt"
    assert (fd["type"], fd["name_raw"]) == (FILE, b"notes.txt")
    assert (fd["open_flags"], fd["dev"], fd["ino"]) == (1 | O_CLOEXEC, 8, 99)
    assert fd["old_name"] != fd["name"]
    assert m.put(7, 100, i64(1), b"x", i64(4), u32(1))["fd"]["old_name"] == fd["name"]


def test_a_failed_open_leaves_no_fd(m: Machine) -> None:
    seen = m.open(100, b"/etc/shadow", fd=-13)
    assert (seen["fd"], seen["fd_num"]) == (None, -1)
    assert m.fds(100) == [0]


def test_directories(m: Machine) -> None:
    assert m.open(100, b"/etc", flags=O_DIRECTORY)["fd"]["type"] == DIRECTORY


@pytest.mark.parametrize(
    ("dirfd", "path", "expected"),
    [
        (AT_FDCWD, b"x", b"/home/me/x"),
        (AT_FDCWD, b"/x", b"/x"),
        (7, b"x", b"/opt/dir/x"),
        (7, b"../x", b"/opt/x"),
        (7, b"/x", b"/x"),
        (55, b"x", b"<UNKNOWN>x"),
        (55, b"/x", b"/x"),
        (AT_FDCWD, b"", b"/home/me/<NA>"),
        (AT_FDCWD, b"(NULL)", b"/home/me/<NA>"),
    ],
)
@pytest.mark.parametrize("event_type", [307, 327])
def test_openat(m: Machine, event_type: int, dirfd: int, path: bytes, expected: bytes) -> None:
    m.open(100, b"/opt/dir", fd=7, flags=O_DIRECTORY)
    rest = (u32(8), u64(9)) if event_type == 307 else (u32(0), u32(8), u64(9))
    name = text(path) if path else b""
    seen = m.put(event_type, 100, i64(3), i64(dirfd), name, u32(1), u32(0), *rest)
    assert seen["fd"]["name"] == expected
    assert (seen["fd"]["dev"], seen["fd"]["ino"]) == (8, 9)


def test_threads_without_a_known_process_open_relative_to_nothing(m: Machine) -> None:
    assert m.open(999, b"x", fd=3)["fd"]["name"] == b"./x"


def test_creat_and_open_by_handle_at(m: Machine) -> None:
    seen = m.put(59, 100, i64(3), text(b"new"), u32(0o644), u32(5), u64(6), b"\1\0")
    assert seen["fd"]["name"] == b"/home/me/new"
    assert seen["fd"]["flags"] & UPPER
    seen = m.put(337, 100, i64(4), i64(5), u32(1), text(b"/by/handle"), u32(5), u64(6))
    assert (seen["fd"]["name"], seen["fd"]["ino"]) == (b"/by/handle", 6)


@pytest.mark.parametrize(("bit", "flag"), [(32768, UPPER), (65536, LOWER)])
def test_overlay_layers(m: Machine, bit: int, flag: int) -> None:
    assert m.open(100, b"/x", flags=1 | bit)["fd"]["flags"] & (UPPER | LOWER) == flag


def test_the_enter_event_names_what_was_asked_for(m: Machine) -> None:
    m.put(306, 100, i64(AT_FDCWD), text(b"/etc/shadow"), u32(1 | O_CLOEXEC), u32(0))
    seen = m.openat(100, 55, b"/tmp/harmless", flags=2 | 16384)
    assert seen["fd"]["name"] == b"/etc/shadow"
    assert seen["fd"]["open_flags"] == 1 | O_CLOEXEC | 16384
    # forgotten afterwards
    assert m.openat(100, 55, b"/tmp/other")["fd"]["name"] == b"/tmp/other"


@pytest.mark.parametrize("between", ["nothing", "other thread", "unreadable"])
def test_when_the_enter_event_counts(m: Machine, between: str) -> None:
    name = b"" if between == "unreadable" else text(b"/a")
    m.put(2, 100, name, u32(1), u32(0))
    if between == "other thread":
        m.open(1, b"/elsewhere")
    elif between == "nothing":
        m.nothing(100)
    seen = m.open(100, b"/b")
    assert seen["fd"]["name"] == (b"/a" if between == "other thread" else b"/b")


def test_huge_enter_events_are_not_kept(m: Machine) -> None:
    m.put(2, 100, text(b"/" + b"x" * 20_000), u32(1), u32(0))
    assert m.open(100, b"/b")["fd"]["name"] == b"/b"
    assert m.counters()["enters_refused"] == 1


def test_memory_for_enter_events_is_given_back(m: Machine) -> None:
    m.put(2, 100, text(b"/" + b"x" * 10_000), u32(1), u32(0))
    assert m.counters()["enter_bytes"] > 10_000
    m.open(100, b"/b")
    assert m.counters()["enter_bytes"] == 0


# -- close -----------------------------------------------------------------------------------------


def test_closing_takes_effect_with_the_next_event(m: Machine) -> None:
    m.open(100, b"/x", fd=3)
    assert m.close(100, 3)["fd"]["name"] == b"/x"
    assert m.fds(100) == [0, 3]
    m.nothing()
    assert m.fds(100) == [0]


def test_a_failed_close_closes_nothing(m: Machine) -> None:
    m.open(100, b"/x", fd=3)
    m.put(5, 100, i64(-9), i64(3))
    m.nothing()
    assert m.fds(100) == [0, 3]


@pytest.mark.parametrize(
    ("first", "last", "left"),
    [(3, 5, [0, 6, 70]), (4, 0xFFFFFFFF, [0, 3]), (5, 4, [0, 3, 4, 5, 6, 70]), (70, 70, 5)],
)
def test_close_range(m: Machine, first: int, last: int, left: list[int] | int) -> None:
    for fd in (3, 4, 5, 6, 70):
        m.open(100, b"/x%d" % fd, fd=fd)
    m.put(451, 100, i64(0), u32(first), u32(last), u32(0))
    assert m.fds(100) == (left if isinstance(left, list) else [0, 3, 4, 5, 6])


def test_a_directory_without_a_name_adds_nothing(m: Machine) -> None:
    m.put(377, 100, i64(7), u32(0))  # an epoll fd
    m.put(307, 100, i64(8), i64(7), text(b"x"), u32(1), u32(0), u32(0), u64(0))
    assert m.fd(100, 8)["name"] == b"x"


def test_close_range_can_mark_instead(m: Machine) -> None:
    for fd in (3, 4, 5):
        m.open(100, b"/x%d" % fd, fd=fd)
    m.put(451, 100, i64(0), u32(4), u32(0xFFFFFFFF), u32(4))
    m.nothing()
    assert m.fds(100) == [0, 3, 4, 5]
    m.exec(100)
    assert m.fds(100) == [0, 3]


# -- copies ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event_type", "rest", "cloexec"),
    [(367, (), False), (363, (i64(9),), False), (365, (i64(9), u32(O_CLOEXEC)), True)],
)
def test_dup(m: Machine, event_type: int, rest: tuple[bytes, ...], cloexec: bool) -> None:
    m.open(100, b"/x", fd=3, flags=1 | O_CLOEXEC)
    seen = m.put(event_type, 100, i64(9), i64(3), *rest)
    assert (seen["fd_num"], seen["fd"]["num"], seen["fd"]["name"]) == (9, 9, b"/x")
    assert bool(m.fd(100, 9)["open_flags"] & O_CLOEXEC) == cloexec
    assert m.fd(100, 3)["open_flags"] & O_CLOEXEC
    assert m.fd(100, 9)["version"] != m.fd(100, 3)["version"]


def test_dup_of_an_unknown_fd_creates_nothing(m: Machine) -> None:
    assert m.put(367, 100, i64(9), i64(77))["fd"] is None
    assert m.fds(100) == [0]


@pytest.mark.parametrize(("command", "cloexec"), [(1, False), (26, True)])
def test_fcntl_duplicates(m: Machine, command: int, cloexec: bool) -> None:
    m.open(100, b"/x", fd=3)
    m.put(151, 100, i64(9), i64(3), u8(command), u64(0))
    assert bool(m.fd(100, 9)["open_flags"] & O_CLOEXEC) == cloexec


def test_fcntl_marks(m: Machine) -> None:
    m.open(100, b"/x", fd=3)
    m.put(151, 100, i64(0), i64(3), u8(3), u64(1))
    assert m.fd(100, 3)["open_flags"] & O_CLOEXEC
    m.put(151, 100, i64(0), i64(3), u8(3), u64(0))
    assert not m.fd(100, 3)["open_flags"] & O_CLOEXEC
    assert m.fds(100) == [0, 3]


def test_pidfd_getfd(m: Machine) -> None:
    m.open(1, b"/secret", fd=8)
    m.put(409, 100, i64(5), i64(1), u32(0))
    assert m.fd(100, 5)["name"] == b"/proc/1"
    m.put(407, 100, i64(6), i64(5), i64(8), u32(0))
    assert m.fd(100, 6)["name"] == b"/secret"
    assert m.fd(100, 6)["open_flags"] & O_CLOEXEC
    m.put(407, 100, i64(7), i64(5), i64(99), u32(0))
    assert m.fd(100, 7) is None


# -- others ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("event_type", "flags"), [(61, 0), (393, O_CLOEXEC)])
def test_pipes(m: Machine, event_type: int, flags: int) -> None:
    seen = m.put(event_type, 100, i64(0), i64(3), i64(4), u64(77), u32(flags))
    assert (seen["fd_num"], seen["fd"]["num"]) == (4, 4)
    for fd in (3, 4):
        facts = m.fd(100, fd)
        assert (facts["type"], facts["name"], facts["ino"]) == (FIFO, b"", 77)
        assert facts["open_flags"] == flags


@pytest.mark.parametrize(
    ("event_type", "fd_type"),
    [
        (63, EVENT),
        (397, EVENT),
        (127, SIGNALFD),
        (399, SIGNALFD),
        (137, TIMERFD),
        (139, INOTIFY),
        (395, INOTIFY),
        (369, BPF),
        (321, USERFAULTFD),
        (339, IOURING),
        (375, EVENTPOLL),
        (377, EVENTPOLL),
    ],
)
def test_entries_with_nothing_but_a_type(m: Machine, event_type: int, fd_type: int) -> None:
    seen = m.put(event_type, 100, i64(6), u32(0))
    assert (seen["fd_num"], seen["fd"]["type"], seen["fd"]["name"]) == (6, fd_type, b"")
    m.put(event_type, 100, i64(-22), u32(0))
    assert m.fds(100) == [0, 6]


def test_memfd(m: Machine) -> None:
    assert m.put(405, 100, i64(6), text(b"shell"), u32(0))["fd"]["name"] == b"shell"
    m.put(405, 100, i64(-1), text(b"shell"), u32(0))
    assert m.fds(100) == [0, 6]


def test_socketpair(m: Machine) -> None:
    seen = m.put(43, 100, i64(0), i64(3), i64(4), u64(1), u64(2), u32(1), u32(1), u32(0))
    assert (seen["fd"]["num"], seen["fd_num"]) == (3, 4)
    assert m.fd(100, 4)["type"] == UNIX
    assert (m.fd(100, 3)["unix_src"], m.fd(100, 3)["unix_dst"]) == (1, 2)


# -- tables ----------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 60)), max_size=120), st.integers(1, 10**12))
def test_a_table_behaves_as_a_dict(steps: list[tuple[bool, int]], factor: int) -> None:
    m = Machine()
    m.reset()
    m.add_thread(5, 5, 1)
    m.import_done()
    expected: dict[int, bytes] = {}
    for is_open, number in steps:
        fd = number * factor
        if is_open:
            m.open(5, b"/%d" % number, fd=fd)
            expected[fd] = b"/%d" % number
        else:
            m.close(5, fd)
            m.nothing(5)
            expected.pop(fd, None)
    m.check()
    assert m.fds(5) == sorted(expected)
    for fd, name in expected.items():
        assert m.fd(5, fd)["name"] == name


def test_limits_of_one_table_and_of_all() -> None:
    m = Machine(max_fds=10, max_fds_total=25)
    for fd in range(3, 30):
        m.open(100, b"/x", fd=fd)
    assert len(m.fds(100)) == 10
    m.fork(100, 200)
    m.fork(100, 201)
    m.check()
    counters = m.counters()
    assert counters["n_fds"] == 25
    assert counters["fds_refused"] > 0
    for fd in m.fds(201):
        assert m.fd(201, fd) is not None


def test_numbers_of_any_size_are_stored_or_ignored(m: Machine) -> None:
    for number in (-(2**63), -5, 2**31, 2**62, 2**63 - 1):
        m.open(100, b"/x", fd=number)
        m.close(100, number)
        m.put(367, 100, i64(number), i64(number))
        m.put(61, 100, i64(0), i64(number), i64(number), u64(1))
    m.nothing()
    m.check()


def test_threads_open_into_the_table_of_their_process(m: Machine) -> None:
    m.start_thread(100, 101, flags=CLONE_THREAD)
    m.open(101, b"/x", fd=5)
    assert m.fds(100) == [0, 5]
    m.close(101, 5)
    m.nothing()
    assert m.fds(100) == [0]
