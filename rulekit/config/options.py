"""What `rulekit.yaml` can say, declared once; reader, JSON Schema and reference follow it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from rulekit.sinks.values import Condition, Duration, Rate, Size

PriorityName = Literal[
    "emergency", "alert", "critical", "error", "warning", "notice", "informational", "debug"
]
Count = Annotated[int, Meta(ge=1, le=100_000)]
WhenFull = Literal["block", "drop_oldest", "drop_lowest"]


class _Options(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Keys that are not listed are mistakes."""


class SpoolOptions(_Options):
    """How alerts wait for a sink."""

    path: Annotated[
        Path | None,
        Meta(description="folder for the spools, one below it for each sink"),
    ] = None
    memory: Annotated[
        bool, Meta(description="keep waiting alerts in memory only: they end with the process")
    ] = False
    max_bytes: Annotated[Size | None, Meta(description="most that one sink's spool may take")] = (
        None
    )
    full: Annotated[
        WhenFull | None,
        Meta(
            description="what a full spool does: block waits and so does the engine, drop_oldest"
            " and drop_lowest lose the oldest or the least urgent alerts, counted and told"
        ),
    ] = None
    sync: Annotated[
        Duration | None,
        Meta(description="time between syncs to the device; 0s after every alert, never if absent"),
    ] = None


class BatchOptions(_Options):
    """How alerts are sent together."""

    max_records: Annotated[Count | None, Meta(description="alerts at most")] = None
    max_bytes: Annotated[Size | None, Meta(description="bytes at most, about")] = None
    linger: Annotated[
        Duration | None, Meta(description="how long the first alert waits for others")
    ] = None


class RetryOptions(_Options):
    """How a sink that fails is tried again."""

    first: Annotated[Duration, Meta(description="pause after the first failure")] = Duration(0.2)
    most: Annotated[Duration, Meta(description="longest pause")] = Duration(30)
    jitter: Annotated[Duration, Meta(description="random part of each pause")] = Duration(0.5)
    failures: Annotated[int, Meta(ge=1, description="failures in a row that open the circuit")] = 5
    cooldown: Annotated[
        Duration, Meta(description="how long an open circuit leaves the receiver alone")
    ] = Duration(30)


class SinkOptions(_Options):
    """Keys that every sink has besides those of its kind."""

    type: Annotated[str, Meta(description="kind of sink")]
    format: Annotated[
        Any, Meta(description="name of a format, or a map with `type` and its options")
    ] = None
    enabled: Annotated[bool, Meta(description="false leaves the sink out")] = True
    when: Annotated[
        Condition | None,
        Meta(description="only alerts for which this condition holds, besides the routes"),
    ] = None
    min_priority: Annotated[
        PriorityName | None, Meta(description="only alerts at least as urgent")
    ] = None
    spool: Annotated[
        SpoolOptions, Meta(description="differs from the common `spool` in these keys")
    ] = msgspec.field(default_factory=SpoolOptions)
    batch: BatchOptions = msgspec.field(default_factory=BatchOptions)
    retry: RetryOptions = msgspec.field(default_factory=RetryOptions)


class RouteOptions(_Options):
    """Where alerts go; the first route that fits decides."""

    to: Annotated[list[str], Meta(description="names of sinks; an empty list drops the alert")]
    when: Annotated[
        Condition | None, Meta(description="condition on the alert; without it, every alert fits")
    ] = None
    min_priority: Annotated[
        PriorityName | None, Meta(description="only alerts at least as urgent fit")
    ] = None
    go_on: Annotated[
        bool, Meta(description="also look at the routes below, and add their sinks")
    ] = False


class NoiseOptions(_Options):
    """Which alerts are held back, by one of `window`, `group`, `rate`; the first to fit decides."""

    name: Annotated[str | None, Meta(description="for the records of what was held back")] = None
    when: Annotated[
        Condition | None, Meta(description="condition on the alert; without it, every alert fits")
    ] = None
    by: Annotated[
        list[str],
        Meta(description="fields that make alerts equal: alert.rule, container.id, ..."),
    ] = msgspec.field(default_factory=lambda: ["alert.rule"])
    window: Annotated[
        Duration | None,
        Meta(description="after an alert, hold back equal ones for so long; then tell how many"),
    ] = None
    group: Annotated[
        Duration | None, Meta(description="as window, and show the messages of what was held back")
    ] = None
    rate: Annotated[Rate | None, Meta(description="let so many pass")] = None
    burst: Annotated[
        float, Meta(ge=1, description="for rate: how many may pass at once after a quiet time")
    ] = 1.0
    report: Annotated[
        Duration, Meta(description="for rate: how long suppressing goes on before it is told")
    ] = Duration(60)
    max_keys: Annotated[int, Meta(ge=1, le=10_000_000, description="different keys at a time")] = (
        10_000
    )


class AppendMatch(_Options):
    """Which rules are meant: all of what is said must hold."""

    source: str | None = None
    rule: str | None = None
    tags: list[str] = []


class AppendOptions(_Options):
    """What is added to the alerts of some rules, as Falco's `append_output`."""

    match: AppendMatch = msgspec.field(default_factory=AppendMatch)
    extra_output: str | None = None
    extra_fields: list[str | dict[str, str]] = []


class SelectOptions(_Options):
    """Enables or disables rules by name (`*` stands for any text) or tag; the last one decides."""

    enable: Annotated[str | None, Meta(description="name of rules to enable")] = None
    disable: Annotated[str | None, Meta(description="name of rules to disable")] = None
    enable_tag: Annotated[str | None, Meta(description="enable the rules with this tag")] = None
    disable_tag: Annotated[str | None, Meta(description="disable the rules with this tag")] = None


class LiveOptions(_Options):
    """Which running processes are watched, for `source: ebpf`."""

    scope: Annotated[
        Annotated[str, Meta(pattern=r"^((tree|pidns|cgroup):\d+|cgroup:/.*)$")] | None,
        Meta(description="tree:PID, pidns:PID, cgroup:PID or cgroup:/PATH"),
    ] = None
    whole_host: Annotated[bool, Meta(description="watch every process")] = False
    snaplen: Annotated[
        Annotated[int, Meta(ge=0, le=32767)] | None,
        Meta(description="bytes kept of what is read and written"),
    ] = None
    buffer: Annotated[Size | None, Meta(description="room for events that were not read yet")] = (
        None
    )


Bound = Annotated[int, Meta(ge=1, le=(1 << 31) - 1)] | None


class LimitOptions(_Options):
    """How much a run remembers at a time, in entries; what finds no room is counted and told."""

    threads: Annotated[Bound, Meta(description="threads (262144 if absent)")] = None
    fds_per_process: Annotated[
        Bound, Meta(description="open descriptors of one process (4096 if absent)")
    ] = None
    fds: Annotated[Bound, Meta(description="open descriptors of all (2097152 if absent)")] = None
    containers: Annotated[Bound, Meta(description="containers (16384 if absent)")] = None
    accounts: Annotated[
        Bound, Meta(description="users and groups, in each container (262144 if absent)")
    ] = None

    def given(self) -> dict[str, int]:
        """Return the bounds that are said, by name."""
        found = {name: getattr(self, name) for name in self.__struct_fields__}
        return {name: bound for name, bound in found.items() if bound is not None}


class ContainerOptions(_Options):
    """Container engines to be asked for names, images, labels and pods."""

    engines: Annotated[
        list[Annotated[str, Meta(pattern=r"^(docker|podman|cri)(:/.+)?$")]],
        Meta(description="docker, podman or cri, or with a socket: docker:/run/x.sock"),
    ] = []
    wait: Annotated[
        Duration, Meta(description="how long the first process of a container waits for an answer")
    ] = Duration(1)


class ServiceOptions(_Options):
    """What running as a service means; present, the run reloads, tells its health, drops rights."""

    listen: Annotated[
        Annotated[str, Meta(pattern=r"^.+:\d{1,5}$")] | None,
        Meta(description="HOST:PORT of /healthz and /metrics; null for neither"),
    ] = "127.0.0.1:9464"
    watch: Annotated[
        Duration | None,
        Meta(description="how often files are looked at for changes; null only reloads at SIGHUP"),
    ] = Duration(1)
    drop_privileges: Annotated[
        bool, Meta(description="give up all capabilities that are not needed any more")
    ] = True
    keep_capabilities: Annotated[
        list[str], Meta(description="capabilities to keep besides, as cap_dac_read_search")
    ] = []
    stalled_after: Annotated[
        Duration, Meta(description="time without progress after which /healthz says so")
    ] = Duration(60)


class ConfigOptions(_Options):
    """All of `rulekit.yaml`."""

    rules: Annotated[list[Path], Meta(description="rule files, loaded in this order")] = []
    capture: Annotated[
        str | None, Meta(description="what to read: a capture, documents, NAME:REST of a plug-in")
    ] = None
    source: Annotated[
        str | None, Meta(description="event source of the rules to run; told by the capture if not")
    ] = None
    live: LiveOptions = msgspec.field(default_factory=LiveOptions)
    containers: ContainerOptions = msgspec.field(default_factory=ContainerOptions)
    limits: LimitOptions = msgspec.field(default_factory=LimitOptions)
    service: Annotated[
        ServiceOptions | None, Meta(description="run as a service; `{}` for its defaults")
    ] = None
    select: Annotated[list[SelectOptions], Meta(description="rules to enable and disable")] = []
    min_priority: Annotated[
        PriorityName | None, Meta(description="leave out rules that are less urgent")
    ] = None
    matching: Annotated[
        Literal["first", "all"], Meta(description="rules reported for one event")
    ] = "first"
    static_fields: Annotated[dict[str, str], Meta(description="values of %static.NAME")] = {}
    append_output: Annotated[
        list[AppendOptions], Meta(description="additions to alerts, as in Falco")
    ] = []
    host: Annotated[str | None, Meta(description="what alerts call this host")] = None
    spool: Annotated[SpoolOptions, Meta(description="for every sink")] = msgspec.field(
        default_factory=SpoolOptions
    )
    noise: Annotated[
        list[NoiseOptions], Meta(description="alerts to hold back, told as N suppressed")
    ] = []
    routes: Annotated[
        list[RouteOptions],
        Meta(description="where alerts go; without any, every sink gets every alert"),
    ] = []
    sinks: Annotated[dict[str, Any], Meta(description="sinks by name")] = {}
    drain: Annotated[
        Duration, Meta(description="how long waiting alerts are still sent at the end")
    ] = Duration(10)
