"""Threads: clone in both orders, execve, exit and reparenting, namespaces, identity, folders."""

from __future__ import annotations

import pytest

from tests.state.state_events import (
    ALL_ONES,
    CHILD_IN_PIDNS,
    CLONE_FILES,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    CLONE_THREAD,
    CLONE_VFORK,
    O_CLOEXEC,
    Machine,
    S,
    clone_params,
    execve_params,
    i64,
    parts,
    text,
    u8,
    u32,
    u64,
)


@pytest.fixture
def m() -> Machine:
    machine = Machine()
    machine.exec(100, comm=b"sh", exe=b"-sh", exepath=b"/bin/sh")
    return machine


# -- initial threads -------------------------------------------------------------------------------


def test_initial_threads_are_linked_whatever_their_order() -> None:
    m = Machine()
    m.reset()
    m.add_thread(30, 30, 20)
    m.add_thread(21, 20, 10)
    m.add_thread(20, 20, 10)
    m.add_thread(40, 40, 39)
    m.add_thread(1, 1, 0)
    m.import_done()
    m.check()
    assert m.thread(30)["parent"] == 20
    assert m.thread(21)["main"] == 20
    assert m.thread(20)["n_alive"] == 2
    assert m.thread(40)["ptid"] == 0, "an unknown parent becomes 0"
    assert m.thread(1)["reaper"]


def test_initial_texts_are_completed() -> None:
    m = Machine()
    m.reset()
    m.add_thread(5, 5, 1, cwd=b"/srv//data/.", cgroups=parts(b"perf=/a", b"cpuset_cgroup=/b"))
    m.add_thread(6, 6, 1, cwd=b"")
    m.import_done()
    assert m.thread(5)["cwd"] == b"/srv/data/"
    assert m.thread(5)["cgroups"] == [b"perf_event=/a", b"cpuset=/b"]
    assert m.thread(6)["cwd"] == b"/"


def test_threads_share_the_table_of_their_process_and_processes_share_nothing() -> None:
    m = Machine()
    m.reset()
    m.add_thread(5, 5, 1, flags=CLONE_FILES)
    m.add_thread(6, 5, 1)
    m.add_fd(5, 4, 16, b"/etc/passwd")
    m.import_done()
    assert m.fds(6) == [4]
    assert m.fds(5) == [4]


# -- attaching -------------------------------------------------------------------------------------


def test_an_unknown_thread_is_made_up(m: Machine) -> None:
    seen = m.put(7, 999, i64(1), b"x", i64(3), u32(1))
    assert seen["thread"] == 999
    thread = m.thread(999)
    assert (thread["pid"], thread["ptid"], thread["uid"]) == (-1, -1, ALL_ONES)
    assert (thread["comm"], thread["exe"]) == (b"<NA>", b"<NA>")
    assert thread["cwd"] is None
    assert m.counters()["placeholders"] == 1


@pytest.mark.parametrize("event_type", [186, 152, 234, 148, 290, 324, 354, 402, 322])
def test_some_events_make_up_nobody(m: Machine, event_type: int) -> None:
    assert m.put(event_type, 999)["thread"] is None
    assert m.thread(999) is None


def test_procinfo_is_attached_to_a_known_thread(m: Machine) -> None:
    assert m.put(234, 100, u64(5), u64(6))["thread"] == 100


@pytest.mark.parametrize("event_type", [2, 22, 58, 292, 306, 326, 330])
def test_enter_events_kept_for_their_parameters_are_hidden(m: Machine, event_type: int) -> None:
    assert not m.put(event_type, 100)["visible"]


def test_leading_state_events_are_hidden_until_another_one_comes() -> None:
    m = Machine()
    user = (u32(5), u32(5), text(b"eve"), text(b"/"), text(b"/bin/sh"), text(b""))
    assert not m.put(354, -1, *user)["visible"]
    assert m.nothing()["visible"]
    assert m.put(354, -1, *user)["visible"]


def test_events_written_for_their_state_only_are_hidden(m: Machine) -> None:
    assert not m.feed(65, 100, m.now, [i64(0)], block_flags=1)["visible"]


@pytest.mark.parametrize(
    ("event_type", "params", "retval"),
    [
        (5, (i64(-9), i64(3)), -9),
        (203, (u32(1000),), 1000),
        (1, (b"\1\0", b"\2\0"), None),
        (186, (i64(0),), None),
        (5, (), None),
        (5, (b"", i64(3)), None),
    ],
)
def test_return_values(
    m: Machine, event_type: int, params: tuple[bytes, ...], retval: int | None
) -> None:
    assert m.put(event_type, 100, *params)["retval"] == retval


# -- clone -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["caller first", "child first", "caller only", "child only"])
def test_a_new_process_comes_out_the_same_in_any_order(m: Machine, order: str) -> None:
    m.open(100, b"/etc/passwd", fd=5)
    caller = clone_params(200, 100, 100, 1)
    child = clone_params(0, 200, 200, 100)
    events = {"caller first": "pc", "child first": "cp", "caller only": "p", "child only": "c"}
    for who in events[order]:
        if who == "p":
            m.put(223, 100, *caller)
        else:
            seen = m.put(223, 200, *child)
            assert seen["thread"] == 200
    m.check()
    thread = m.thread(200)
    assert (thread["pid"], thread["ptid"], thread["parent"]) == (200, 100, 100)
    assert (thread["vtid"], thread["vpid"]) == (200, 200)
    assert thread["comm"] == b"child"
    assert thread["exepath"] == b"/bin/sh"
    assert thread["cwd"] == b"/home/me/"
    assert thread["env"] == [b"A=1"]
    assert thread["uid"] == 1000
    assert thread["caps"] == (1, 2, 3)
    assert thread["exe_ino"] == (4242, 50 * S, 49 * S)
    assert thread["lastexec_ts"] == 0
    assert thread["n_alive"] == 1
    assert m.fds(200) == [0, 5]
    assert m.fd(200, 5)["name"] == b"/etc/passwd"
    assert m.fd(200, 5)["flags"] & 64, "copies are marked"
    assert not m.fd(100, 5)["flags"] & 64


@pytest.mark.parametrize("order", ["pc", "cp", "p", "c"])
def test_a_new_thread_comes_out_the_same_in_any_order(m: Machine, order: str) -> None:
    for who in order:
        if who == "p":
            m.put(335, 100, *clone_params(101, 100, 100, 1, flags=CLONE_THREAD))
        else:
            m.put(335, 101, *clone_params(0, 101, 100, 1, flags=CLONE_THREAD))
    m.check()
    thread = m.thread(101)
    assert (thread["pid"], thread["ptid"], thread["main"]) == (100, 1, 100)
    assert thread["n_alive"] == 2
    assert thread["lastexec_ts"] == m.thread(100)["lastexec_ts"]
    assert thread["own_fds"] == 0
    assert m.fds(101) == m.fds(100)
    assert thread["cwd"] == b"/home/me/"


def test_a_thread_in_a_namespace_is_told_by_its_numbers(m: Machine) -> None:
    m.fork(100, 200, flags=CHILD_IN_PIDNS)
    m.put(335, 201, *clone_params(0, 201, 200, 100, flags=CHILD_IN_PIDNS, vtid=8, vpid=7))
    assert m.thread(201)["main"] == 200
    assert m.thread(201)["own_fds"] == 0


@pytest.mark.parametrize("order", ["pc", "cp"])
def test_children_in_pid_namespaces_are_made_by_their_own_event(m: Machine, order: str) -> None:
    # the caller sees a number of the namespace, which may be the tid of anybody else
    for who in order:
        if who == "p":
            m.put(223, 100, *clone_params(1, 100, 100, 1, flags=CLONE_NEWPID))
        else:
            child = clone_params(
                0, 300, 300, 100, flags=CHILD_IN_PIDNS, vtid=1, vpid=1, pidns_ts=7 * S
            )
            m.put(223, 300, *child)
    m.check()
    thread = m.thread(300)
    assert thread["in_pidns"]
    assert thread["reaper"], "pid 1 of a namespace is a reaper"
    assert thread["pidns_init_start_ts"] == 7 * S
    assert m.thread(1)["comm"] == b"init"


def test_a_caller_inside_a_namespace_creates_nobody(m: Machine) -> None:
    m.put(223, 300, *clone_params(0, 300, 300, 100, flags=CHILD_IN_PIDNS, vtid=1, vpid=1))
    m.put(223, 300, *clone_params(2, 300, 300, 100, vtid=1, vpid=1))
    assert m.thread(2) is None


@pytest.mark.parametrize("event", [(227, 0), (223, CLONE_VFORK)])
def test_vfork_children_are_made_by_their_own_event(m: Machine, event: tuple[int, int]) -> None:
    m.put(event[0], 100, *clone_params(200, 100, 100, 1, flags=event[1]))
    assert m.thread(200) is None


def test_a_failed_clone_changes_nothing(m: Machine) -> None:
    before = m.threads()
    m.put(223, 100, *clone_params(-11, 100, 100, 1))
    assert m.threads() == before


def test_a_child_that_exited_before_its_parent_returned_stays_away(m: Machine) -> None:
    m.put(223, 200, *clone_params(0, 200, 200, 100))
    m.exit(200)
    m.nothing()
    m.put(223, 100, *clone_params(200, 100, 100, 1))
    assert m.thread(200) is None
    m.at(3)
    m.put(223, 100, *clone_params(200, 100, 100, 1))
    assert m.thread(200) is not None


def test_a_number_used_again_replaces_the_stale_thread(m: Machine) -> None:
    m.fork(100, 200)
    m.exec(200, comm=b"old")
    m.at(3)
    m.put(223, 200, *clone_params(0, 200, 200, 100, comm=b"new"))
    m.check()
    assert m.thread(200)["comm"] == b"new"
    assert m.thread(200)["n_alive"] == 1


def test_a_clone_repairs_an_unknown_caller(m: Machine) -> None:
    m.put(223, 500, *clone_params(501, 500, 500, 100, comm=b"lost"))
    m.check()
    caller = m.thread(500)
    assert (caller["pid"], caller["ptid"], caller["parent"]) == (500, 100, 100)
    assert caller["comm"] == b"lost"
    assert m.thread(501)["parent"] == 500
    assert m.thread(501)["exepath"] == b"", "an unknown caller has nothing to hand down"


def test_an_unknown_parent_of_a_child_is_made_up_and_not_linked(m: Machine) -> None:
    m.put(223, 600, *clone_params(0, 600, 600, 599))
    assert m.thread(599)["invalid"]
    assert m.thread(600)["ptid"] == 0


def test_the_unknown_process_of_a_thread_is_repaired(m: Machine) -> None:
    m.put(223, 601, *clone_params(0, 601, 600, 100, flags=CLONE_THREAD, comm=b"pool"))
    m.check()
    main = m.thread(600)
    assert (main["pid"], main["ptid"], main["comm"]) == (600, 100, b"pool")
    assert main["n_alive"] == 2


def test_comm_falls_back_to_exe(m: Machine) -> None:
    m.put(223, 200, *clone_params(0, 200, 200, 100, exe=b"prog")[:13])
    assert m.thread(200)["comm"] == b"prog"


# -- execve ----------------------------------------------------------------------------------------


def test_execve_replaces_the_image(m: Machine) -> None:
    m.fork(100, 200)
    m.exec(200, flags=1 | 2 | 4 | 8, args=parts(b"-l", b"", b"/tmp"), env=parts(b"X=1", b"Y="))
    thread = m.thread(200)
    assert (thread["comm"], thread["exe"], thread["exepath"]) == (b"ls", b"ls", b"/usr/bin/ls")
    assert thread["args"] == [b"-l", b"", b"/tmp"]
    assert thread["env"] == [b"X=1", b"Y="]
    assert thread["exe_flags"] == (True, True, True, True)
    assert thread["caps"] == (1, 2, 3)
    assert thread["exe_ino"] == (4242, 50 * S, 49 * S)
    assert thread["durations"][0] == thread["clone_ts"] - 50 * S
    assert (thread["tty"], thread["vpgid"], thread["pgid"]) == (34816, 77, 78)
    assert (thread["uid"], thread["gid"], thread["loginuid"]) == (1000, 100, 1000)
    assert thread["lastexec_ts"] == m.now
    assert thread["cwd"] == b"/home/me/", "the directory of the event is not used"


def test_a_failed_execve_changes_nothing(m: Machine) -> None:
    before = m.thread(100)
    m.exec(100, res=-2, comm=b"nope")
    assert m.thread(100) == before


def test_old_execve_events_leave_what_they_do_not_know(m: Machine) -> None:
    m.put(293, 100, *execve_params(100, comm=b"old", short=17))
    thread = m.thread(100)
    assert thread["comm"] == b"old"
    assert thread["exepath"] == b"/bin/sh"
    assert thread["caps"] == (1, 2, 3)
    assert thread["uid"] == 1000
    assert thread["pgid"] == -1


@pytest.mark.parametrize(
    ("enter", "expected"),
    [
        ((292, text(b"./run")), b"/home/me/run"),
        ((292, text(b"/opt/../bin/x")), b"/bin/x"),
        ((292, text(b"<NA>")), b"<NA>"),
        ((292, b""), b"/bin/sh"),  # converted from a form without: what is known stays
        ((330, i64(7), text(b"tool"), u32(0)), b"/opt/dir/tool"),
        ((330, i64(-100), text(b"tool"), u32(0)), b"/home/me/tool"),
        ((330, i64(7), text(b""), u32(1)), b"/opt/dir"),
        ((330, i64(7), b"", u32(1)), b"/opt/dir"),
        ((330, i64(7), text(b"/abs"), u32(1)), b"/abs"),  # the flag is for empty paths
        ((330, i64(55), text(b"tool"), u32(0)), b"<NA>"),
        ((330, i64(7), text(b"/abs"), u32(0)), b"/abs"),
    ],
)
def test_exepath_from_the_enter_event(
    m: Machine, enter: tuple[int | bytes, ...], expected: bytes
) -> None:
    m.open(100, b"/opt/dir", fd=7, flags=1024)
    m.put(enter[0], 100, *enter[1:])
    m.exec(100, exepath=None)
    assert m.thread(100)["exepath"] == expected


@pytest.mark.parametrize("event_type", [152, 234])
def test_a_switch_in_the_midst_of_a_call_changes_nothing(m: Machine, event_type: int) -> None:
    m.put(292, 100, text(b"/bin/tool"))
    m.put(event_type, 100, i64(5), u64(8), u64(9), u32(1), u32(2), u32(3))
    m.exec(100, exepath=None)
    assert m.thread(100)["exepath"] == b"/bin/tool"


def test_the_enter_event_of_another_call_is_not_used(m: Machine) -> None:
    m.put(292, 100, text(b"/bin/evil"))
    m.nothing(100)
    m.exec(100, exepath=None)
    assert m.thread(100)["exepath"] == b"/bin/sh"


@pytest.mark.parametrize(
    ("raw", "args"),
    [
        (b"", []),
        (b"\0", []),
        (b"\0\0", [b"", b""]),
        (b"a", [b"a"]),
        (b"a\0\0b\0", [b"a", b"", b"b"]),
    ],
)
def test_arguments(m: Machine, raw: bytes, args: list[bytes]) -> None:
    m.exec(100, args=raw)
    assert m.thread(100)["args"] == args


def test_deleted_programs_lose_the_mark(m: Machine) -> None:
    m.exec(100, exepath=b"/tmp/x (deleted)")
    assert m.thread(100)["exepath"] == b"/tmp/x"


def test_execve_closes_what_was_marked(m: Machine) -> None:
    for fd in range(3, 40):
        m.open(100, b"/f%d" % fd, fd=fd, flags=1 | (O_CLOEXEC if fd % 3 else 0))
    m.put(377, 100, i64(50), u32(1))
    m.put(377, 100, i64(51), u32(0))
    m.put(405, 100, i64(52), text(b"mem"), u32(1))
    m.exec(100)
    assert m.fds(100) == [0, *range(3, 40, 3), 51]


def test_execve_ends_the_other_threads(m: Machine) -> None:
    for tid in range(101, 105):
        m.start_thread(100, tid)
    m.fork(103, 200, in_child=False)
    assert m.thread(100)["n_alive"] == 5
    m.exec(100)
    m.check()
    assert m.thread(103) is None
    assert m.thread(100)["n_alive"] == 1
    assert m.thread(200)["parent"] == 100, "children go to a thread that stays"


def test_execve_repairs_an_unknown_thread(m: Machine) -> None:
    m.put(293, 700, *execve_params(700, ptid=100))
    thread = m.thread(700)
    assert (thread["pid"], thread["ptid"], thread["parent"]) == (700, 100, 100)
    assert (thread["vtid"], thread["vpid"]) == (700, 700)


def test_execve_revives_a_dead_thread(m: Machine) -> None:
    m.start_thread(100, 101)
    m.exit(100)
    m.nothing()
    assert m.thread(100)["n_alive"] == 1
    m.exec(100)
    m.check()
    assert m.thread(100)["n_alive"] == 1
    assert m.thread(101) is None


# -- exit ------------------------------------------------------------------------------------------


def test_an_exit_is_carried_out_with_the_next_event(m: Machine) -> None:
    m.fork(100, 200)
    m.exit(200)
    assert m.thread(200)["n_alive"] == 0
    m.nothing()
    assert m.thread(200) is None
    m.check()


def test_orphans_go_to_the_reaper_that_the_event_names(m: Machine) -> None:
    m.fork(100, 200)
    m.fork(200, 300)
    m.exit(200, reaper=100)
    m.nothing()
    assert m.thread(300)["ptid"] == 100
    assert m.thread(100)["reaper"]


def test_orphans_go_to_a_live_thread_of_the_process_first(m: Machine) -> None:
    m.fork(100, 200)
    m.start_thread(200, 201)
    m.fork(201, 300)
    m.exit(201)
    m.nothing()
    assert m.thread(300)["ptid"] == 200
    m.check()


def test_orphans_go_up_to_the_nearest_reaper(m: Machine) -> None:
    m.fork(100, 200)
    m.fork(200, 300)
    m.fork(300, 400)
    m.put(401, 100, i64(0), u32(36), text(b""), i64(1))
    m.exit(300)
    m.nothing()
    assert m.thread(400)["ptid"] == 100
    m.put(401, 100, i64(0), u32(36), text(b""), i64(0))
    m.fork(400, 500)
    m.exit(400)
    m.nothing()
    assert m.thread(500)["ptid"] == 1


def test_orphans_do_not_leave_their_pid_namespace(m: Machine) -> None:
    m.fork(100, 300, flags=CHILD_IN_PIDNS, vtid=2, vpid=2)
    m.put(223, 301, *clone_params(0, 301, 301, 300, flags=CHILD_IN_PIDNS, vtid=3, vpid=3))
    m.exit(300)
    m.nothing()
    assert m.thread(301)["ptid"] == 0


def test_a_dead_main_thread_stays_while_others_live(m: Machine) -> None:
    m.start_thread(100, 101)
    m.start_thread(100, 102)
    m.exit(100)
    m.nothing()
    assert m.thread(100) is not None
    m.exit(101)
    m.nothing()
    assert m.thread(101) is None
    assert m.fds(102) == [0]
    m.exit(102)
    m.nothing()
    m.check()
    assert m.thread(100) is None
    assert m.thread(102) is None


def test_parent_loops_end(m: Machine) -> None:
    m.fork(100, 200)
    m.fork(200, 300)
    # 200 loses its identity and comes back as a child of its own child
    m.exec(200)
    m.put(293, 200, *execve_params(-1))
    m.put(293, 200, *execve_params(200, ptid=300))
    m.check()
    assert m.thread(200)["parent"] == 300
    assert m.thread(300)["parent"] == 200
    m.fork(300, 400)
    m.exit(300)
    m.nothing()
    m.exit(200)
    m.nothing()
    m.check()


# -- identity, directories, numbers ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("event_type", "params", "uid"),
    [
        (199, (u32(5),), 5),
        (427, (u32(9), u32(5)), 5),
        (193, (u32(9), u32(5), u32(9)), 5),
        (199, (b"",), 1000),
        # as the peers store it, see on_setuid
        (193, (u32(ALL_ONES), u32(ALL_ONES), u32(ALL_ONES)), ALL_ONES),
    ],
)
def test_setuid(m: Machine, event_type: int, params: tuple[bytes, ...], uid: int) -> None:
    m.put(event_type, 100, i64(-1), *params)
    assert m.thread(100)["uid"] == 1000
    m.put(event_type, 100, i64(0), *params)
    assert m.thread(100)["uid"] == uid


@pytest.mark.parametrize(("event_type", "before"), [(201, 0), (429, 1), (195, 1)])
def test_setgid(m: Machine, event_type: int, before: int) -> None:
    m.put(event_type, 100, i64(0), *([u32(1)] * before), u32(5), u32(6))
    assert m.thread(100)["gid"] == 5


def test_setsid(m: Machine) -> None:
    m.put(275, 100, i64(-1))
    assert m.thread(100)["sid"] == -1
    m.put(275, 100, i64(100))
    assert m.thread(100)["sid"] == 100


def test_capabilities(m: Machine) -> None:
    m.put(353, 100, i64(0), u64(7), u64(8), u64(9))
    assert m.thread(100)["caps"] == (7, 8, 9)
    m.put(285, 100, i64(0), u32(CLONE_NEWUSER))
    assert m.thread(100)["caps"] == ((1 << 41) - 1,) * 3
    m.put(353, 100, i64(0), u64(7), u64(8), u64(9))
    m.put(241, 100, i64(0), i64(3), u32(CLONE_NEWUSER))
    assert m.thread(100)["caps"] == ((1 << 41) - 1,) * 3


@pytest.mark.parametrize(
    ("path", "cwd"),
    [
        (b"/tmp", b"/tmp/"),
        (b"sub/./dir", b"/home/me/sub/dir/"),
        (b"..", b"/home/"),
        (b"/", b"/"),
        (b"../../../..", b"/"),
    ],
)
def test_chdir(m: Machine, path: bytes, cwd: bytes) -> None:
    m.put(95, 100, i64(-2), text(path))
    assert m.thread(100)["cwd"] == b"/home/me/"
    m.put(95, 100, i64(0), text(path))
    assert m.thread(100)["cwd"] == cwd


def test_a_thread_changes_the_directory_of_its_process(m: Machine) -> None:
    m.start_thread(100, 101)
    m.put(95, 101, i64(0), text(b"/srv"))
    assert m.thread(100)["cwd"] == b"/srv/"


def test_fchdir_and_getcwd(m: Machine) -> None:
    m.open(100, b"/opt/dir", fd=7, flags=1024)
    m.put(97, 100, i64(0), i64(7))
    assert m.thread(100)["cwd"] == b"/opt/dir/"
    m.put(93, 100, i64(0), text(b"/real"))
    assert m.thread(100)["cwd"] == b"/real/"


@pytest.mark.parametrize(("path", "root"), [(b"/jail", b"/jail"), (b"jail", b"/home/me/jail")])
def test_chroot(m: Machine, path: bytes, root: bytes) -> None:
    m.put(267, 100, i64(0), text(path))
    assert m.thread(100)["root"] == root


def test_limits_of_open_files(m: Machine) -> None:
    m.put(143, 100, i64(0), i64(64), i64(64), u8(7))
    assert m.thread(100)["fdlimit"] == 64
    m.put(143, 100, i64(0), i64(9), i64(9), u8(3))
    m.put(141, 100, i64(0), i64(-1), i64(-1), u8(7))
    assert m.thread(100)["fdlimit"] == 64
    m.put(145, 1, i64(0), i64(32), i64(32), i64(64), i64(64), i64(100), u8(7))
    assert m.thread(100)["fdlimit"] == 32


def test_memory_and_scheduling_numbers(m: Machine) -> None:
    m.put(161, 100, i64(4096), u32(10), u32(20), u32(30))
    assert m.thread(100)["vm"] == (10, 20, 30)
    m.put(159, 100, u64(4096), u32(11), b"", u32(31))
    assert m.thread(100)["vm"] == (11, 20, 31)
    m.start_thread(100, 101)
    m.put(152, 101, i64(5), u64(8), u64(9), u32(1), u32(2), u32(3))
    assert m.thread(101)["pf"] == (8, 9)
    assert m.thread(100)["vm"] == (1, 2, 3)
    m.now += 500
    m.put(152, 101, i64(5), u64(8), u64(9), u32(1), u32(2), u32(3))
    assert m.thread(101)["exectime"] == (1500, 1500)
