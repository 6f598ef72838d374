"""Alerts to a Kafka topic, by an idempotent producer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from rulekit.errors import SinkError
from rulekit.sinks.base import Options, Receipt, Record, Sink
from rulekit.sinks.values import Duration, MaybeSecret, without_secrets

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message, Producer

_TOO_LARGE = frozenset({"MSG_SIZE_TOO_LARGE", "_MSG_SIZE_TOO_LARGE", "INVALID_RECORD"})


class KafkaOptions(Options, kw_only=True):
    """Which brokers, which topic."""

    brokers: Annotated[list[str], Meta(min_length=1, description="host:port of some brokers")]
    topic: Annotated[str, Meta(pattern=r"^[a-zA-Z0-9._-]{1,249}$", description="topic")]
    key: Annotated[
        Literal["id", "rule", "host", "none"],
        Meta(description="key of messages: those with the same key stay in order"),
    ] = "host"
    properties: Annotated[
        dict[str, MaybeSecret],
        Meta(description="settings of librdkafka: security.protocol, sasl.*, ssl.*, ..."),
    ] = msgspec.field(default_factory=dict)
    timeout: Annotated[Duration, Meta(description="longest wait for a delivery")] = Duration(30)


class KafkaSink(Sink):
    """Produces alerts to a Kafka topic; each is delivered when all replicas in sync have it.

    The id of the alert is in the header ``id``: after an interrupted attempt a message may be there
    twice.
    """

    Options = KafkaOptions

    def __init__(self, options: KafkaOptions) -> None:
        try:
            import confluent_kafka
        except ImportError:
            raise SinkError("needs confluent-kafka: pip install 'rulekit[kafka]'") from None
        self._library = confluent_kafka
        self._options = options
        self._producer: Producer | None = None
        self._errors: list[str] = []

    def send(self, batch: Sequence[Record]) -> Receipt | None:
        """Produce a batch and wait for every delivery."""
        producer = self._producer
        if producer is None:
            producer = self._producer = self._open()
        results: list[KafkaError | bool | None] = [None] * len(batch)

        def settled(index: int) -> Any:
            def callback(error: KafkaError | None, message: Message) -> None:
                results[index] = error or True

            return callback

        refused: dict[int, str] = {}
        for i, record in enumerate(batch):
            try:
                producer.produce(
                    self._options.topic,
                    value=record.line,
                    key=self._key(record),
                    headers=[("id", record.id.encode())],
                    timestamp=record.time_ns // 1_000_000,
                    on_delivery=settled(i),
                )
            except BufferError:
                break
            except self._library.KafkaException as error:
                problem = error.args[0]
                if problem.name() in _TOO_LARGE:
                    refused[i] = problem.str()
                    continue
                self.close()
                raise SinkError(f"Kafka: {problem.str()}") from error
        producer.flush(self._options.timeout)
        return self._receipt(results, refused)

    def close(self) -> None:
        """Give up what is still on its way; the next batch opens another producer."""
        if self._producer is not None:
            self._producer.purge(in_queue=True, in_flight=True, blocking=False)
            self._producer.poll(0)
            self._producer = None

    def _open(self) -> Producer:
        settings: dict[str, Any] = {
            "bootstrap.servers": ",".join(self._options.brokers),
            "client.id": "rulekit",
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 5,
            "compression.type": "lz4",
            "message.timeout.ms": int(self._options.timeout * 1000),
            "socket.connection.setup.timeout.ms": max(1000, int(self._options.timeout * 1000)),
            "log_level": 2,
            "error_cb": self._note,
        }
        settings |= {name: value.reveal() for name, value in self._options.properties.items()}
        try:
            return self._library.Producer(settings)
        except self._library.KafkaException as error:
            secrets = [one.reveal() for one in self._options.properties.values() if one.is_secret]
            text = without_secrets(error.args[0].str(), secrets)
            raise SinkError(f"Kafka: {text}") from None

    def _note(self, error: KafkaError) -> None:
        self._errors = [*self._errors[-2:], error.str()]

    def _key(self, record: Record) -> bytes | None:
        name = self._options.key
        if name == "none":
            return None
        text: str = getattr(record, name)
        return text.encode("utf-8", "replace")

    def _receipt(
        self, results: Sequence[KafkaError | bool | None], refused: dict[int, str]
    ) -> Receipt | None:
        receipt = Receipt(refused=refused)
        fatal = False
        for i, result in enumerate(results):
            if result is True or i in refused:
                continue
            if result is None or isinstance(result, bool):
                receipt.again.append(i)
                receipt.reason = receipt.reason or "no delivery in time"
                fatal = True
            elif result.name() in _TOO_LARGE:
                receipt.refused[i] = result.str()
            else:
                receipt.again.append(i)
                receipt.reason = f"Kafka: {result.str()}"
                fatal = fatal or result.fatal() or not result.retriable()
        if self._errors and receipt.again:
            receipt.reason += f" ({self._errors[-1]})"
        if fatal:
            self.close()
        return receipt if receipt.refused or receipt.again else None


SINK = KafkaSink
