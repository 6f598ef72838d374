"""`Config` → `Delivery`: the sinks with their spools, ready to start."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from rulekit.config.options import SpoolOptions
from rulekit.config.read import Config, ConfiguredSink
from rulekit.delivery.noise import Noise
from rulekit.delivery.pipeline import Delivery
from rulekit.delivery.routing import Router
from rulekit.delivery.spool import SpoolPlan
from rulekit.delivery.worker import RetryPlan, SinkPlan


def build_delivery(
    config: Config,
    *,
    hostname: str = "",
    live: bool = False,
    on_problem: Callable[[str], None] = lambda text: None,
) -> Delivery:
    """Return the delivery that a configuration describes; it is not started yet.

    Args:
        hostname: What alerts call this host, unless the configuration says.
        live: Events come as they happen; see `Delivery`.
        on_problem: See `Delivery`.

    Raises:
        SinkError: A spool or a sink cannot be used.
    """
    plans = [sink_plan(sink, config) for sink in config.sinks]
    router = Router(
        [plan.name for plan in plans],
        {sink.name: sink.test for sink in config.sinks},
        config.routes,
    )
    host = config.options.host or hostname
    noise = Noise(config.noise, host)
    return Delivery(
        plans, router=router, noise=noise, live=live, hostname=host, on_problem=on_problem
    )


def rebuild_delivery(delivery: Delivery, old: Config, new: Config, hostname: str = "") -> None:
    """Have a delivery go on as another configuration says; sinks that are the same are kept.

    Raises:
        SinkError: It cannot; the delivery goes on as it was.
    """
    before = {sink.name: sink for sink in old.sinks}
    kept = {
        sink.name
        for sink in new.sinks
        if sink.name in before and is_same(before[sink.name], old, sink, new)
    }
    running = {worker.name: worker.plan for worker in delivery.workers}
    plans = [
        running[sink.name] if sink.name in kept else sink_plan(sink, new) for sink in new.sinks
    ]
    router = Router(
        [plan.name for plan in plans], {sink.name: sink.test for sink in new.sinks}, new.routes
    )
    noise = Noise(new.noise, new.options.host or hostname)
    delivery.exchange(plans, router, noise, kept)


def is_same(before: ConfiguredSink, old: Config, after: ConfiguredSink, new: Config) -> bool:
    """Tell whether nothing about a sink and its spool is different; whom it wants is no part."""
    return (
        before.kind is after.kind
        and before.own == after.own
        and before.options.batch == after.options.batch
        and before.options.retry == after.options.retry
        and before.form == after.form
        and spool_plan(before.name, before.options.spool, old.options.spool)
        == spool_plan(after.name, after.options.spool, new.options.spool)
    )


def sink_plan(sink: ConfiguredSink, config: Config) -> SinkPlan:
    """Return one sink with its spool and limits."""
    batch, retry = sink.options.batch, sink.options.retry
    return SinkPlan(
        name=sink.name,
        sink=sink.kind(sink.own),
        formatter=sink.formatter,
        spool=spool_plan(sink.name, sink.options.spool, config.options.spool),
        retry=RetryPlan(
            first_s=retry.first,
            most_s=retry.most,
            jitter_s=retry.jitter,
            failures=retry.failures,
            cooldown_s=retry.cooldown,
        ),
        max_records=batch.max_records or sink.kind.max_records,
        max_bytes=batch.max_bytes or sink.kind.max_bytes,
        linger_s=0.1 if batch.linger is None else batch.linger,
    )


def spool_plan(name: str, own: SpoolOptions, common: SpoolOptions) -> SpoolPlan:
    """Return how the alerts of a sink wait: what it says itself goes before what is common."""
    defaults = SpoolPlan()
    folder: Path | None = own.path or (common.path or default_spool_folder()) / name
    if own.memory or (common.memory and own.path is None):
        folder = None
    sync = own.sync if own.sync is not None else common.sync
    return SpoolPlan(
        folder=folder,
        max_bytes=own.max_bytes or common.max_bytes or defaults.max_bytes,
        full=own.full or common.full or defaults.full,
        sync_s=sync,
    )


def default_spool_folder() -> Path:
    """Return where spools are unless the configuration says: what systemd gives, or the user's."""
    if state := os.environ.get("STATE_DIRECTORY"):
        return Path(state.split(":")[0]) / "spool"
    if os.geteuid() == 0:
        return Path("/var/lib/rulekit/spool")
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "rulekit" / "spool"
