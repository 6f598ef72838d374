"""The Kafka sink against librdkafka's mock cluster, read back with kcat."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from rulekit.errors import SinkError
from rulekit.sinks.kafka import KafkaOptions, KafkaSink
from rulekit.sinks.values import MaybeSecret, Secret
from tests.receivers.kafka import Kafka
from tests.receivers.process import free_port
from tests.sinks.records import ids, records


@pytest.fixture(scope="module")
def kafka() -> Iterator[Kafka]:
    pytest.importorskip("confluent_kafka")
    with Kafka() as cluster:
        yield cluster


def sink(broker: str, topic: str, **options: object) -> KafkaSink:
    return KafkaSink(KafkaOptions(brokers=[broker], topic=topic, **{"timeout": 10, **options}))  # type: ignore[arg-type]


def test_messages_arrive_with_their_ids(kafka: Kafka) -> None:
    made = sink(kafka.broker, "one")
    for start in range(0, 200, 50):
        assert made.send(records(50, start)) is None
    made.close()
    found = kafka.messages("one")
    assert sorted(header for header, _, _ in found) == ids(200)
    assert {key for _, key, _ in found} == {"host"}
    assert all(json.loads(value)["id"] == header for header, _, value in found)


@pytest.mark.parametrize(("key", "wanted"), [("id", 20), ("rule", 7), ("none", 1)])
def test_keys(kafka: Kafka, key: str, wanted: int) -> None:
    made = sink(kafka.broker, f"key-{key}", key=key)
    made.send(records(20))
    assert len({k for _, k, _ in kafka.messages(f"key-{key}")}) == wanted


def test_a_message_that_is_too_large_is_refused(kafka: Kafka) -> None:
    made = sink(kafka.broker, "large", properties={"message.max.bytes": MaybeSecret("20000")})
    receipt = made.send([*records(2), *records(1, 2, size=50_000), *records(2, 3)])
    assert receipt is not None
    assert list(receipt.refused) == [2]
    assert receipt.again == []
    assert len(kafka.messages("large")) == 4


def test_nobody_there() -> None:
    made = sink(f"127.0.0.1:{free_port()}", "x", timeout=1)
    receipt = made.send(records(3))
    assert receipt is not None
    assert receipt.again == [0, 1, 2]
    assert "Kafka" in receipt.reason or "no delivery" in receipt.reason
    made.close()


def test_settings_that_librdkafka_does_not_know() -> None:
    made = sink("127.0.0.1:1", "x", properties={"no.such.setting": MaybeSecret("1")})
    with pytest.raises(SinkError, match="no\\.such\\.setting"):
        made.send(records(1))


def test_secret_settings_are_not_shown() -> None:
    secret = MaybeSecret(Secret("test", "hush"))
    made = sink("127.0.0.1:1", "x", properties={"security.protocol": secret})
    with pytest.raises(SinkError, match=r"security\.protocol") as caught:
        made.send(records(1))
    assert "hush" not in str(caught.value)
