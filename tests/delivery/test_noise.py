"""Noise control: what is held back is counted and told, exactly and the same on every run."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rulekit.alert import PRIORITIES, Alert
from rulekit.config.read import parse_config
from rulekit.delivery.noise import SUPPRESSED_RULE, Noise, NoisePlan, Passed
from rulekit.delivery.pipeline import Delivery
from rulekit.delivery.routing import Route, Router
from rulekit.errors import RuleError
from rulekit.text.render import render
from rulekit.text.source import SourceText
from tests.delivery.test_delivery import ScriptedSink, plan, take_all
from tests.waiting import wait_until

S = 1_000_000_000


def alert(at_s: float, rule: str = "r", priority: str = "Warning", **fields: object) -> Alert:
    time_ns = int(at_s * S)
    return Alert(
        time_ns, rule, priority, f"{rule} at {at_s}", fields, id=f"{rule}-{time_ns}", hostname="h"
    )


BY_RULE = (("alert.rule", lambda alert: alert.rule),)


def noise(kind: str, span_s: float, **more: object) -> Noise:
    return Noise([NoisePlan("n", kind, span_s, by=BY_RULE, **more)])  # type: ignore[arg-type]


def run(noise: Noise, alerts: Sequence[Alert]) -> list[Passed]:
    passed = [one for each in alerts for one in noise.take(each)]
    return [*passed, *noise.flush()]


def shown(passed: Sequence[Passed]) -> list[str]:
    return [
        f"{one.alert.output_fields['n_suppressed']} of {one.like.rule}"
        if one.alert.rule == SUPPRESSED_RULE
        else f"{one.alert.rule}@{one.alert.time_ns // S}"
        for one in passed
    ]


def test_a_window_lets_the_first_pass_and_tells_the_rest() -> None:
    passed = run(noise("window", 10), [alert(t) for t in (0, 1, 5, 9.9, 10, 12, 30, 31)])
    assert shown(passed) == ["r@0", "3 of r", "r@10", "1 of r", "r@30", "1 of r"]
    record = passed[1].alert
    assert record.source == "internal"
    assert record.priority == "Warning"
    assert record.output_fields["ids"] == ["r-1000000000", "r-5000000000", "r-9900000000"]
    assert record.message.startswith(f"{SUPPRESSED_RULE}: 3 alerts suppressed (alert.rule=r) (")


def test_a_window_is_closed_by_alerts_of_other_keys_too() -> None:
    passed = run(noise("window", 10), [alert(0), alert(1), alert(20, "other"), alert(21, "other")])
    assert shown(passed) == ["r@0", "1 of r", "other@20", "1 of other"]


def test_a_group_shows_what_was_held_back() -> None:
    passed = run(noise("group", 10), [alert(t) for t in (0, 1, 2)])
    assert passed[-1].alert.output_fields["messages"] == ["r at 1", "r at 2"]


def test_a_rate_lets_so_many_pass() -> None:
    limit = noise("rate", 60, rate_per_s=0.1, burst=2.0)
    passed = run(limit, [alert(t) for t in (0, 1, 2, 3, 10, 11, 21, 22)])
    assert shown(passed) == ["r@0", "r@1", "2 of r", "r@10", "1 of r", "r@21", "1 of r"]
    assert limit.suppressed == 4


def test_a_rate_tells_now_and_then_while_it_suppresses() -> None:
    limit = noise("rate", 60, rate_per_s=0.001, burst=1.0)
    passed = run(limit, [alert(t) for t in range(0, 150, 10)])
    assert shown(passed) == ["r@0", "5 of r", "6 of r", "3 of r"]


def test_keys_are_kept_apart() -> None:
    by = (("container.id", lambda alert: alert.output_fields.get("container.id")),)
    limit = Noise([NoisePlan("n", "window", 10, by=by)])
    passed = run(limit, [alert(t, **{"container.id": c}) for t, c in enumerate("abab")])
    assert shown(passed) == ["r@0", "r@1", "1 of r", "1 of r"]
    assert "container.id=a" in passed[2].alert.message


def test_only_what_fits_is_held_back_and_the_first_plan_decides() -> None:
    plans = [
        NoisePlan("a", "window", 10, test=lambda alert: alert.rule == "loud"),
        NoisePlan("b", "window", 10, test=lambda alert: alert.priority == "Debug"),
    ]
    passed = run(
        Noise(plans),
        [alert(0, "loud", "Debug"), alert(1, "loud", "Debug"), alert(2, "x", "Debug"), alert(3)],
    )
    assert shown(passed) == ["loud@0", "x@2", "r@3", "1 of loud"]


def test_keys_beyond_the_limit_are_told_and_forgotten() -> None:
    limit = noise("window", 1000, max_keys=2)
    alerts = [alert(0, "a"), alert(1, "a"), alert(2, "b"), alert(3, "c"), alert(4, "a")]
    passed = run(limit, alerts)
    assert shown(passed) == ["a@0", "b@2", "1 of a", "c@3", "a@4"]


def test_records_of_the_engine_itself_are_never_held_back() -> None:
    own = Alert(0, "x", "Debug", "m", source="internal")
    assert len(run(noise("window", 10), [own, own])) == 2


kinds = st.sampled_from(["window", "group", "rate"])
moments = st.lists(
    st.tuples(st.integers(0, 300), st.sampled_from("ab"), st.sampled_from(PRIORITIES)), max_size=60
)


@given(kinds, moments, st.integers(1, 100), st.integers(1, 3))
def test_every_alert_passes_or_is_counted_once(
    kind: str, moments: list[tuple[int, str, str]], span_s: int, max_keys: int
) -> None:
    def fresh() -> Noise:
        return noise(kind, span_s, rate_per_s=0.02, burst=2.0, max_keys=max_keys)

    # Times need not be in order: documents are not.
    # No two share an id.
    alerts = [replace(alert(*moment), id=f"{i}") for i, moment in enumerate(moments)]
    limit = fresh()
    passed = run(limit, alerts)
    told: Counter[str] = Counter()
    for one in passed:
        rule = one.like.rule
        told[rule] += one.alert.output_fields.get("n_suppressed", 1)
    assert told == Counter(one.rule for one in alerts)
    records = [one.alert for one in passed if one.alert.rule == SUPPRESSED_RULE]
    assert sum(one.output_fields["n_suppressed"] for one in records) == limit.suppressed
    assert len({one.id for one in records}) == len(records)
    assert [one.alert.id for one in run(fresh(), alerts)] == [one.alert.id for one in passed]


def test_records_go_where_the_alerts_would_have_gone() -> None:
    loud, calm = ScriptedSink(take_all), ScriptedSink(take_all)
    router = Router(
        ["loud", "calm"],
        routes=[Route(lambda alert: alert.rule == "r", ("loud",)), Route(None, ("calm",))],
    )
    delivery = Delivery(
        [plan("loud", loud), plan("calm", calm)], router=router, noise=noise("window", 10)
    )
    delivery.start()
    for each in (alert(0), alert(1), alert(2, "x")):
        delivery.submit(each)
    assert delivery.close() == {}
    assert len(loud.received) == 2
    assert len(calm.received) == 1


def test_a_live_delivery_tells_by_the_clock() -> None:
    sink = ScriptedSink(take_all)
    delivery = Delivery([plan("a", sink)], noise=noise("window", 0.5), live=True)
    delivery.start()
    now_s = time.time()
    delivery.submit(alert(now_s))
    delivery.submit(alert(now_s + 0.01))
    wait_until(lambda: len(sink.received) == 2)
    delivery.close()


def test_noise_is_configured() -> None:
    text = (
        "noise:\n  - {when: alert.rule = x, by: [alert.rule, container.id], window: 5m}\n"
        "  - {name: all, rate: 10/m, burst: 3, report: 30s}\n"
        "sinks: {a: {type: stdout}}\n"
    )
    config = parse_config(SourceText("c.yaml", text), {})
    first, second = config.noise
    assert (first.kind, first.span_s, [name for name, _ in first.by]) == (
        "window",
        300,
        ["alert.rule", "container.id"],
    )
    assert (second.kind, second.span_s, second.burst) == ("rate", 30, 3)
    assert second.rate_per_s == pytest.approx(1 / 6)
    # What makes alerts equal must be known of every alert.
    assert config.context == ("container.id",)


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("{window: 1s, rate: 1/s}", "say one of `window`, `group` and `rate`"),
        ("{by: [a.b]}", "say one of `window`, `group` and `rate`"),
        ("{window: 1s, by: [alert.nosuch]}", "alerts have no field `alert.nosuch`"),
        ("{rate: fast}", "a rate is written"),
        ("{rate: 0/s}", "a rate is written"),
    ],
)
def test_mistakes_in_noise_are_shown(entry: str, why: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse_config(SourceText("c.yaml", f"noise: [{entry}]\n"), {})
    assert why in render(caught.value.diagnostics)
