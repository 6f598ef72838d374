"""What a run saw: events, losses, matches per rule, time."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Stats:
    """Figures of one run; complete when the run has ended, valid at any time.

    Attributes:
        events: Event headers read from the source, also those that no rule may see.
        delivered: Events left after conversion of outdated forms; what ``evt.num`` counts.
        visible: Events shown to the rules.
        drops: Events that the recorder reported as lost.
        alerts: Matches, by rule name, in the order of their first match.
        elapsed_s: Wall-clock seconds; `cpu_s`: seconds of CPU of the whole process.
        counters: Everything that was refused, evicted or malformed, by name; zero ones left out.
        reloads: How often other rules came into force on the way.
        complete: False when the source broke off before its end.
    """

    events: int = 0
    delivered: int = 0
    visible: int = 0
    drops: int = 0
    alerts: dict[str, int] = field(default_factory=dict)
    elapsed_s: float = 0.0
    cpu_s: float = 0.0
    counters: dict[str, int] = field(default_factory=dict)
    reloads: int = 0
    complete: bool = False

    @property
    def events_per_s(self) -> float:
        """Event headers per second of wall-clock time; 0 before the first second is measured."""
        return self.events / self.elapsed_s if self.elapsed_s else 0.0
