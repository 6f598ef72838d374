"""Facts of the rule language: the reference and the matcher, with caches and without, know them."""

from __future__ import annotations

from typing import Any

import pytest

from rulekit.compiler.program import compile_ruleset
from rulekit.compiler.reference import evaluate
from rulekit.testing._probe import Probe
from tests.properties.conditions import BoundField, bound, check, either, field

V4, V4B = bytes([10, 0, 2, 15]), bytes([8, 8, 8, 8])
V6 = bytes(15) + b"\1"

# Condition, values of fields ("name" or "name[argument]"; absent is null), answer.
FACTS: list[tuple[str, dict[str, Any], bool]] = [
    # null
    ("proc.name = cat", {}, False),
    ("proc.name != cat", {}, False),
    ("not proc.name = cat", {}, True),
    ("proc.name exists", {}, False),
    ("not proc.name exists", {}, True),
    ('proc.name = ""', {"proc.name": b""}, True),
    ("proc.name exists", {"proc.name": b""}, True),
    ("fd.num < 5", {}, False),
    ("proc.name in (cat)", {}, False),
    # text
    ("proc.name = cat", {"proc.name": b"cat"}, True),
    ("proc.name = cat", {"proc.name": b"Cat"}, False),
    ("proc.name = cat", {"proc.name": b"cat\0rest"}, True),
    ("proc.name != cat", {"proc.name": b"dog"}, True),
    ('fd.name contains ""', {"fd.name": b""}, True),
    ('fd.name startswith ""', {"fd.name": b"x"}, True),
    ('fd.name endswith ""', {"fd.name": b"x"}, True),
    ("fd.name contains b\\c", {"fd.name": b"ab\\cd"}, True),
    ("fd.name icontains PASS", {"fd.name": b"/etc/passwd"}, True),
    ("fd.name icontains \u00c4", {"fd.name": "\u00e4".encode()}, False),
    ("fd.name startswith /etc", {"fd.name": b"/etcx"}, True),
    ("fd.name endswith .so", {"fd.name": b"/lib/x.so"}, True),
    ("fd.name endswith .so", {"fd.name": b".s"}, False),
    ("proc.name < 5", {"proc.name": b"10"}, True),
    ("proc.name > 5", {"proc.name": b"10"}, False),
    ("proc.name >= 10", {"proc.name": b"10"}, True),
    ("proc.name <= 10", {"proc.name": b"100"}, False),
    # glob
    ("fd.name glob /etc/*", {"fd.name": b"/etc/a/b"}, True),
    ("fd.name glob *.conf", {"fd.name": b"/etc/.conf"}, True),
    ("fd.name glob /e?c", {"fd.name": b"/etc"}, True),
    ('fd.name glob "[!/]*"', {"fd.name": b"/etc"}, False),
    ('fd.name glob "[a-c]x"', {"fd.name": b"bx"}, True),
    ('fd.name glob "a\\\\*"', {"fd.name": b"a*"}, True),
    ('fd.name glob "a\\\\*"', {"fd.name": b"ab"}, False),
    ('fd.name glob "[x"', {"fd.name": b"[x"}, True),
    ('fd.name glob "{a,b}"', {"fd.name": b"a"}, False),
    ("fd.name iglob /ETC/*", {"fd.name": b"/etc/x"}, True),
    ('fd.name iglob "[A-C]"', {"fd.name": b"b"}, True),
    # pmatch
    ("fd.name pmatch (/etc)", {"fd.name": b"/etc/passwd"}, True),
    ("fd.name pmatch (/etc)", {"fd.name": b"/etcx"}, False),
    ("fd.name pmatch (/etc)", {"fd.name": b"etc"}, True),
    ("fd.name pmatch (/etc/)", {"fd.name": b"//etc//x"}, True),
    ("fd.name pmatch (/etc/ssh, /usr)", {"fd.name": b"/etc"}, False),
    ("fd.name pmatch (/home/*/.ssh)", {"fd.name": b"/home/me/.ssh/id"}, True),
    ("fd.name pmatch (/home/*/.ssh)", {"fd.name": b"/home/a/b/.ssh"}, False),
    ("fd.name pmatch (/)", {"fd.name": b""}, True),
    ("fd.name pmatch ()", {"fd.name": b"/etc"}, False),
    # lists of literals
    ("proc.name in (a, cat)", {"proc.name": b"cat"}, True),
    ("proc.name in ()", {"proc.name": b"cat"}, False),
    ("proc.name in (a, b, c, d, e, f)", {"proc.name": b"e"}, True),
    ("proc.name in (a, b, c, d, e, f)", {"proc.name": b"ee"}, False),
    ("fd.num in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, -5)", {"fd.num": -5}, True),
    ("fd.num in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, -5)", {"fd.num": 0}, False),
    # modifiers
    ("proc.name startswith anyof (x, ca)", {"proc.name": b"cat"}, True),
    ("proc.name startswith allof (c, ca)", {"proc.name": b"cat"}, True),
    ("proc.name startswith allof (c, x)", {"proc.name": b"cat"}, False),
    ("proc.name startswith oneof (c, ca)", {"proc.name": b"cat"}, False),
    ("proc.name startswith oneof (c, x)", {"proc.name": b"cat"}, True),
    ("proc.name = oneof (cat, cat)", {"proc.name": b"cat"}, False),
    ("proc.name != allof (a, b)", {"proc.name": b"c"}, True),
    ("proc.name != allof (a, b)", {"proc.name": b"a"}, False),
    ("proc.name != anyof (a, b)", {"proc.name": b"a"}, True),
    ("fd.num != allof (3, 4)", {"fd.num": 5}, True),
    ("fd.num = oneof (3, 4)", {"fd.num": 4}, True),
    ("proc.name = anyof ()", {"proc.name": b"a"}, False),
    # numbers
    ("evt.rawres < 0", {"evt.rawres": -2}, True),
    ("evt.num > 9223372036854775807", {"evt.num": 2**63}, True),
    ("evt.rawres > 5", {"evt.rawres": -1}, False),
    ("evt.buflen > 5", {"evt.buflen": 2**64 - 1}, True),
    ("fd.num = 010", {"fd.num": 10}, True),
    ("proc.is_exe_writable = true", {"proc.is_exe_writable": True}, True),
    ("proc.is_exe_writable != true", {"proc.is_exe_writable": False}, True),
    ("thread.cpu > 1", {"thread.cpu": 1.5}, True),
    ("fd.sport = http", {"fd.sport": 80}, True),
    # addresses and networks
    ("fd.sip = 10.0.2.15", {"fd.sip": V4}, True),
    ("fd.sip = ::1", {"fd.sip": V4}, False),
    ("fd.sip != ::1", {"fd.sip": V4}, True),
    ("fd.sip in (1.1.1.1, ::1)", {"fd.sip": V6}, True),
    ("fd.snet = 10.0.0.0/8", {"fd.snet": V4}, True),
    ("fd.snet = 10.0.2.8/29", {"fd.snet": V4}, True),
    ("fd.snet = 10.0.2.0/29", {"fd.snet": V4}, False),
    ("fd.snet = 0.0.0.0/0", {"fd.snet": V4}, True),
    ("fd.snet = ::/1", {"fd.snet": V6}, True),
    ("fd.snet = 10.0.0.0/8", {"fd.snet": V6}, False),
    ("fd.snet != 10.0.0.0/8", {"fd.snet": V6}, True),
    ("fd.snet in (1.2.3.0/24, 10.0.0.0/8)", {"fd.snet": V4}, True),
    # both ends of a socket
    ("fd.ip = 8.8.8.8", {"fd.ip": [V4, V4B]}, True),
    ("fd.ip in (1.1.1.1, 10.0.2.15)", {"fd.ip": [V4, V4B]}, True),
    ("fd.ip != 8.8.8.8", {"fd.ip": [V4, V4B]}, False),
    ("fd.ip != 9.9.9.9", {"fd.ip": [V4, V4B]}, True),
    ("fd.ip != 9.9.9.9", {"fd.ip": []}, False),
    ("fd.ip exists", {"fd.ip": []}, True),
    ("fd.port < 100", {"fd.port": [4000, 80]}, True),
    ("fd.port != 80", {"fd.port": [4000, 80]}, False),
    ("fd.net in (1.2.3.0/24, 10.0.0.0/8)", {"fd.net": [V4, V4B]}, True),
    ("fd.net != 10.0.0.0/8", {"fd.net": [V4B, V4]}, False),
    ("fd.snet = anyof (10.0.0.0/8, 127.0.0.0/8)", {"fd.snet": V4}, True),
    # any ancestor
    ("proc.aname = sshd", {"proc.aname": [b"bash", b"sshd"]}, True),
    ("proc.aname != sshd", {"proc.aname": [b"bash", b"sshd"]}, True),
    ("not proc.aname = sshd", {"proc.aname": [b"bash", b"sshd"]}, False),
    ("proc.aname in (x, bash)", {"proc.aname": [b"bash", b"sshd"]}, True),
    ("proc.aname exists", {}, False),
    ("proc.apid in (1, 7)", {"proc.apid": [5, 7]}, True),
    ("proc.aname[2] = sshd", {"proc.aname[2]": b"sshd"}, True),
    # list fields
    ("fd.types in (file, ipv4)", {"fd.types": [b"file", b"file"]}, True),
    ("fd.types in (file, ipv4)", {"fd.types": [b"file", b"pipe"]}, False),
    ("fd.types in (file)", {"fd.types": []}, True),
    ("fd.types intersects (file, ipv4)", {"fd.types": [b"pipe", b"file"]}, True),
    ("fd.types intersects (file)", {"fd.types": []}, False),
    # byte buffers
    ('evt.buffer contains "\\x00b"', {"evt.buffer": b"a\0b"}, True),
    ("evt.buffer = a", {"evt.buffer": b"a\0"}, False),
    ("evt.buffer bcontains 0061", {"evt.buffer": b"x\0a"}, True),
    ("evt.buffer bstartswith 7800", {"evt.buffer": b"x\0a"}, True),
    # field against field, transformers
    ("proc.name = val(proc.pname)", {"proc.name": b"a", "proc.pname": b"a"}, True),
    ("proc.name = val(proc.pname)", {"proc.name": b"a"}, False),
    ("proc.name != val(proc.pname)", {"proc.name": b"a"}, False),
    (
        "proc.cmdline startswith val(proc.name)",
        {"proc.cmdline": b"cat x", "proc.name": b"cat"},
        True,
    ),
    ("fd.num = val(evt.rawres)", {"fd.num": 3, "evt.rawres": 3}, True),
    ("tolower(proc.name) = cat", {"proc.name": b"CAT"}, True),
    ("toupper(proc.name) = tolower(proc.name)", {"proc.name": b"12"}, True),
    ("basename(proc.exe) = cat", {"proc.exe": b"/bin/cat"}, True),
    ('basename(proc.exe) = ""', {"proc.exe": b"/bin/"}, True),
    ("len(proc.name) = 3", {"proc.name": b"cat\0xx"}, True),
    ("len(fd.types) = 2", {"fd.types": [b"a", b"b"]}, True),
    ("b64(proc.name) = cat", {"proc.name": b"Y2F0"}, True),
    ("b64(proc.name) exists", {"proc.name": b"Y2F0!"}, False),
    ('concat(proc.name, "-", proc.pname) = a-b', {"proc.name": b"a", "proc.pname": b"b"}, True),
    ('concat(proc.name, "-", proc.pname) exists', {"proc.name": b"a"}, False),
    ('join(",", (proc.name, fd.num)) = "a,5"', {"proc.name": b"a", "fd.num": 5}, True),
    ('join(",", fd.types) = "a,b"', {"fd.types": [b"a", b"b"]}, True),
    ('getopt(fd.types, "ab:")[b] = x', {"fd.types": [b"-a", b"-b", b"x"]}, True),
    ('getopt(fd.types, "ab:") intersects (a)', {"fd.types": [b"-ab", b"x"]}, True),
]


def value_of(values: dict[str, Any], name: str, index: int | None, key: str | None) -> Any:
    argument = key if index is None else index
    return values.get(name if argument is None else f"{name}[{argument}]")


def by_operand(values: dict[str, Any]) -> dict[Any, Any]:
    found = {}
    for name, value in values.items():
        field_name, _, argument = name.rstrip("]").partition("[")
        index = int(argument) if argument.isdigit() else None
        found[field_name, index, argument if argument and index is None else None] = value
    return found


@pytest.mark.parametrize(
    ("text", "values", "answer"), FACTS, ids=[f"{i}: {fact[0]}" for i, fact in enumerate(FACTS)]
)
def test_facts_of_the_language(text: str, values: dict[str, Any], answer: bool) -> None:
    condition = bound(text)

    def get(f: BoundField) -> Any:
        return value_of(values, f.field.name, f.index, f.key)

    assert evaluate(condition, get) is answer
    program = compile_ruleset([(text, condition, None)])
    for caches in (True, False):
        probe = Probe(program, caches=caches)
        for interned in (True, False):
            for thread in (None, 7):
                found = probe.match(3, by_operand(values), tid=thread, version=1, interned=interned)
                assert found == ([0] if answer else []), (caches, interned, thread)


def test_matches_come_in_definition_order() -> None:
    rules = [(str(i), bound(f"fd.num >= {i % 3}"), None) for i in range(200)]
    probe = Probe(compile_ruleset(rules))
    assert probe.match(3, {("fd.num", None, None): 1}) == [i for i in range(200) if i % 3 <= 1]


def test_the_signature_of_a_process_is_taken_again_under_a_new_version() -> None:
    probe = Probe(compile_ruleset([("r", bound("proc.name = cat"), None)]))
    name = ("proc.name", None, None)
    assert probe.match(3, {name: b"cat"}, tid=5, version=1) == [0]
    assert probe.match(3, {name: b"dog"}, tid=5, version=2) == []
    assert probe.match(3, {name: b"cat"}, tid=6, version=3) == [0]
    assert probe.match(3, {name: b"cat"}, tid=5, version=4) == [0]
    assert probe.stats()["signatures_built"] == 2


def test_a_known_version_is_not_looked_at_again() -> None:
    # The matcher may rely on versions, so that this wrong use of the probe must show.
    probe = Probe(compile_ruleset([("r", bound("proc.name = cat"), None)]))
    assert probe.match(3, {("proc.name", None, None): b"cat"}, tid=5, version=1) == [0]
    assert probe.match(3, {("proc.name", None, None): b"dog"}, tid=5, version=1) == [0]


def test_processes_that_no_rule_tells_apart_share_a_signature() -> None:
    probe = Probe(compile_ruleset([("r", bound("proc.name in (cat, dog)"), None)]))
    for tid in range(100):
        probe.match(3, {("proc.name", None, None): b"p%d" % tid}, tid=tid + 1, version=tid + 1)
    assert probe.stats()["signatures_built"] == 1


def test_full_caches_are_dropped_and_counted() -> None:
    condition = either(*(check("fd.name", "contains", b"%d" % i) for i in range(200)))
    rules = [("r", bound("fd.num > 0 or fd.name = x"), None), ("s", condition, None)]
    probe = Probe(compile_ruleset(rules), max_cache_bytes=2000)
    for i in range(500):
        found = probe.match(3, {("fd.name", None, None): b"/%d" % i})
        assert found == ([1] if i < 500 else [])
    assert probe.stats()["flushes"] > 5
    assert probe.stats()["cache_bytes"] < 20_000


def test_a_thousand_alternatives_are_one_look_up() -> None:
    names = tuple(b"name%d" % i for i in range(1000))
    condition = check(field("proc.name"), "in", *names)
    probe = Probe(compile_ruleset([("r", condition, None)]))
    for text in (b"name0", b"name999", b"name500"):
        assert probe.match(3, {("proc.name", None, None): text}) == [0]
    for text in (b"name", b"name1000", b""):
        assert probe.match(3, {("proc.name", None, None): text}) == []
