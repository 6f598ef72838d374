"""Container ids from cgroups, container metadata, users and groups."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.state.state_events import Machine, clone_params, i64, parts, text, u32

ID = "78eeea7de81b4a2f9c3d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f70819203"
SHORT = ID[:12].encode()
assert len(ID) == 64
USER_ADDED, USER_DELETED, GROUP_ADDED, GROUP_DELETED = 354, 356, 358, 360
CONTAINER, ASYNC = 324, 402


@pytest.fixture
def m() -> Machine:
    return Machine()


# -- ids -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        # podman
        (f"/machine.slice/libpod-{ID}.scope", SHORT),
        (f"/machine.slice/libpod-{ID}.scope/container", SHORT),
        (f"/libpod_parent/libpod-{ID}", SHORT),
        (f"/machine.slice/libpod-payload-{ID}.scope", SHORT),
        (f"/libpod-payload-{ID}.scope/container", SHORT),
        (f"/libpod-payload-{ID}", SHORT),
        # docker
        (f"/docker/{ID}", SHORT),
        (f"/{ID}", SHORT),
        (f"/system.slice/docker-{ID}.scope", SHORT),
        # cri
        (f"/kubepods/burstable/pod7d2c/{ID}", SHORT),
        (f"/kubepods/pod7d2c/crio-{ID}", SHORT),
        (f"/kubepods.slice/kubepods-pod1_2.slice/cri-containerd-{ID}.scope", SHORT),
        (f"/kubepods.slice/crio-{ID}.scope", SHORT),
        (f"/system.slice/containerd.service/kubepods-pod1:cri-containerd:{ID}", SHORT),
        (f"/kubepods.slice/nerdctl-{ID}.scope", SHORT),
        # containerd
        ("/default/redis", b"redis"),
        ("/default/a-long-container-name", b"a-long-conta"),
        ("/moby.ns/redis", b"redis"),
        ("/default/" + "x" * 64, b"x" * 12),
        ("/default/" + "x" * 65, b""),
        ("/system.slice/ssh.service", b""),
        ("/user.slice/user-0.slice", b""),
        ("/user.slice/user-0.slice/session-1.scope", b""),
        # lxc: containerd names win when nothing follows the name
        ("/lxc/web/init.scope", b"web"),
        ("/lxc.payload/web/a.service", b"web"),
        ("/lxc.payload.web/init.scope", b"web"),
        ("/lxc.payload.web", b"web"),
        # libvirt
        ("/vm1.libvirt-lxc", b"vm1"),
        ("/machine.slice/machine-lxc\\x2dvm1.scope", b"vm1"),
        # containerd is asked earlier and takes nearly anything below a first folder
        ("/machine.slice/machine-lxc\\x2dvm1.scope/libvirt", b"machine-lxc\\"),
        ("/machine-lxc\\x2dvm1.scope/libvirt", b"vm1"),
        ("/libvirt/lxc/vm1/a.service", b"vm1"),
        # systemd-nspawn
        ("/machine.slice/systemd-nspawn@web.service", b"web"),
        ("/machine.slice/systemd-nspawn@web.service/payload/system.slice/ssh.service", b"web"),
        ("/machine.slice/systemd-nspawn@my\\x2dbox.service/payload", b"my-box"),
        ("/machine.slice/systemd-nspawn@web.service/supervisor", b""),
        ("/machine.slice/machine-debian\\x2dsid.scope", b"debian-sid"),
        ("/machine.slice/machine-web.scope/payload/init.scope", b"web"),
        ("/machine.slice/machine-\\x2.scope", b"\\x2"),
        ("/machine.slice/machine-.scope", b""),
        ("/machine.slice/machine-qemu\\x2d1\\x2dvm.scope", b""),
        (f"/machine.slice/machine-web.scope/payload/system.slice/docker-{ID}.scope", SHORT),
        (f"/machine.slice/machine-{'x' * 64}.scope", b"x" * 64),
        (f"/machine.slice/machine-{'x' * 65}.scope", b""),
        # bpm
        ("/bpm-router.scope", b"router"),
        ("/bpm-bad name.scope", b""),
        # the host
        ("/", b""),
        ("/init.scope", b""),
        (f"/docker/{ID[:-1]}", ID[:12].encode()),
        (f"/system.slice/docker-{ID[:-1]}.scope", b""),
        (f"/system.slice/docker-{ID[:-1]}g.scope", b""),
    ],
)
def test_container_ids(m: Machine, path: str, expected: bytes) -> None:
    assert m.container_id_of(parts(b"memory=" + path.encode())) == expected


def test_the_first_path_with_a_container_decides(m: Machine) -> None:
    cgroups = parts(b"cpu=/", b"broken", b"memory=/docker/" + ID.encode(), b"pids=/default/other")
    assert m.container_id_of(cgroups) == SHORT


def test_answers_are_remembered_and_forgotten(m: Machine) -> None:
    texts = [parts(b"cpu=/default/c%d" % i) for i in range(5000)]
    for _ in range(2):
        assert [m.container_id_of(t) for t in texts] == [b"c%d" % i for i in range(5000)]
        m.collect()


@given(
    st.text(alphabet="/ab-._:\\x2", max_size=40), st.sampled_from(["", ID, "lxc", "bpm-", "-lxc"])
)
def test_any_path_has_an_answer(path: str, middle: str) -> None:
    m = Machine()
    for made in (path + middle, middle + path, path + middle + path):
        assert len(m.container_id_of(parts(b"cpu=" + made.encode()))) <= 120


@pytest.mark.parametrize("event", ["clone", "child", "execve", "chroot", "initial"])
def test_when_the_id_is_computed(m: Machine, event: str) -> None:
    cgroups = parts(b"cpu=/docker/" + ID.encode())
    tid = 100
    if event == "clone":
        tid = 200
        m.put(223, 100, *clone_params(200, 100, 100, 1, cgroups=cgroups))
    elif event == "child":
        tid = 200
        m.put(223, 200, *clone_params(0, 200, 200, 100, cgroups=cgroups))
    elif event == "execve":
        m.exec(100, cgroups=cgroups)
    else:
        m.reset()
        m.add_thread(100, 100, 1, cgroups=cgroups)
        m.import_done()
        if event == "chroot":
            m.put(267, 100, i64(0), text(b"/jail"))
    assert m.thread(tid)["container_id"] == SHORT


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (parts(b"cpu=/", b"io=/x", b"mem=/y"), parts(b"cpu=/", b"blkio=/x", b"memory=/y")),
        (parts(b"memory_cgroup=/", b"perf=/p"), parts(b"memory=/", b"perf_event=/p")),
        (b"io_cgroup=/a", parts(b"blkio=/a")),
        (parts(b"nonsense", b"", b"cpu=/"), parts(b"cpu=/")),
        (b"", b""),
    ],
)
def test_names_of_subsystems(m: Machine, given: bytes, expected: bytes) -> None:
    assert m.cgroups_text(given) == expected


# -- metadata --------------------------------------------------------------------------------------

FULL = {
    "id": SHORT.decode(),
    "full_id": ID,
    "type": 7,
    "name": "web",
    "image": "nginx:1.27",
    "imagerepo": "nginx",
    "ip": "10.1.2.3",
    "User": "www",
    "privileged": True,
    "labels": {"app": "shop", "tier": "front"},
    "pod_sandbox_labels": {"a": "b"},
    "Mounts": [{"Source": "/etc", "Destination": "/mnt", "RW": True}],
}


def container_json(facts: object, *, wrapped: bool = True) -> bytes:
    return text(json.dumps({"container": facts} if wrapped else facts).encode())


@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize("event_type", [CONTAINER, ASYNC])
def test_metadata(m: Machine, event_type: int, wrapped: bool) -> None:
    raw = container_json(FULL, wrapped=wrapped)
    before = m.versions()["container"]
    params = (raw,) if event_type == CONTAINER else (u32(0), text(b"container"), raw)
    seen = m.put(event_type, -1, *params)
    assert seen["container"] == SHORT
    facts = m.container(SHORT)
    assert facts == {
        "id": SHORT,
        "full_id": ID.encode(),
        "type": 7,
        "name": b"web",
        "image": b"nginx:1.27",
        "image_repo": b"nginx",
        "ip": b"10.1.2.3",
        "user": b"www",
        "privileged": True,
        "labels": {b"app": b"shop", b"tier": b"front"},
        "pod_labels": {b"a": b"b"},
        "mounts": [(b"/etc", b"/mnt", True)],
    }
    assert m.versions()["container"] != before


def test_metadata_is_replaced_and_removed(m: Machine) -> None:
    m.put(CONTAINER, -1, container_json(FULL))
    m.put(CONTAINER, -1, container_json({"id": SHORT.decode(), "name": "other"}))
    assert m.container(SHORT)["name"] == b"other"
    assert m.container(SHORT)["labels"] == {}
    seen = m.put(ASYNC, -1, u32(0), text(b"container_removed"), container_json(FULL))
    assert seen["container"] == SHORT
    assert m.container(SHORT) is not None, "rules see it once more"
    m.nothing()
    assert m.container(SHORT) is None
    assert m.counters()["n_containers"] == 1


def test_the_host_is_a_container_with_an_empty_id(m: Machine) -> None:
    assert m.container(b"")["name"] == b"host"
    m.reset()
    assert m.container(b"")["type"] == 65534


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\0",
        b"{",
        b"[]",
        b"null",
        b"12",
        b'"text"',
        b'{"container": null}',
        b'{"container": {"id": 5}}',
        b'{"container": {}}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"id": "\xff\xfe", "name": "\xff"}',
        b'{"id": "x", "name": "\\ud800"}',
        b'{"id": "x", "type": 1e999}',
        b'{"id": "x", "type": ' + b"9" * 10_000 + b"}",
        b'{"id": "x", "type": true, "labels": [], "Mounts": {}, "privileged": "yes"}',
        b'{"id": "x", "labels": {"a": 1, "b": null}, "Mounts": [1, null, {"Source": 5}]}',
    ],
)
@pytest.mark.parametrize("name", [b"container", b"container_removed"])
def test_odd_metadata_is_survived(m: Machine, raw: bytes, name: bytes) -> None:
    m.put(CONTAINER, -1, raw)
    m.put(ASYNC, -1, u32(0), text(name), raw)
    m.nothing()
    m.check()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["id", "full_id", "type", "labels", "Mounts", "container", "Source", "ip"]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=20,
    )
)
def test_any_json_is_survived(value: object) -> None:
    m = Machine()
    m.put(CONTAINER, -1, container_json(value, wrapped=False))
    m.put(CONTAINER, -1, container_json(value))
    m.check()


def test_many_labels_are_cut(m: Machine) -> None:
    labels = {f"k{i}": "v" for i in range(2000)}
    m.put(CONTAINER, -1, container_json({"id": "x", "labels": labels}))
    assert len(m.container(b"x")["labels"]) == 512
    assert m.counters()["bad_params"] == 2000 - 512


def test_the_number_of_containers_is_bounded() -> None:
    m = Machine(max_containers=5)
    for i in range(10):
        m.put(CONTAINER, -1, container_json({"id": f"c{i}"}))
    assert m.counters()["n_containers"] == 5
    assert m.counters()["containers_refused"] == 6


def test_other_async_events_are_nothing_to_the_state(m: Machine) -> None:
    seen = m.put(ASYNC, -1, u32(0), text(b"other"), container_json(FULL))
    assert seen["container"] is None
    assert m.container(SHORT) is None


# -- users and groups ------------------------------------------------------------------------------


def user(uid: int, name: bytes, container: bytes = b"") -> tuple[bytes, ...]:
    return (u32(uid), u32(100), text(name), text(b"/home"), text(b"/bin/sh"), text(container))


def test_users(m: Machine) -> None:
    before = m.versions()["account"]
    m.put(USER_ADDED, -1, *user(1000, b"alice"))
    m.put(USER_ADDED, -1, *user(1000, b"app", SHORT))
    assert m.account(b"", 1000) == (b"alice", b"/home", b"/bin/sh")
    assert m.account(SHORT, 1000)[0] == b"app"
    assert m.account(b"other", 1000) is None
    assert m.account(b"", 1000, is_group=True) is None
    assert m.versions()["account"] != before
    m.put(USER_ADDED, -1, *user(1000, b"bob"))
    assert m.account(b"", 1000)[0] == b"bob"
    m.put(USER_DELETED, -1, *user(1000, b"bob"))
    assert m.account(b"", 1000) is None
    assert m.account(SHORT, 1000)[0] == b"app"


def test_groups(m: Machine) -> None:
    m.put(GROUP_ADDED, -1, u32(5), text(b"tty"), text(b""))
    assert m.account(b"", 5, is_group=True)[0] == b"tty"
    m.put(GROUP_DELETED, -1, u32(5), text(b"tty"), text(b""))
    assert m.account(b"", 5, is_group=True) is None


@pytest.mark.parametrize("name", [b"+", b"-nobody"])
def test_references_to_other_databases_are_no_accounts(m: Machine, name: bytes) -> None:
    m.put(USER_ADDED, -1, *user(7, name))
    m.put(GROUP_ADDED, -1, u32(7), text(name), text(b""))
    assert m.counters()["n_accounts"] == 0


def test_the_number_of_accounts_is_bounded() -> None:
    m = Machine(max_accounts=300)
    for uid in range(1000):
        m.put(USER_ADDED, -1, *user(uid, b"u%d" % uid))
    assert m.counters()["n_accounts"] == 300
    assert m.counters()["accounts_refused"] == 700
    assert m.account(b"", 299)[0] == b"u299"
