"""Codes RK7: the configuration. Their examples are configurations, not rule files."""

from __future__ import annotations

from rulekit.text.code import Code

_GOOD = """\
rules: [rules.yaml]
sinks:
  alerts:
    type: file
    path: alerts.log
    max_bytes: 64MiB
    format: {type: json, message: true}
routes:
  - when: alert.priority <= 4
    to: [alerts]
"""


def _code(code: str, slug: str, summary: str, old: str, new: str) -> Code:
    """Return a code whose bad example differs from the good one in one place."""
    return Code(code, slug, summary, _GOOD.replace(old, new), _GOOD)


CONFIG_CODES = (
    _code(
        "RK701",
        "config-shape",
        "A configuration, or a part of it, has another shape than it should.",
        "  alerts:\n    type: file\n    path: alerts.log\n    max_bytes: 64MiB\n"
        "    format: {type: json, message: true}\n",
        "  alerts: file\n",
    ),
    _code(
        "RK702",
        "unknown-config-key",
        "A key of the configuration that nothing reads.",
        "max_bytes:",
        "max_byte:",
    ),
    _code(
        "RK703",
        "missing-config-key",
        "A key without which a part of the configuration cannot work.",
        "    path: alerts.log\n",
        "",
    ),
    _code(
        "RK704",
        "bad-config-value",
        "A value of the configuration cannot be what it has to be.",
        "64MiB",
        "64 megs",
    ),
    _code(
        "RK705",
        "secret-in-config",
        "A password or token stands in the configuration itself.",
        "    type: file\n    path: alerts.log\n    max_bytes: 64MiB\n",
        "    type: webhook\n    url: https://me:hunter2@siem.example/\n",
    ),
    _code(
        "RK706",
        "secret-unreadable",
        "A secret is not where the configuration says.",
        "    type: file\n    path: alerts.log\n    max_bytes: 64MiB\n",
        "    type: webhook\n    url: https://siem.example/\n"
        "    bearer: {env: RULEKIT_NO_SUCH_VARIABLE}\n",
    ),
    Code(
        "RK707",
        "bad-config-override",
        "A variable RULEKIT__... of the environment does not name a key of the configuration.",
    ),
    _code(
        "RK708",
        "unknown-kind",
        "There is no sink or format of this kind.",
        "type: json",
        "type: jsn",
    ),
    _code(
        "RK709",
        "unknown-sink",
        "A route names a sink that the configuration does not have.",
        "to: [alerts]",
        "to: [alert]",
    ),
)
