"""What becomes of each system call: the table that the probe looks numbers up in."""

from __future__ import annotations

import platform
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from rulekit.compiler.passes.fold import GENERIC_BASE, slot_table
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
    """Return every event that the probe knows."""
    return EventSet(frozenset(i for i in range(1 << 11) if slot_table().everything >> i & 1))


@cache
def state_events() -> EventSet:
    """Return the events without which processes, files and sockets would not be known."""
    by_name = slot_table().by_name
    slots = 0
    for name in load_table("state_events")["events"]:
        slots |= by_name[name.encode()]
    return EventSet(frozenset(i for i in range(slots.bit_length()) if slots >> i & 1))
