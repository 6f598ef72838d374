"""rulekit runs Falco rules at native speed."""

__version__ = "0.1.0"
