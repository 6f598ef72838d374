"""A TCP proxy that misbehaves as told: delays, cuts at a random byte, or refuses."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Fault:
    """What to do with one connection.

    Attributes:
        delay_s: Before each piece that is passed on.
        cut_after: Bytes from the client after which both sides are reset; None never cuts.
        cut_answer_after: The same for bytes from the receiver: it has the data, its answer is lost.
        refuse: Reset the connection at once.
    """

    delay_s: float = 0.0
    cut_after: int | None = None
    cut_answer_after: int | None = None
    refuse: bool = False


NONE = Fault()


def random_fault(rng: random.Random) -> Fault:
    """Return one of the faults, cut somewhere in the first kilobytes."""
    kind = rng.randrange(5)
    if kind == 0:
        return Fault(cut_after=rng.randrange(1, 20_000))
    if kind == 1:
        return Fault(cut_answer_after=rng.randrange(0, 400))
    if kind == 2:
        return Fault(delay_s=rng.uniform(0.001, 0.05))
    if kind == 3:
        return Fault(refuse=True)
    return Fault(cut_after=rng.randrange(1, 2000), delay_s=rng.uniform(0, 0.01))


class Proxy:
    """Passes connections to 127.0.0.1:`target`, with the current fault.

    Args:
        rewrite: Changes what comes back: Kafka's brokers name their own addresses. The length
            must stay.
    """

    def __init__(self, target: int, rewrite: Callable[[bytes], bytes] = lambda data: data) -> None:
        self.target = target
        self.rewrite = rewrite
        self.fault = NONE
        self.faults_done = 0
        self._closing = False
        self._open: set[socket.socket] = set()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client, self.fault), daemon=True).start()

    def _serve(self, client: socket.socket, fault: Fault) -> None:
        self._open.add(client)
        if fault.refuse:
            self.faults_done += 1
            self._reset(client)
            return
        try:
            receiver = socket.create_connection(("127.0.0.1", self.target), 10)
        except OSError:
            self._reset(client)
            return
        self._open.add(receiver)
        pair = (client, receiver)
        back = threading.Thread(
            target=self._pass, args=(receiver, client, pair, fault, fault.cut_answer_after)
        )
        back.daemon = True
        back.start()
        self._pass(client, receiver, pair, fault, fault.cut_after)

    def _pass(
        self,
        source: socket.socket,
        sink: socket.socket,
        pair: tuple[socket.socket, socket.socket],
        fault: Fault,
        cut_after: int | None,
    ) -> None:
        passed = 0
        try:
            while data := source.recv(4096):
                if source is pair[1]:
                    data = self.rewrite(data)
                if fault.delay_s:
                    time.sleep(fault.delay_s)
                if cut_after is not None and passed + len(data) > cut_after:
                    sink.sendall(data[: cut_after - passed])
                    self.faults_done += 1
                    for each in pair:
                        self._reset(each)
                    return
                sink.sendall(data)
                passed += len(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for each in pair:
                self._reset(each)

    def _reset(self, each: socket.socket) -> None:
        """Close with a reset, as a machine that is gone would."""
        with contextlib.suppress(OSError):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            # Another thread may be waiting in it: closing alone would not wake that.
            each.shutdown(socket.SHUT_RD)
        with contextlib.suppress(OSError):
            each.close()
        self._open.discard(each)

    def cut(self) -> None:
        """Reset everything that is open."""
        for each in list(self._open):
            self._reset(each)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.cut()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
