"""The probe in the kernel: from the object file to attached programs, and back."""

from __future__ import annotations

import errno
import os
import struct
import threading
import time
from importlib.resources import files

from rulekit.errors import SourceError
from rulekit.schema.events import event_types
from rulekit.sources.ebpf._bpf import BpfError, BpfObject, LibraryMissing
from rulekit.sources.ebpf._ring import Ring
from rulekit.sources.ebpf.routes import EventSet
from rulekit.sources.ebpf.scope import (
    Identity,
    Scope,
    is_running,
    open_cgroup,
    open_process,
    refuse_host,
)

BTF = "/sys/kernel/btf/vmlinux"
DEFAULT_RING_BYTES = 8 << 20
MIN_RING_BYTES, MAX_RING_BYTES = 64 << 10, 1 << 30
DEFAULT_SNAPLEN = 80
MAX_SNAPLEN = 0x7FFF

_OBJECT_NAME = "rulekit"
_SCOPES = {"tree": 1, "cgroup": 2, "pidns": 3, "host": 4}
_SETTINGS = struct.Struct("<QQiIIIIIII")
_FORK = "sched_process_fork"
_ATTACHED = ("sys_exit", "sched_process_exec", "sched_process_exit")
# Programs beside system calls, by the slot of their event; attached when it is asked for.
_TRACEPOINTS = {232: "signal_deliver", 152: "sched_switch", 290: "page_fault_user"}
_ITERATORS = ("adopt", "identify", "tasks", "tasks_short", "descriptors")
# The second one is for kernels before 5.18: it knows no arguments and no environment.
_LISTERS = ("tasks", "tasks_short")
_COUNTERS = ("produced", "ring_full", "too_long", "no_scratch", "unreadable", "not_followed")
LOSSES = ("ring_full", "too_long", "no_scratch")
_PASSES = 16  # over the tasks, until no new one of the tree is found


class Probe:
    """A probe that is attached; whatever happens to this process, it goes with it.

    Args:
        scope: What it may see.
        events: What it delivers at first; see `widen`.
        ring_bytes: Room for events that were not read yet; a power of two.
        snaplen: Bytes of data of a read or write that are kept.

    Attributes:
        lister: The program that lists the processes of the scope at the start.

    Raises:
        SourceError: The kernel, its rights or the installation do not allow it; says what to do.
    """

    def __init__(
        self,
        scope: Scope,
        events: EventSet,
        *,
        ring_bytes: int = DEFAULT_RING_BYTES,
        snaplen: int = DEFAULT_SNAPLEN,
    ) -> None:
        self.scope = scope
        self.ring_bytes = ring_bytes
        self.events = EventSet(frozenset())
        self._tracepoints: frozenset[int] = frozenset()
        self._pidfd = self._cgroup = -1
        self._object: BpfObject | None = None
        self._detached = False
        self._name = f"ebpf:{scope}"
        self._lock = threading.Lock()  # of what is attached: a reload widens while events come in
        image = read_object()
        if not os.path.exists(BTF):
            raise SourceError(
                f"the kernel does not describe its types: {BTF} is missing. A kernel that was built"
                " with CONFIG_DEBUG_INFO_BTF is needed, as those of today's distributions are",
                self._name,
            )
        try:
            settings = self._resolve(image, snaplen)
            loaded = self._load(image, settings, ring_bytes)
            if self._cgroup >= 0:
                loaded.update("scope_cgroup", bytes(4), struct.pack("<I", self._cgroup))
            self._set_events(events)
            self.ring = Ring(loaded.map_fd("ring"), ring_bytes)
            loaded.attach(_FORK)
            if scope.kind == "tree":
                self._adopt(loaded)
            for program in _ATTACHED:
                loaded.attach(program)
            self._attach_tracepoints()
        except (BpfError, LibraryMissing) as error:
            self.close()
            raise SourceError(_refused(error), self._name) from error
        except BaseException:
            self.close()
            raise

    def _load(self, image: bytes, settings: bytes, ring_bytes: int) -> BpfObject:
        """Load the programs and maps, with the best list of processes that the kernel allows."""
        for lister in _LISTERS:
            self._object = loaded = BpfObject(image, _OBJECT_NAME)
            for program in _ITERATORS:
                loaded.use(program, program in (lister, "descriptors"))
            loaded.use("adopt", self.scope.kind == "tree")
            loaded.set_entries("ring", ring_bytes)
            loaded.set_entries("scratch", _n_cpus() + 1)
            loaded.set_constants(settings)
            try:
                loaded.load()
            except BpfError as error:
                if lister == _LISTERS[-1] or error.errno == errno.EPERM:
                    raise
                loaded.close()
                continue
            self.lister = lister
            break
        return loaded

    def _resolve(self, image: bytes, snaplen: int) -> bytes:
        """Find out what the scope is to the kernel; return the probe's settings."""
        who, cgroup_id, level = None, 0, -1
        if self.scope.pid:
            self._pidfd = open_process(self.scope)
            who = _identify(image, self._pidfd)
            if who is None:
                what = "is not shown by the kernel" if is_running(self._pidfd) else "has ended"
                raise SourceError(f"process {self.scope.pid} {what}", self._name)
        if self.scope.kind == "cgroup":
            if who is not None:
                cgroup_id, level = who.cgroup_id, who.cgroup_level
            else:
                self._cgroup, cgroup_id = open_cgroup(self.scope)
        refuse_host(self.scope, who, cgroup_id)
        return _SETTINGS.pack(
            time.clock_gettime_ns(time.CLOCK_REALTIME) - time.clock_gettime_ns(time.CLOCK_BOOTTIME),
            cgroup_id,
            level,
            _SCOPES[self.scope.kind],
            0 if who is None else who.pidns,
            0 if who is None else who.pidns_level,
            0 if who is None else who.tgid,
            _own_tgid(image),
            min(snaplen, MAX_SNAPLEN),
            _n_cpus(),
        )

    def _adopt(self, loaded: BpfObject) -> None:
        """Mark the tasks of the tree. What they start from now on is marked by itself, but a task
        that was passed over can have been started by one that was not marked yet."""
        for _ in range(_PASSES):
            if not loaded.iterate("adopt"):
                break
        if not is_running(self._pidfd):
            raise SourceError(f"process {self.scope.pid} has ended", self._name)

    def widen(self, events: EventSet) -> None:
        """Deliver these events too: when this returns, the kernel does, on all cpus.

        Nothing that was delivered is left out meanwhile. May be called by any thread, also while
        others read the ring; after `detach` and `close` it does nothing.

        Raises:
            SourceError: The kernel refused.
        """
        with self._lock:
            if self._object is None or self._detached or self.events >= events:
                return
            try:
                self._set_events(self.events | events)
                self._attach_tracepoints()
            except BpfError as error:
                raise SourceError(_refused(error), self._name) from error

    def _set_events(self, events: EventSet) -> None:
        assert self._object is not None
        self.events = events
        for index, entry in events.entries():
            self._object.update("routes", struct.pack("<I", index), entry)

    def _attach_tracepoints(self) -> None:
        for slot, program in _TRACEPOINTS.items():
            if self._object is not None and slot in self.events.slots - self._tracepoints:
                self._object.attach(program)
                self._tracepoints |= {slot}

    def initial_state(self) -> tuple[bytes, bytes]:
        """Return the processes of the scope and their descriptors, as the iterators write them.

        Raises:
            SourceError: The kernel refused.
        """
        assert self._object is not None
        try:
            return self._object.iterate(self.lister), self._object.iterate("descriptors")
        except BpfError as error:
            raise SourceError(_refused(error), self._name) from error

    def counters(self) -> dict[str, int]:
        """Return what the probe counted on all cpus, by name of the counter."""
        found = {name: self._sum("counters", i) for i, name in enumerate(_COUNTERS)}
        if self._object is not None:
            found["skipped"] = sum(map(self._object.n_skipped, (_FORK, *_ATTACHED)))
        return found

    def lost_by_type(self) -> dict[str, int]:
        """Return how many events were lost, by type; those of which none was are left out."""
        found: dict[str, int] = {}
        for event in event_types():
            n = self._sum("lost", event.id)
            if n:
                found[event.name] = found.get(event.name, 0) + n
        return found

    def _sum(self, table: str, index: int) -> int:
        """Return a number of a table that has one for each cpu."""
        if self._object is None:
            return 0
        n = _n_cpus()
        values = self._object.lookup(table, struct.pack("<I", index), 8 * n)
        return sum(struct.unpack(f"<{n}Q", values))

    def detach(self) -> None:
        """Take in no more events; those in the ring can still be read. Idempotent."""
        with self._lock:
            self._detached = True
            if self._object is not None:
                self._object.detach()

    def close(self) -> None:
        """Detach and unload. Idempotent."""
        with self._lock:
            if self._object is not None:
                self._object.close()
                self._object = None
        for fd in (self._pidfd, self._cgroup):
            if fd >= 0:
                os.close(fd)
        self._pidfd = self._cgroup = -1


def _identify(image: bytes, pidfd: int) -> Identity | None:
    """Ask the kernel about the process behind a descriptor, whatever /proc is mounted.

    Returns:
        None when the process has ended, or the kernel does not show it.
    """
    small = BpfObject(image, _OBJECT_NAME)
    try:
        for program in (*_ATTACHED, *_TRACEPOINTS.values(), _FORK, *_ITERATORS):
            small.use(program, program == "identify")
        small.set_entries("ring", 1 << 12)
        small.load()
        found = small.iterate("identify", struct.pack("<IIIxxxx", 0, 0, pidfd))
    finally:
        small.close()
    if len(found) != Identity.LAYOUT.size:
        return None
    return Identity(*Identity.LAYOUT.unpack(found))


def _own_tgid(image: bytes) -> int:
    """Return the number of this process on the host: in a namespace it knows itself by another."""
    pidfd = os.pidfd_open(os.getpid())
    try:
        who = _identify(image, pidfd)
    except BpfError:  # kernels before 6.1 cannot be asked for one process
        who = None
    finally:
        os.close(pidfd)
    return os.getpid() if who is None else who.tgid


def read_object() -> bytes:
    """Return the probe as it was built.

    Raises:
        SourceError: It is not part of this installation.
    """
    try:
        return (files("rulekit.sources.ebpf") / "probe" / "probe.bpf.o").read_bytes()
    except OSError:
        raise SourceError(
            "this installation of rulekit has no probe: it was built without clang and llvm."
            " Install a wheel, or clang and llvm and then rulekit again",
            "ebpf",
        ) from None


def _n_cpus() -> int:
    """Return how many cpus the kernel may ever have: per-cpu maps have a value for each."""
    with open("/sys/devices/system/cpu/possible", encoding="ascii") as file:
        return int(file.read().strip().rpartition("-")[2].rpartition(",")[2]) + 1


def _refused(error: BpfError | LibraryMissing) -> str:
    """Say what to do about a refusal of the kernel, or without the library that asks it."""
    if isinstance(error, LibraryMissing):
        return (
            f"libbpf cannot be used: {error}. Install it, for instance by `apt-get install libbpf1`"
            " or `dnf install libbpf`"
        )
    log = error.log.strip()
    # The verifier refuses with EACCES, too, and says why.
    if error.errno == errno.EPERM or (error.errno == errno.EACCES and not log):
        return (
            f"{error}: the capabilities CAP_BPF and CAP_PERFMON are needed; run as root, or give"
            " the container both"
        )
    return f"{error}\n{log[-2500:]}" if log else str(error)
