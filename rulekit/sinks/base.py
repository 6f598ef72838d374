"""What all sinks share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType


class Sink(ABC):
    """Delivers formatted alerts; not safe for use by several threads at once.

    Every method may raise `SinkError`; what was delivered before stays delivered.
    """

    @abstractmethod
    def write(self, line: bytes) -> None:
        """Take one formatted alert; it may wait in memory until `flush`."""

    @abstractmethod
    def flush(self) -> None:
        """Deliver everything taken so far."""

    @abstractmethod
    def close(self) -> None:
        """Deliver everything and release the target; closing twice does nothing."""

    def __enter__(self) -> Sink:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
