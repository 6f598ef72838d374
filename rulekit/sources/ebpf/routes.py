"""What becomes of each system call: the table that the probe looks numbers up in."""

from __future__ import annotations

import platform
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import IntFlag
from functools import cache

from rulekit.compiler.passes.fold import slot_table
from rulekit.compiler.tables import GENERIC_BASE, Program
from rulekit.schema.events import event_types, load_table
from rulekit.schema.values import value_tables

# Where the routes of each kind begin in the probe's table.
COMPAT = 1024
SOCKETCALL = COMPAT + 512
IPC = SOCKETCALL + 32
N_ROUTES = 2048
GENERIC_EXIT = 1
NO_NUMBER = 0xFFFF  # of a call that the native architecture does not have

_ROUTE = struct.Struct("<HHHBBB3x")
_TABLES = {"x86_64": "syscalls_x86_64", "aarch64": "syscalls_aarch64"}


class RouteFlag(IntFlag):
    """What is special about the arguments of a call; values are those of the probe."""

    NARROW = 1  # structures have the layout of 32-bit programs
    SOCKETCALL = 2  # the first argument says which call it is, the second where its arguments are
    IPC = 4  # the first argument says which call it is
    INDIRECT = 8  # the first argument says where the arguments are
    SHORT_IDS = 16  # users and groups have 16 bits
    PAGES = 32  # an offset counts pages


NO_FLAGS = RouteFlag(0)


@dataclass(frozen=True, slots=True)
class Route:
    """A system call by its number.

    Attributes:
        index: Of the probe's table.
        name: Of the call that it is told as.
        type: Of its exit event, 1 for generic ones; `code` as generic events name it.
        native: Number as generic events have it.
    """

    index: int
    name: str
    type: int
    code: int
    native: int
    flags: RouteFlag = NO_FLAGS

    @property
    def slot(self) -> int:
        """The event class of the compiler that its event falls into."""
        return self.type if self.type != GENERIC_EXIT else GENERIC_BASE + self.code

    def encode(self, wanted: bool) -> bytes:
        """Return the entry of the probe's table."""
        n_params = len(event_types()[self.type].params)
        return _ROUTE.pack(self.type, self.code, self.native, wanted, n_params, self.flags)


@cache
def routes(machine: str = "") -> tuple[Route, ...]:
    """Return the calls of an architecture, by default of this machine.

    Those of x86_64 are followed by those that 32-bit programs make there.

    Raises:
        KeyError: The architecture is not supported.
    """
    machine = machine or platform.machine()
    table = value_tables()[_TABLES[machine]]
    native = tuple(
        Route(int(number), call["name"], call["exit"] or GENERIC_EXIT, call["sc"], int(number))
        for number, call in table.items()
    )
    return native + tuple(_narrow_routes(native)) if machine == "x86_64" else native


def _narrow_routes(native: tuple[Route, ...]) -> Iterator[Route]:
    """Yield the routes of 32-bit programs on x86_64: i386 and x32."""
    tables = load_table("syscalls_32")
    by_name = {route.name: route for route in native}
    by_number = {route.index: route for route in native}
    codes = {name: int(code) for code, name in value_tables()["ppm_sc"].items()}
    events = {
        event.name: event.id
        for event in event_types()
        if event.is_exit and not event.flags & {"OLD_VERSION", "UNUSED"}
    }

    def route(index: int, name: str, flags: RouteFlag) -> Route:
        if name in by_name:
            return replace(by_name[name], index=index, flags=flags)
        type = events.get(name.lstrip("_"), GENERIC_EXIT)
        return Route(index, name, type, codes[name], NO_NUMBER, flags)

    for number, name in tables["x32"].items():
        yield route(int(number), name, RouteFlag.NARROW)
    names = {
        number: by_number[other].name
        for number, other in value_tables()["ia32_to_x86_64"].items()
        if other in by_number
    }
    kinds = {"socketcall": RouteFlag.SOCKETCALL, "ipc": RouteFlag.IPC}
    special = {
        "indirect": RouteFlag.INDIRECT,
        "short_ids": RouteFlag.SHORT_IDS,
        "pages": RouteFlag.PAGES,
    }
    for number, name in (names | tables["i386"]).items():
        flags = kinds.get(name, NO_FLAGS)
        for table, flag in special.items():
            if number in tables[table]:
                flags |= flag
        if number not in tables["wide"]:
            flags |= RouteFlag.NARROW
        yield route(COMPAT + int(number), name, flags)
    for base, table in ((SOCKETCALL, "socketcall"), (IPC, "ipc")):
        for number, name in tables[table].items():
            yield route(base + int(number), name, RouteFlag.NARROW)


@dataclass(frozen=True, slots=True)
class EventSet:
    """Which events the probe delivers, as classes of the compiler (`SlotTable`).

    Events of processes that start and end are always among them.
    """

    slots: frozenset[int]

    def __or__(self, other: EventSet) -> EventSet:
        return EventSet(self.slots | other.slots)

    def __ge__(self, other: EventSet) -> bool:
        return self.slots >= other.slots

    def entries(self) -> Iterator[tuple[int, bytes]]:
        """Yield index and entry of every call of the probe's table."""
        for route in routes():
            yield route.index, route.encode(route.slot in self.slots)


def all_events() -> EventSet:
    """Return every event of system calls, and the delivery of signals.

    Context switches and page faults are left out: there are more of them than of everything else.
    """
    everything = slot_table().everything
    slots = frozenset(i for i in range(everything.bit_length()) if everything >> i & 1)
    return EventSet(slots - _slots_of(load_table("state_events")["on_demand"]))


@cache
def state_events() -> EventSet:
    """Return the events without which processes, files and sockets would not be known."""
    return EventSet(_slots_of(load_table("state_events")["events"]))


def events_for(program: Program) -> EventSet:
    """Return the events that a program looks at, and those that the fields it reads come from."""
    # Calls that our table does not know have no route through the probe.
    slots = program.slots().difference(slot_table().unknown)
    for prefix, names in load_table("state_events")["fields"].items():
        if any(field.startswith(prefix) for field in program.fields()):
            slots |= _slots_of(names)
    return EventSet(slots) | state_events()


def _slots_of(names: Iterable[str]) -> frozenset[int]:
    by_name = slot_table().by_name
    slots = 0
    for name in names:
        slots |= by_name[name.encode()]
    return frozenset(i for i in range(slots.bit_length()) if slots >> i & 1)
