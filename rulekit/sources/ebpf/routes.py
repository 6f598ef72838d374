"""What becomes of each system call: the table that the probe looks numbers up in."""

from __future__ import annotations

import platform
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from rulekit.compiler.passes.fold import GENERIC_BASE, slot_table
from rulekit.compiler.program import Program
from rulekit.schema.events import event_types, load_table
from rulekit.schema.values import value_tables

N_ROUTES = 2048
COMPAT = 1024  # routes of 32-bit programs begin here
GENERIC_EXIT = 1

_ROUTE = struct.Struct("<HHHBBB3x")
_TABLES = {"x86_64": "syscalls_x86_64", "aarch64": "syscalls_aarch64"}


@dataclass(frozen=True, slots=True)
class Route:
    """A system call by its number.

    Attributes:
        index: Of the probe's table.
        name: Of the call on its architecture.
        type: Of its exit event, 1 for generic ones; `code` as generic events name it.
        native: Number as generic events have it.
        narrow: Its structures have the layout of 32-bit programs.
    """

    index: int
    name: str
    type: int
    code: int
    native: int
    narrow: bool = False

    @property
    def slot(self) -> int:
        """The event class of the compiler that its event falls into."""
        return self.type if self.type != GENERIC_EXIT else GENERIC_BASE + self.code

    def encode(self, wanted: bool) -> bytes:
        """Return the entry of the probe's table."""
        n_params = len(event_types()[self.type].params)
        return _ROUTE.pack(self.type, self.code, self.native, wanted, n_params, self.narrow)


@cache
def routes(machine: str = "") -> tuple[Route, ...]:
    """Return the calls of an architecture, by default of this machine.

    Raises:
        KeyError: The architecture is not supported.
    """
    table = value_tables()[_TABLES[machine or platform.machine()]]
    return tuple(
        Route(int(number), call["name"], call["exit"] or GENERIC_EXIT, call["sc"], int(number))
        for number, call in table.items()
    )


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
    slots = program.slots()
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
