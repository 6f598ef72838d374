"""Rules for commands that run them: compiled before, found among kept programs, or loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rulekit.errors import RulekitError

if TYPE_CHECKING:
    from rulekit.engine.compiled import CompiledRules
    from rulekit.engine.pipeline import Engine
    from rulekit.engine.program_cache import ProgramCache
    from rulekit.rules.falco_config import AppendOutput
    from rulekit.rules.ruleset import Ruleset


class Runnable:
    """What an engine is made of, and where its program is kept for the next time."""

    def __init__(self, rules: Ruleset | CompiledRules, cache: ProgramCache | None = None) -> None:
        self.rules = rules
        self._cache = cache

    def keep(self, engine: Engine) -> None:
        """Keep what the engine compiled, if it did."""
        if self._cache is not None:
            self._cache.keep(engine.compiled())


def runnable_or_explain(
    paths: Sequence[Path],
    choice: Mapping[str, Any],
    *,
    append_output: Sequence[AppendOutput] = (),
    static_fields: Mapping[str, str] | None = None,
    sources: Iterable[str] = ("syscall",),
) -> Runnable | None:
    """Return the rules of some files, or None after saying why there are none.

    Args:
        choice: What decides which of the rules run: the arguments of `Engine`, by name. One file
            may hold compiled rules; of those everything else was chosen when they were compiled.

    Raises:
        RulekitError: Compiled rules cannot be used, or not together with these options.
    """
    from rulekit.engine.compiled import is_compiled, load_compiled
    from rulekit.engine.program_cache import ProgramCache, cache_folder

    compiled = [path for path in paths if is_compiled(path)]
    if compiled:
        if len(paths) > 1:
            raise RulekitError(f"{compiled[0]}: compiled rules cannot be joined with other files")
        given = [name for name, value in choice.items() if value and name != "source"]
        given += ["append_output"] * bool(append_output) + ["static_fields"] * bool(static_fields)
        if given:
            names = ", ".join(name.replace("_", " ") for name in given)
            raise RulekitError(f"{compiled[0]}: say this when the rules are compiled: {names}")
        return Runnable(load_compiled(compiled[0]))
    chosen = {
        **choice,
        "append_output": list(append_output),
        "static_fields": dict(static_fields or {}),
        "sources": sorted(sources),
    }
    cache = ProgramCache(paths, chosen, cache_folder())
    found = cache.find()
    from rulekit.cli.rules import load_or_explain, say_warnings

    if found is not None:
        say_warnings(found.warnings)
        return Runnable(found)
    ruleset = load_or_explain(paths, append_output, static_fields, sources)
    return None if ruleset is None else Runnable(ruleset, cache)
