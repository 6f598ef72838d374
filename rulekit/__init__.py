"""rulekit runs Falco rules over system calls and audit logs, at native speed.

    import rulekit

    for alert in rulekit.load("rules.yaml").run("capture.scap.gz"):
        print(alert.rule, alert.message)

Names are loaded when they are first used: `import rulekit` alone costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from rulekit.alert import Alert
    from rulekit.compiler import compile
    from rulekit.engine._view import Event
    from rulekit.engine.events import open_source
    from rulekit.engine.library import Ruleset, check, load
    from rulekit.engine.pipeline import Engine
    from rulekit.errors import RuleError, RulekitError, SinkError, SourceError
    from rulekit.rules.ruleset import Rule
    from rulekit.text.diagnostic import Diagnostic

__all__ = [
    "Alert",
    "Diagnostic",
    "Engine",
    "Event",
    "Rule",
    "RuleError",
    "RulekitError",
    "Ruleset",
    "SinkError",
    "SourceError",
    "__version__",
    "check",
    "compile",
    "load",
    "open_source",
]

_HOME = {
    "Alert": "rulekit.alert",
    "Diagnostic": "rulekit.text.diagnostic",
    "Engine": "rulekit.engine.pipeline",
    "Event": "rulekit.engine._view",
    "Rule": "rulekit.rules.ruleset",
    "RuleError": "rulekit.errors",
    "RulekitError": "rulekit.errors",
    "Ruleset": "rulekit.engine.library",
    "SinkError": "rulekit.errors",
    "SourceError": "rulekit.errors",
    "check": "rulekit.engine.library",
    "compile": "rulekit.compiler",
    "load": "rulekit.engine.library",
    "open_source": "rulekit.engine.events",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'rulekit' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
