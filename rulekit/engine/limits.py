"""How much a run may remember."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class StateLimits:
    """Bounds of the tables of one run, in entries; what finds no room is counted in `Stats`.

    Attributes:
        threads: Threads that are known at one time.
        fds_per_process: Open descriptors of one process.
        fds: Open descriptors of all processes together.
        containers: Containers.
        accounts: Users and groups, each in its container.

    Raises:
        ValueError: A bound is not from 1 to 2^31 - 1.
    """

    threads: int = 262_144
    fds_per_process: int = 4_096
    fds: int = 2_097_152
    containers: int = 16_384
    accounts: int = 262_144

    def __post_init__(self) -> None:
        for field in fields(self):
            if not 1 <= getattr(self, field.name) < 1 << 31:
                raise ValueError(f"{field.name} is not from 1 to 2147483647")
