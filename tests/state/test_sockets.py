"""Sockets: tuples, roles, names."""

from __future__ import annotations

import pytest

from tests.state.state_events import (
    O_CLOEXEC,
    Machine,
    addr4,
    addr6,
    i64,
    ip4,
    mapped,
    text,
    tuple4,
    tuple6,
    tuple_unix,
    u8,
    u32,
)

V4, V6, SERV4, SERV6, UNIX, NETLINK, UNKNOWN = 3, 4, 5, 6, 8, 15, 0
L_UNKNOWN, TCP, UDP, ICMP, RAW = 0, 2, 3, 4, 5
CLIENT, SERVER, CONNECTED = 2, 4, 8
ONE = bytes.fromhex("20010db8000000000000000000000001")
TWO = bytes.fromhex("20010db8000000000000000000000002")
LOOP6 = bytes(15) + b"\1"


@pytest.fixture
def m() -> Machine:
    return Machine()


def ends(fd: dict[str, object]) -> tuple[str, int, str, int]:
    return (
        ".".join(map(str, fd["sip"][:4])),
        fd["sport"],
        ".".join(map(str, fd["dip"][:4])),
        fd["dport"],
    )


@pytest.mark.parametrize(
    ("domain", "kind", "protocol", "fd_type", "l4proto"),
    [
        (1, 1, 0, UNIX, L_UNKNOWN),
        (2, 1, 6, V4, TCP),
        (2, 1 | 0x80800, 0, V4, TCP),
        (2, 2, 0, V4, UDP),
        (2, 2, 17, V4, UDP),
        (2, 3, 6, V4, RAW),
        (2, 3, 1, V4, RAW),
        (2, 2, 1, V4, ICMP),
        (2, 3, 255, V4, RAW),
        (2, 3, 0, V4, L_UNKNOWN),
        (2, 5, 132, V4, L_UNKNOWN),
        (10, 1, 6, V6, TCP),
        (16, 3, 0, NETLINK, L_UNKNOWN),
        (17, 3, 0, UNKNOWN, L_UNKNOWN),
        (38, 5, 0, UNKNOWN, L_UNKNOWN),
    ],
)
def test_socket(
    m: Machine, domain: int, kind: int, protocol: int, fd_type: int, l4proto: int
) -> None:
    fd = m.socket(100, 5, domain, kind, protocol)["fd"]
    assert (fd["type"], fd["l4proto"], fd["name"], fd["flags"]) == (fd_type, l4proto, b"", 0)


def test_a_failed_socket_leaves_no_fd(m: Machine) -> None:
    assert m.socket(100, -24)["fd"] is None


# -- bind ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("addr", "fd_type", "name", "role"),
    [
        (addr4("0.0.0.0", 80), SERV4, b"0.0.0.0:80", SERVER),
        (addr4("10.0.0.1", 0), V4, b"10.0.0.1:0", 0),
        (addr6(ONE, 443), SERV6, b"2001:db8::1:443", SERVER),
        (addr6(mapped("10.0.0.1"), 443), SERV4, b"::ffff:10.0.0.1:443", SERVER),
        (addr6(bytes(16), 443), SERV4, b":::443", SERVER),
        (b"\1" + text(b"/run/x.sock"), V4, b"/run/x.sock", 0),
        (b"\2\0\0", V4, b"", 0),
        (b"", V4, b"", 0),
    ],
)
def test_bind(m: Machine, addr: bytes, fd_type: int, name: bytes, role: int) -> None:
    m.socket(100, 5)
    fd = m.put(21, 100, i64(0), addr, i64(5))["fd"]
    assert (fd["type"], fd["name"], fd["flags"]) == (fd_type, name, role)
    assert fd["l4proto"] == TCP


def test_a_failed_bind_binds_nothing(m: Machine) -> None:
    m.socket(100, 5)
    assert m.put(21, 100, i64(-98), addr4("0.0.0.0", 80), i64(5))["fd"]["type"] == V4


# -- connect ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("res", [0, -115])
def test_connect(m: Machine, res: int) -> None:
    m.socket(100, 5)
    fd = m.connect(100, 5, tuple4("10.0.0.1", 5000, "1.2.3.4", 443), res)["fd"]
    assert ends(fd) == ("10.0.0.1", 5000, "1.2.3.4", 443)
    assert fd["name"] == b"10.0.0.1:5000->1.2.3.4:443"
    assert fd["flags"] == CLIENT | CONNECTED
    assert fd["old_name"] == b"", "rules can tell that the name changed"


def test_a_failed_connect_changes_nothing(m: Machine) -> None:
    before = m.socket(100, 5)["fd"]
    m.connect(100, 5, tuple4("10.0.0.1", 5000, "1.2.3.4", 443), -111)
    after = m.fd(100, 5)
    assert {k: v for k, v in after.items() if k != "old_name"} == {
        k: v for k, v in before.items() if k != "old_name"
    }


def test_connect_over_ipv6(m: Machine) -> None:
    m.socket(100, 5, domain=10)
    fd = m.connect(100, 5, tuple6(ONE, 1, TWO, 2))["fd"]
    assert (fd["type"], fd["name"]) == (V6, b"2001:db8::1:1->2001:db8::2:2")


def test_a_dual_stack_socket_becomes_ipv4_and_keeps_its_protocol(m: Machine) -> None:
    m.socket(100, 5, domain=10)
    fd = m.connect(100, 5, tuple6(mapped("10.0.0.1"), 1, mapped("1.2.3.4"), 2))["fd"]
    assert (fd["type"], fd["l4proto"]) == (V4, TCP)
    assert fd["name"] == b"10.0.0.1:1->1.2.3.4:2"
    assert ends(fd) == ("10.0.0.1", 1, "1.2.3.4", 2)
    assert fd["sip"][4:] == bytes(12)


def test_connect_of_a_unix_socket(m: Machine) -> None:
    m.socket(100, 5, domain=1)
    fd = m.connect(100, 5, tuple_unix(0xFFFF8800ABCD, 0x1F, b"/run/docker.sock"))["fd"]
    assert fd["name"] == b"ffff8800abcd->1f /run/docker.sock"
    assert (fd["unix_src"], fd["unix_dst"]) == (0xFFFF8800ABCD, 0x1F)
    assert fd["flags"] == CLIENT | CONNECTED


def test_a_unix_tuple_does_not_fit_another_socket(m: Machine) -> None:
    m.socket(100, 5)
    assert m.connect(100, 5, tuple_unix(1, 2, b"/x"))["fd"]["name"] == b""


def test_a_udp_server_that_connects_stays_the_server(m: Machine) -> None:
    m.socket(100, 5, kind=2)
    m.put(21, 100, i64(0), addr4("0.0.0.0", 53), i64(5))
    fd = m.connect(100, 5, tuple4("10.0.0.1", 53, "10.0.0.9", 4000))["fd"]
    assert fd["type"] == V4
    assert ends(fd) == ("10.0.0.9", 4000, "10.0.0.1", 53)
    assert fd["flags"] & (CLIENT | SERVER) == SERVER


def test_the_address_from_the_enter_event_replaces_a_changed_one(m: Machine) -> None:
    m.socket(100, 5)
    m.put(22, 100, i64(5), addr4("6.6.6.6", 666))
    shown = tuple4("10.0.0.1", 5000, "1.2.3.4", 443)
    fd = m.connect(100, 5, shown, -115, addr4("1.2.3.4", 443))["fd"]
    assert ends(fd) == ("10.0.0.1", 5000, "6.6.6.6", 666)
    assert fd["name"] == b"10.0.0.1:5000->6.6.6.6:666"


def test_the_kernels_address_beats_that_of_the_enter_event(m: Machine) -> None:
    m.socket(100, 5)
    m.put(22, 100, i64(5), addr4("6.6.6.6", 666))
    shown = tuple4("10.0.0.1", 5000, "1.2.3.4", 443)
    fd = m.connect(100, 5, shown, 0, addr4("9.9.9.9", 9))["fd"]
    assert ends(fd) == ("10.0.0.1", 5000, "1.2.3.4", 443)


def test_an_empty_tuple_is_filled_from_the_enter_event(m: Machine) -> None:
    m.socket(100, 5)
    m.connect(100, 5, b"")
    assert m.fd(100, 5)["name"] == b""
    m.put(22, 100, i64(5), addr4("6.6.6.6", 666))
    assert ends(m.connect(100, 5, b"")["fd"])[2:] == ("6.6.6.6", 666)


def test_families_of_enter_and_exit_may_differ(m: Machine) -> None:
    m.socket(100, 5, domain=10)
    m.put(22, 100, i64(5), addr4("6.6.6.6", 666))
    fd = m.connect(100, 5, tuple6(mapped("10.0.0.1"), 1, bytes(16), 666), -115)["fd"]
    assert (fd["type"], ends(fd)) == (V4, ("10.0.0.1", 1, "6.6.6.6", 666))


@pytest.mark.parametrize(
    "broken",
    [
        b"\2",
        b"\2" + bytes(11),
        b"\x0a" + bytes(35),
        b"\1" + bytes(15),
        b"\1" + bytes(16) + b"/no-nul",
        b"\x11" + bytes(40),
    ],
)
def test_broken_tuples_are_not_used(m: Machine, broken: bytes) -> None:
    m.socket(100, 5)
    assert m.connect(100, 5, broken)["fd"]["name"] == b""
    assert m.put(247, 100, i64(6), broken)["fd"] is None
    assert m.sendto(100, 5, broken)["fd"]["name"] == b""


# -- accept ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("event_type", [247, 389])
def test_accept(m: Machine, event_type: int) -> None:
    tuple_ = tuple4("9.9.9.9", 4000, "10.0.0.1", 22)
    rest = (u8(0), u32(0), u32(128), u32(O_CLOEXEC | 64))
    fd = m.put(event_type, 100, i64(6), tuple_, *rest)["fd"]
    assert (fd["num"], fd["type"], fd["l4proto"]) == (6, V4, TCP)
    assert ends(fd) == ("9.9.9.9", 4000, "10.0.0.1", 22)
    assert fd["name"] == b"9.9.9.9:4000->10.0.0.1:22"
    assert fd["flags"] == SERVER | CONNECTED
    assert fd["open_flags"] == (O_CLOEXEC if event_type == 389 else 0)


def test_accept_without_a_tuple_names_only_the_number(m: Machine) -> None:
    seen = m.put(389, 100, i64(6), b"", u8(0))
    assert (seen["fd"], seen["fd_num"]) == (None, 6)
    assert m.put(389, 100, i64(-11), b"")["fd_num"] == -1


def test_accept_of_a_unix_socket(m: Machine) -> None:
    fd = m.put(389, 100, i64(6), tuple_unix(1, 2, b"/x"))["fd"]
    assert (fd["type"], fd["name"]) == (UNIX, b"1->2 /x")


# -- datagrams -------------------------------------------------------------------------------------


def test_sending_names_a_datagram_socket(m: Machine) -> None:
    m.socket(100, 5, kind=2)
    fd = m.sendto(100, 5, tuple4("10.0.0.1", 5000, "8.8.8.8", 53))["fd"]
    assert fd["name"] == b"10.0.0.1:5000->8.8.8.8:53"
    assert fd["flags"] == CLIENT | CONNECTED
    version = fd["version"]
    # the answer comes from the other end: the same connection
    fd = m.recvfrom(100, 5, tuple4("8.8.8.8", 53, "10.0.0.1", 5000))["fd"]
    assert (fd["name"], fd["version"]) == (b"10.0.0.1:5000->8.8.8.8:53", version)
    fd = m.sendto(100, 5, tuple4("10.0.0.1", 5000, "9.9.9.9", 53))["fd"]
    assert fd["name"] == b"10.0.0.1:5000->9.9.9.9:53"
    # a client that receives from a third one: still client -> server
    fd = m.recvfrom(100, 5, tuple4("7.7.7.7", 53, "10.0.0.1", 5000))["fd"]
    assert ends(fd) == ("10.0.0.1", 5000, "7.7.7.7", 53)


def test_a_bound_datagram_socket_is_the_server(m: Machine) -> None:
    m.socket(100, 5, kind=2)
    m.put(21, 100, i64(0), addr4("0.0.0.0", 53), i64(5))
    fd = m.recvfrom(100, 5, tuple4("9.9.9.9", 4000, "10.0.0.1", 53))["fd"]
    assert (fd["type"], fd["l4proto"]) == (V4, UDP)
    assert ends(fd) == ("9.9.9.9", 4000, "10.0.0.1", 53)
    fd = m.sendto(100, 5, tuple4("10.0.0.1", 53, "7.7.7.7", 4001))["fd"]
    assert ends(fd) == ("7.7.7.7", 4001, "10.0.0.1", 53)
    assert fd["name"] == b"7.7.7.7:4001->10.0.0.1:53"


@pytest.mark.parametrize("bound", [False, True])
@pytest.mark.parametrize(
    ("received", "tuple_", "role"),
    [
        (False, tuple4("10.0.0.2", 5000, "8.8.8.8", 53), CLIENT),
        (True, tuple4("8.8.8.8", 5000, "10.0.0.2", 53), SERVER),
        (False, tuple6(ONE, 5000, TWO, 53), CLIENT),
        (True, tuple6(TWO, 5000, ONE, 53), CLIENT),
    ],
)
def test_roles_are_guessed_from_the_first_message(
    m: Machine, bound: bool, received: bool, tuple_: bytes, role: int
) -> None:
    if bound:  # another socket with that port says nothing of this one
        m.socket(100, 20, kind=2)
        m.put(21, 100, i64(0), addr4("10.0.0.1", 53), i64(20))
    m.socket(100, 5, domain=2 if tuple_[0] == 2 else 10, kind=2)
    send = m.recvfrom if received else m.sendto
    assert send(100, 5, tuple_)["fd"]["flags"] & (CLIENT | SERVER) == role


def test_tcp_connections_keep_their_tuple(m: Machine) -> None:
    m.socket(100, 5)
    m.connect(100, 5, tuple4("10.0.0.1", 5000, "1.2.3.4", 443))
    fd = m.sendto(100, 5, tuple4("10.0.0.1", 5000, "6.6.6.6", 6))["fd"]
    assert fd["name"] == b"10.0.0.1:5000->1.2.3.4:443"


def test_a_nameless_tcp_socket_takes_the_tuple(m: Machine) -> None:
    m.socket(100, 5)
    fd = m.recvfrom(100, 5, tuple4("1.2.3.4", 443, "10.0.0.1", 5000))["fd"]
    assert (fd["l4proto"], ends(fd)) == (TCP, ("1.2.3.4", 443, "10.0.0.1", 5000))


@pytest.mark.parametrize(
    ("event_type", "params"),
    [
        (29, lambda t: (i64(8), b"", i64(77), u32(8), t)),
        (31, lambda t: (i64(8), b"", i64(77), u32(8), t)),
        (49, lambda t: (i64(8), b"", i64(77), u32(8), t)),
    ],
)
def test_sending_to_an_unknown_fd_makes_up_a_datagram_socket(
    m: Machine, event_type: int, params: object
) -> None:
    fd = m.put(event_type, 100, *params(tuple4("10.0.0.1", 5000, "8.8.8.8", 53)))["fd"]
    assert (fd["num"], fd["type"], fd["l4proto"]) == (77, V4, UDP)
    assert fd["name"] == b"10.0.0.1:5000->8.8.8.8:53"


def test_a_fast_open_socket_gets_its_name_with_the_first_message(m: Machine) -> None:
    m.socket(100, 5)
    m.put(22, 100, i64(5), addr4("8.8.8.8", 443))
    fd = m.connect(100, 5, None)["fd"]
    assert (fd["name"], ends(fd)) == (b"", ("0.0.0.0", 0, "8.8.8.8", 443))
    fd = m.sendto(100, 5, tuple4("10.0.0.1", 5000, "8.8.8.8", 443))["fd"]
    assert fd["name"] == b"10.0.0.1:5000->8.8.8.8:443"


def test_many_messages_to_an_unknown_fd_make_up_nothing(m: Machine) -> None:
    tuple_ = tuple4("10.0.0.1", 5000, "8.8.8.8", 53)
    assert m.put(51, 100, i64(8), i64(77), u32(8), b"", tuple_)["fd"] is None


@pytest.mark.parametrize("call", ["sendto", "recvfrom"])
def test_failures_and_other_tuples_make_up_nothing(m: Machine, call: str) -> None:
    assert getattr(m, call)(100, 77, tuple4("1.1.1.1", 1, "2.2.2.2", 2), -11)["fd"] is None
    assert getattr(m, call)(100, 77, tuple_unix(1, 2, b"/x"))["fd"] is None


def test_unix_datagrams(m: Machine) -> None:
    m.socket(100, 5, domain=1, kind=2)
    fd = m.sendto(100, 5, tuple_unix(1, 2, b"/dev/log"))["fd"]
    assert fd["name"] == b"1->2 /dev/log"
    version = fd["version"]
    assert m.sendto(100, 5, tuple_unix(1, 2, b"/dev/log"))["fd"]["version"] == version
    assert m.sendto(100, 5, tuple_unix(1, 2, b"/x/dev/log"))["fd"]["name"] == b"1->2 /x/dev/log"


@pytest.mark.parametrize("event_type", [7, 9, 113, 115, 117, 119, 121, 123])
def test_moving_data_marks_a_socket_as_connected(m: Machine, event_type: int) -> None:
    m.socket(100, 5)
    at = 3 if event_type in (117, 121) else 2
    params = [i64(-11), b"", b"", b""]
    params[at] = i64(5)
    before = m.put(event_type, 100, *params)["fd"]
    params[0] = i64(1)
    after = m.put(event_type, 100, *params)["fd"]
    assert not before["flags"] & CONNECTED
    assert after["flags"] & CONNECTED
    assert after["version"] != before["version"]


# -- addresses of the machine ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tuple_", "expected"),
    [
        (tuple4("0.0.0.0", 5, "192.168.1.7", 53), "192.168.1.2"),
        (tuple4("0.0.0.0", 5, "172.16.0.1", 53), "172.16.0.1"),
        (tuple4("0.0.0.0", 5, "8.8.8.8", 53), "192.168.1.2"),
        (tuple4("0.0.0.0", 53, "172.16.0.1", 53), "0.0.0.0"),
        (tuple4("0.0.0.0", 5, "0.0.0.0", 53), "192.168.1.2"),
        (tuple4("0.0.0.0", 53, "0.0.0.0", 53), "192.168.1.2"),
        (tuple4("10.9.9.9", 5, "8.8.8.8", 53), "10.9.9.9"),
    ],
)
def test_zero_addresses_are_filled(tuple_: bytes, expected: str) -> None:
    m = Machine()
    m.add_interface(ip4("127.0.0.1"), ip4("255.0.0.0"))
    m.add_interface(ip4("192.168.1.2"), ip4("255.255.255.0"))
    m.add_interface(ip4("172.16.0.1"), ip4("255.255.0.0"))
    m.socket(100, 5, kind=2)
    assert ends(m.sendto(100, 5, tuple_)["fd"])[0] == expected


def test_which_addresses_belong_to_the_machine() -> None:
    m = Machine()
    m.add_interface(ip4("192.168.1.2"), ip4("255.255.255.0"))
    m.add_interface(ONE, b"\xff" * 8 + bytes(8))
    assert m.address_is_local(ip4("192.168.1.2"))
    assert not m.address_is_local(ip4("192.168.1.3"))
    assert m.address_is_local(TWO)
    assert not m.address_is_local(LOOP6)


# -- the process list ------------------------------------------------------------------------------


def test_initial_sockets() -> None:
    m = Machine()
    m.reset()
    m.add_thread(5, 5, 1)
    m.add_thread(6, 6, 1)
    m.add_interface(ip4("10.0.0.1"), ip4("255.0.0.0"))
    m.add_fd(6, 3, SERV4, dip=ip4("0.0.0.0"), dport=22, l4proto=TCP)
    local = ip4("10.0.0.1")
    m.add_fd(5, 4, V4, sip=local, sport=22, dip=ip4("9.9.9.9"), dport=4000, l4proto=TCP)
    m.add_fd(5, 5, V4, sip=local, sport=4001, dip=ip4("9.9.9.9"), dport=443, l4proto=TCP)
    m.add_fd(5, 6, V6, sip=mapped("10.0.0.1"), sport=22, dip=mapped("8.8.8.8"), dport=9, l4proto=2)
    m.add_fd(5, 7, V6, sip=ONE, sport=22, dip=TWO, dport=9, l4proto=UDP)
    m.add_fd(5, 8, UNIX, b"/run/x")
    m.add_fd(5, 9, UNIX)
    m.add_fd(5, 10, V4, sport=68, dip=ip4("10.0.0.254"), dport=67, l4proto=UDP)
    m.import_done()
    facts = {fd: m.fd(5, fd) for fd in m.fds(5)}
    assert m.fd(6, 3)["name"] == b"0.0.0.0:22"
    assert facts[4]["name"] == b"9.9.9.9:4000->10.0.0.1:22"
    assert facts[4]["flags"] & (CLIENT | SERVER | CONNECTED) == SERVER | CONNECTED
    assert facts[5]["name"] == b"10.0.0.1:4001->9.9.9.9:443"
    assert facts[5]["flags"] & (CLIENT | SERVER) == CLIENT
    assert (facts[6]["type"], facts[6]["name"]) == (V4, b"8.8.8.8:9->10.0.0.1:22")
    assert facts[7]["flags"] & (CLIENT | SERVER | CONNECTED) == 0
    assert facts[7]["name"] == b"2001:db8::1:22->2001:db8::2:9"
    assert facts[8]["flags"] & (CLIENT | SERVER) == SERVER
    assert facts[9]["flags"] & (CLIENT | SERVER) == CLIENT
    assert facts[10]["name"] == b"10.0.0.1:68->10.0.0.254:67"
    assert all(fd["name_raw"] == b"" for fd in facts.values())


@pytest.mark.parametrize(
    ("l4proto", "name"),
    [
        (TCP, b"1.1.1.1:1->2.2.2.2:2"),
        (UDP, b"1.1.1.1:1->2.2.2.2:2"),
        (ICMP, b"1.1.1.1->2.2.2.2"),
        (RAW, b"1.1.1.1->2.2.2.2"),
        (L_UNKNOWN, b"<unknown>"),
    ],
)
def test_names_by_protocol(l4proto: int, name: bytes) -> None:
    m = Machine()
    m.reset()
    m.add_thread(5, 5, 1)
    sides = {"sip": ip4("1.1.1.1"), "sport": 1, "dip": ip4("2.2.2.2"), "dport": 2}
    m.add_fd(5, 4, V4, l4proto=l4proto, **sides)
    m.import_done()
    assert m.fd(5, 4)["name"] == name
