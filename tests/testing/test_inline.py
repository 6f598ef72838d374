"""Inline events: what each form comes to in fields, and that every mistake is named."""

# ruff: noqa: E501 - tables
from __future__ import annotations

import io
from typing import Any

import pytest

from rulekit.testing.inline import scenario
from rulekit.testing.inline_events import names_of_events
from rulekit.testing.inline_forms import FORMS
from rulekit.testing.inline_values import InlineError
from rulekit.tools.lines import LineForm, event_lines


def shown(events: list[Any], template: str) -> list[str]:
    """Return the events as text, without those of the world's making."""
    data = scenario(events).data
    lines = [
        line.decode() for line in event_lines(io.BytesIO(data), LineForm(f"*%evt.type {template}"))
    ]
    return [line for line in lines if not line.startswith("container ")]


def last(event: Any, template: str, **proc: Any) -> str:
    """Return the fields of one event of a shell."""
    return shown([{"proc": {"name": "sh", **proc}}, event], template)[-1]


@pytest.mark.parametrize(
    ("proc", "template", "expected"),
    [
        ({"cmdline": "cat /etc/shadow"}, "%proc.name|%proc.exe|%proc.exepath|%proc.args|%proc.cmdline",
         "cat|cat|/usr/bin/cat|/etc/shadow|cat /etc/shadow"),
        ({"cmdline": "/opt/x/run -c 'a b'"}, "%proc.name|%proc.exepath|%proc.args[1]",
         "run|/opt/x/run|a b"),
        ({"name": "sshd", "args": ["-D"]}, "%proc.cmdline", "sshd -D"),
        ({"name": "averylongprogramname"}, "%proc.name", "averylongprogra"),
        ({}, "%proc.pname %proc.ppid %proc.tty %user.name %user.loginuid", "systemd 1 0 root -1"),
        ({"parent": "nginx"}, "%proc.pname %proc.aname[2]", "nginx systemd"),
        ({"parent": ["bash", "sshd"]}, "%proc.aname[1] %proc.aname[2] %proc.aname[3]",
         "bash sshd systemd"),
        ({"parent": {"cmdline": "bash -i", "parent": "tmux", "tty": True}},
         "%proc.pcmdline|%proc.aname[2]|%proc.tty", "bash -i|tmux|34816"),
        ({"user": "alice"}, "%user.name %user.uid %user.homedir %group.gid", "alice 1000 /home/alice 1000"),
        ({"user": {"name": "bob", "uid": 7, "gid": 8}}, "%user.name %user.uid %group.gid", "bob 7 8"),
        ({"user": 0, "login": "alice"}, "%user.uid %user.loginuid %user.loginname", "0 1000 alice"),
        ({"user": 4242}, "%user.uid %user.name", "4242 <NA>"),
        ({"tty": "pts/3"}, "%proc.tty", "34819"),
        ({"env": {"LD_PRELOAD": "/x.so"}}, "%proc.env[LD_PRELOAD]", "/x.so"),
        ({"cwd": "/tmp"}, "%proc.cwd", "/tmp/"),
        ({"pid": 4000}, "%proc.pid %proc.vpid", "4000 4000"),
        ({"caps": ["CAP_SYS_ADMIN"]}, "%thread.cap_effective", "CAP_SYS_ADMIN"),
        ({"exe_from_memfd": True, "exepath": "memfd:x"}, "%proc.is_exe_from_memfd %proc.exepath",
         "true memfd:x"),
        ({"fds": {"stdin": "203.0.113.9:4444"}},
         "%proc.stdin.type %proc.stdin.name",
         "ipv4 10.0.0.2:40000->203.0.113.9:4444"),
        ({"container": "web"}, "%container.id %container.name %container.image.repository %proc.vpid",
         "4b5e57f6eb2f web web 1"),
        ({"container": {"name": "db", "id": "abc123", "image": "reg.io:5000/team/pg:16",
                        "privileged": True, "mounts": "/:/host:ro", "labels": {"a": "b"}}},
         "%container.image.repository %container.image.tag %container.privileged"
         " %container.mount.dest[0] %container.label[a]",
         "reg.io:5000/team/pg 16 true /host b"),
        ({"container": {"name": "c", "pod": {"name": "p", "namespace": "ns"}}},
         "%k8s.pod.name %k8s.ns.name", "p ns"),
        ({"container": "web", "parent": "nginx"}, "%proc.pname %container.name", "nginx web"),
        ({"container": "web", "parent": {"name": "shim", "container": None}},
         "%proc.pname %proc.pvpid %container.name", "shim 1001 web"),
    ],
)  # fmt: skip
def test_facts_of_a_process(proc: dict[str, Any], template: str, expected: str) -> None:
    (line,) = shown([{"proc": {"name": "sh", **proc} if "cmdline" not in proc else proc},
                     {"getuid": None}], template)  # fmt: skip
    assert line == f"getuid {expected}"


@pytest.mark.parametrize(
    ("event", "template", "expected"),
    [
        ({"open": "/etc/shadow"}, "%fd.name %fd.num %evt.is_open_read", "/etc/shadow 3 true"),
        ({"openat": {"path": "x", "flags": "O_WRONLY|O_CREAT", "mode": "600"}},
         "%fd.name %evt.is_open_write %evt.arg.mode", "/x true 0600"),
        ({"open": "/x", "fails": "EACCES"}, "%evt.res %fd.num", "EACCES -1"),
        ({"open": "/x", "fails": True}, "%evt.res", "EPERM"),
        ({"connect": "203.0.113.9:443"}, "%fd.sip %fd.sport %fd.l4proto %fd.type", "203.0.113.9 443 tcp ipv4"),
        ({"connect": {"to": "[2001:db8::1]:53", "l4": "udp"}}, "%fd.sip %fd.l4proto", "2001:db8::1 udp"),
        ({"connect": "/run/docker.sock"}, "%fd.type %evt.arg.addr", "unix /run/docker.sock"),
        ({"connect": {"to": "1.2.3.4:80", "from": "10.9.9.9:1234"}}, "%fd.cip", "10.9.9.9"),
        ({"accept": "198.51.100.7:5000"}, "%fd.cip %fd.sport", "198.51.100.7 80"),
        ({"accept4": {"from": "198.51.100.7:5000", "to": "10.0.0.2:22"}}, "%fd.sport", "22"),
        ({"bind": "0.0.0.0:4444"}, "%fd.name %fd.sport %evt.res", "0.0.0.0:4444 4444 SUCCESS"),
        ({"sendto": "8.8.8.8:53"}, "%fd.sip %fd.l4proto", "8.8.8.8 udp"),
        ({"chmod": ["/tmp/x", "4755"]}, "%evt.arg.filename %evt.rawarg.mode", "/tmp/x 4755"),
        ({"fchmodat": {"path": "/tmp/x", "mode": "S_ISUID|S_IRUSR"}}, "%evt.arg.mode", "S_IRUSR|S_ISUID"),
        ({"unlink": "/var/log/x"}, "%fs.path.name", "/var/log/x"),
        ({"unlinkat": {"path": "/a", "flags": "AT_REMOVEDIR"}}, "%fs.path.name", "/a"),
        ({"rename": ["/a", "/b"]}, "%fs.path.source %fs.path.target", "/a /b"),
        ({"rename": {"from": "/a", "to": "/b"}}, "%fs.path.source %fs.path.target", "/a /b"),
        ({"symlink": {"target": "/dev/null", "path": "/l"}}, "%evt.arg.target %evt.arg.linkpath", "/dev/null /l"),
        ({"mkdir": "/usr/bin/.x"}, "%evt.arg.path", "/usr/bin/.x"),
        ({"mount": ["/dev/sda", "/mnt"]}, "%fs.path.source %fs.path.target", "/dev/sda /mnt"),
        ({"setuid": "alice"}, "%user.uid %user.name", "1000 alice"),
        ({"setresuid": [0, 0, 0]}, "%user.uid", "0"),
        ({"ptrace": ["PTRACE_ATTACH", "sh"]}, "%evt.arg.request", "PTRACE_ATTACH"),
        ({"bpf": "BPF_PROG_LOAD"}, "%evt.arg.cmd %fd.type", "BPF_PROG_LOAD bpf"),
        ({"setns": "CLONE_NEWNS"}, "%evt.arg.nstype", "CLONE_NEWNS"),
        ({"kill": ["SIGKILL", 1]}, "%evt.arg.sig", "SIGKILL"),
        ({"memfd_create": "x"}, "%fd.name %fd.type", "x memfd"),
        ({"write": {"fd": 1, "data": "hello"}}, "%evt.rawres %evt.buffer", "5 hello"),
        ({"chown": {"path": "/x", "uid": "alice", "gid": 5}}, "%evt.arg.uid", "1000"),
        ({"finit_module": "opts"}, "%evt.arg.uargs", "opts"),
        ({"prctl": ["PR_SET_NAME", "x"]}, "%evt.arg.option", "PR_SET_NAME"),
        ({"mprotect": {"addr": 1, "length": 2, "prot": "PROT_EXEC|PROT_READ"}}, "%evt.arg.prot",
         "PROT_READ|PROT_EXEC"),
        ({"sched_yield": None}, "%syscall.type", "sched_yield"),
        ({"execve": "/bin/sh -i"}, "%proc.cmdline %proc.exepath", "sh -i /bin/sh"),
        ({"execveat": "/bin/sh -i"}, "%proc.cmdline %proc.exepath", "sh -i /bin/sh"),
        ({"execveat": "x", "fails": "ENOENT"}, "%evt.res %proc.name", "ENOENT sh"),
        ({"execve": {"cmdline": "pkexec", "user": "root"}}, "%proc.name|%proc.args|%user.uid", "pkexec||0"),
        ({"execve": "x", "fails": "ENOENT"}, "%evt.res %proc.name", "ENOENT sh"),
        ({"spawn": "curl -o x"}, "%proc.cmdline|%proc.pname", "curl -o x|sh"),
        ({"spawn": {"cmdline": "id", "user": "bob", "container": "c"}}, "%user.name %container.name", "bob c"),
        ({"fork": None}, "%evt.rawres %proc.pname", "0 sh"),
        ({"clone": None, "fails": "EAGAIN"}, "%evt.rawres", "-11"),
        ({"read": {"fd": 0}}, "%fd.num", "0"),
        ({"exit": 3}, "%evt.arg.ret", "3"),
    ],
)  # fmt: skip
def test_forms_of_events(event: dict[str, Any], template: str, expected: str) -> None:
    name = next(key for key in event if key != "fails")
    name = {"spawn": "execve", "exit": "procexit"}.get(name, name)
    assert last(event, template) == f"{name} {expected}"


def test_a_reverse_shell_in_four_lines() -> None:
    lines = shown(
        [
            {"proc": {"cmdline": "nc -e /bin/sh", "parent": "nginx"}},
            {"connect": "203.0.113.9:4444"},
            {"dup2": [3, 0]},
            {"execve": "/bin/sh -i"},
        ],
        "%proc.name %proc.pname %proc.stdin.type %proc.stdin.name",
    )
    assert lines[-1] == "execve sh nginx ipv4 10.0.0.2:40000->203.0.113.9:4444"


def test_an_event_of_another_process_changes_nothing_for_the_next() -> None:
    events = [
        {"proc": {"name": "one"}},
        {"proc": {"name": "two"}},
        {"open": "/a", "by": "one"},
        {"open": "/b"},
    ]
    assert shown(events, "%proc.name") == ["open one", "open two"]


def test_two_processes_of_one_name_are_told_apart_by_as() -> None:
    events = [
        {"proc": {"name": "sh", "as": "first", "user": "alice"}},
        {"proc": {"name": "sh", "user": "bob"}},
        {"open": "/a", "by": "first"},
    ]
    assert shown(events, "%user.name") == ["open alice"]


def test_children_inherit_what_setuid_changed() -> None:
    events = [{"proc": {"name": "su", "user": "alice"}}, {"setuid": 0}, {"spawn": "id"}]
    assert shown(events, "%user.uid")[-1] == "execve 0"


def test_time_passes_as_said() -> None:
    events = [{"proc": {"name": "a"}}, {"open": "/a"}, {"open": "/b", "after": "90s"}]
    times = [int(line.split()[1]) for line in shown(events, "%evt.rawtime")]
    assert times[1] - times[0] == 90 * 10**9


def test_entries_know_their_events() -> None:
    made = scenario([
        {"proc": {"name": "a", "container": "c"}}, {"connect": "1.2.3.4:5"}, {"open": "/x", "id": "it"},
    ])  # fmt: skip
    assert made.ends == (1, 3, 4)
    assert [made.entry_of(raw) for raw in (1, 2, 3, 4)] == [1, 2, 2, 3]
    assert made.names == {"it": 3}


def test_equal_events_give_equal_captures() -> None:
    events = [{"proc": {"name": "a", "container": "c", "user": "u"}}, {"connect": "1.2.3.4:5"}]
    assert scenario(events).data == scenario(events).data


@pytest.mark.parametrize("name", sorted(FORMS))
def test_every_form_speaks_of_parameters_that_exist(name: str) -> None:
    params = {param.name for param in names_of_events()[name].params} | {"to", "from"}
    form = FORMS[name]
    assert {*form.main, *form.names.values(), *form.defaults} <= params


@pytest.mark.parametrize("name", sorted(names_of_events()))
def test_every_event_can_be_written_without_parameters(name: str) -> None:
    needed = {
        **dict.fromkeys(("connect", "accept", "accept4"), "1.2.3.4:5"),
        **dict.fromkeys(("execve", "execveat"), "id"),
        "procexit": {"ret": 0},
    }
    assert scenario([{"proc": {"name": "a"}}, {name: needed.get(name)}]).ends[-1] > 0


def test_a_group_that_is_none_changes_nothing() -> None:
    assert scenario([{"proc": "a"}, {"setgid": -1}]).ends


@pytest.mark.parametrize(
    ("events", "path", "message", "help_"),
    [
        ([], (), "the list of events is empty", None),
        ("open", (), "the events are a list", None),
        ([5], (0,), "an event is a map", None),
        ([{"open": "/x"}], (0,), "whose `open` is this?", "begin with"),
        ([{}], (0,), "has no event", None),
        ([{"proc": "a"}, {"open": "/x", "close": 3}], (1,), "has 2 events", None),
        ([{"proc": "a"}, {"opne": "/x"}], (1, "opne"), "no event is called `opne`", "`open`"),
        ([{"proc": {"nmae": "a"}}], (0, "proc", "nmae"), "a process has no key `nmae`", "`name`"),
        ([{"proc": {"parent": "x"}}], (0, "proc"), "say `name` or `cmdline`", None),
        ([{"proc": {"name": "a", "uid": 3}}], (0, "proc", "uid"), "has no key `uid`", None),
        ([{"proc": {"name": "a", "tty": "tty9"}}], (0, "proc", "tty"), "a terminal is", None),
        ([{"proc": {"name": "a", "caps": ["SYS"]}}], (0, "proc", "caps", 0), "no such capability", None),
        ([{"proc": {"cmdline": "a 'b"}}], (0, "proc", "cmdline"), "cannot be split", None),
        ([{"proc": {"name": "a", "container": {"image": "x"}}}], (0, "proc", "container"), "needs a `name`", None),
        ([{"proc": "a"}, {"open": {"path": "/x", "flag": 1}}], (1, "open", "flag"), "has no key `flag`", "`flags`"),
        ([{"proc": "a"}, {"open": {"path": "/x", "flags": "O_RO"}}], (1, "open", "flags"), "`O_RO` is no value", "O_"),
        ([{"proc": "a"}, {"open": ["/x", "/y"]}], (1, "open"), "`open` takes name only", "as a map"),
        ([{"proc": "a"}, {"connect": "10.0.0.1"}], (1, "connect", "to"), "no address with port", "10.0.0.1:80"),
        ([{"proc": "a"}, {"connect": "10.0.0.1:99999"}], (1, "connect", "to"), "no address with port", None),
        ([{"proc": "a"}, {"chmod": ["/x", "9"]}], (1, "chmod", "mode"), "no mode", "octal"),
        ([{"proc": "a"}, {"open": "/x", "fails": "ENOSUCH"}], (1, "fails"), "there is no error", None),
        ([{"proc": "a"}, {"open": "/x", "fails": {"E": 1}}], (1, "fails"), "there is no error", None),
        ([{"proc": "a"}, {"fork": None, "fails": 10**40}], (1, "fails"), "is 1 to 4095", None),
        ([{"proc": "a"}, {"dup2": [{}]}], (1, "dup2", "oldfd"), "is a whole number", None),
        ([{"proc": "\ud800"}, {"open": "/x"}], (0, "proc"), "surrogates", None),
        ([{"proc": {"name": "a", "gid": -5}}, {"open": "/x"}], (0, "proc"), "does not fit", None),
        ([{"proc": {"name": "a", "tty": "pts/9999999999"}}], (0, "proc"), "does not fit", None),
        ([{"proc": {"name": "a", "user": {"uid": 1 << 40}}}], (0, "proc", "user"), "does not fit", None),
        ([{"proc": {"name": "a", "fds": {-1: "/x"}}}], (0, "proc", "fds", -1), "an fd is a number", None),
        ([{"proc": {"name": "a", "parent": ["b"] * 9999}}], (0, "proc", "parent"), "more than 100", None),
        ([{"proc": {"name": "a", "parent": ["b", []]}}], (0, "proc", "parent", 1), "is text", None),
        ([{"proc": {"name": "a", "container": {"name": "c", "pod": {"labels": ["x"]}}}}],
         (0, "proc", "container", "pod", "labels"), "is a map", None),
        ([{"proc": "a"}, {"fork": {"pid": "b"}}], (1, "fork", "pid"), "whole number", None),
        ([{"proc": "a"}, {"open": "/" * 70000}], (1,), "70001 bytes", None),
        ([{"proc": "a"}, {"open": "/x", "after": "9" * 400 + "d"}], (1, "after"), "year 2262", None),
        ([{"proc": {"name": "a", "caps": [["x"]]}}], (0, "proc", "caps", 0), "no such capability", None),
        ([{"proc": {"name": "a", "user": "x" * 300}}, {"open": "/x"}], (0, "proc", "user"), "longer than the format", None),
        ([{"proc": "a"}, {"open": "/x", "after": "soon"}], (1, "after"), "no duration", None),
        ([{"proc": "a"}, {"open": "/x", "by": "b"}], (1, "by"), "no process before this is called `b`", None),
        ([{"proc": "a"}, {"write": {"fd": "/x"}}], (1, "write", "fd"), "has not opened `/x`", None),
        ([{"proc": "a"}, {"proc": {"name": "b", "container": "c"}}], (), "nothing happens", "- open"),
        ([{"proc": "a"}, {"exit": 0}, {"open": "/x"}], (2,), "`a` has ended", None),
        ([{"proc": "a"}, {"spawn": "b"}, {"proc": {"name": "c", "parent": "b"}}],
         (2, "proc", "parent"), "starts with an event", "spawn"),
        ([{"proc": {"name": "a", "pid": 5}}, {"proc": {"name": "b", "pid": 5}}],
         (1, "proc", "pid"), "has the pid 5 already", None),
        ([{"proc": "a"}, {"open": "/x", "id": "i"}, {"open": "/y", "id": "i"}], (2, "id"), "entry 2 is called `i`", None),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(
    events: Any, path: tuple[Any, ...], message: str, help_: str | None
) -> None:
    with pytest.raises(InlineError) as caught:
        scenario(events)
    assert caught.value.path == path
    assert message in caught.value.message
    if help_ is not None:
        assert help_ in (caught.value.help or "")
