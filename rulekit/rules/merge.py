"""Collecting definitions in the order of the files: redefining, appending, overriding."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches

from rulekit.rules.definitions import (
    ExceptionDef,
    ListDef,
    MacroDef,
    PluginNeed,
    RuleDef,
    RuleUpdate,
)
from rulekit.rules.exceptions import validate_exception
from rulekit.rules.findings import Context, Findings
from rulekit.rules.requirements import (
    ENGINE_VERSION,
    Version,
    format_version,
    parse_version,
    providers,
    satisfies,
)
from rulekit.text.diagnostic import Label
from rulekit.text.source import Span


@dataclass(slots=True)
class Collector:
    """Every definition read so far; lives as long as files are added.

    Attributes:
        sources: Event sources that rules may name; plugins that a file requires add theirs.
    """

    sources: set[str]
    lists: dict[str, ListDef] = field(default_factory=dict)
    macros: dict[str, MacroDef] = field(default_factory=dict)
    rules: dict[str, RuleDef] = field(default_factory=dict)
    plugin_needs: list[PluginNeed] = field(default_factory=list)
    engine_version: Version = (0, 0, 0)
    # Names of elements that had errors: references to them are not worth a second error.
    broken: set[tuple[str, str]] = field(default_factory=set)
    # A file is missing altogether: nobody knows what it defines.
    incomplete: bool = False
    counter: int = 0

    def _count(self) -> int:
        self.counter += 1
        return self.counter - 1

    def need_engine(self, version: Version, span: Span, context: Context, out: Findings) -> None:
        """Record a required engine version."""
        if not satisfies(ENGINE_VERSION, version):
            wanted, have = format_version(version), format_version(ENGINE_VERSION)
            out.fail(
                "RK021",
                "LOAD_ERR_VALIDATE",
                f"the rules need engine version {wanted}",
                span,
                context,
                label=f"this engine is {have}",
            )
            return
        self.engine_version = max(self.engine_version, version)

    def need_plugin(self, need: PluginNeed, out: Findings) -> None:
        """Record a required plugin."""
        seen: set[str] = set()
        for name, version in need.alternatives:
            problem = ""
            if parse_version(version) is None:
                problem = f"`{version}` is not a version of plugin `{name}`"
            elif name in seen:
                problem = f"plugin `{name}` is named twice in one requirement"
            if problem:
                out.fail(
                    "RK022",
                    "LOAD_ERR_VALIDATE",
                    problem,
                    need.span,
                    need.context,
                    help="versions are written `x.y.z`",
                )
                return
            seen.add(name)
        self.plugin_needs.append(need)
        for plugin in providers(need.alternatives):
            if plugin.source is not None:
                self.sources.add(plugin.source)

    def define_list(self, new: ListDef) -> None:
        """Define or redefine a list."""
        new.index = new.visibility = self._count()
        if old := self.lists.get(new.name):
            new.index = old.index
        self.lists[new.name] = new

    def append_list(self, new: ListDef, out: Findings) -> None:
        """Add items to a list."""
        old = self.lists.get(new.name)
        if old is None:
            self._nothing_to_append("list", new.name, new.name_span, new.context, self.lists, out)
            return
        old.items.extend(new.items)
        old.visibility = self._count()

    def define_macro(self, new: MacroDef) -> None:
        """Define or redefine a macro."""
        new.index = new.visibility = self._count()
        if old := self.macros.get(new.name):
            new.index = old.index
        self.macros[new.name] = new

    def append_macro(self, new: MacroDef, out: Findings) -> None:
        """Add text to a macro's condition."""
        old = self.macros.get(new.name)
        if old is None:
            self._nothing_to_append("macro", new.name, new.name_span, new.context, self.macros, out)
            return
        old.condition.extend(new.condition)
        old.visibility = self._count()

    def _nothing_to_append(
        self,
        kind: str,
        name: str,
        span: Span,
        context: Context,
        known: Iterable[str],
        out: Findings,
    ) -> None:
        if self.incomplete or (kind, name) in self.broken:
            return
        close = get_close_matches(name, list(known), n=1)
        out.fail(
            "RK303",
            "LOAD_ERR_VALIDATE",
            f"no {kind} `{name}` to change",
            span,
            context,
            label=f"no {kind} of this name is defined before this element",
            help=f"did you mean `{close[0]}`?" if close else None,
        )
        self.broken.add((kind, name))

    def _same_source(
        self, old: RuleDef | None, source: str, span: Span, context: Context, out: Findings
    ) -> bool:
        if old is None or not old.source or not source or old.source == source:
            return True
        out.fail(
            "RK304",
            "LOAD_ERR_VALIDATE",
            f"rule `{old.name}` is for source `{old.source}`, not `{source}`",
            span,
            context,
            label=f"redefined for source `{source}`",
            labels=(Label(old.name_span, f"defined for source `{old.source}`"),),
        )
        return False

    def define_rule(self, new: RuleDef, out: Findings) -> None:
        """Define or redefine a rule."""
        old = self.rules.get(new.name)
        if not self._same_source(old, new.source, new.name_span, new.context, out):
            return
        source: str | None = new.source
        if new.source not in self.sources:
            new.unknown_source = True
            source = None
            out.caution(
                "RK312",
                "LOAD_UNKNOWN_SOURCE",
                f"no events of source `{new.source}`: rule `{new.name}` is skipped",
                new.source_span or new.name_span,
                new.context,
                label=f"the rule is for source `{new.source}`" if new.source_span is None else "",
                help=f"known sources: {', '.join(sorted(self.sources))}; plugins listed under "
                "`required_plugin_versions` add theirs",
            )
        for exception in new.exceptions:
            new.broken |= not self._check_new_exception(exception, source, out)
        new.index = new.visibility = self._count()
        if old is not None:
            new.index = old.index
        self.rules[new.name] = new

    def _check_new_exception(
        self, exception: ExceptionDef, source: str | None, out: Findings
    ) -> bool:
        if exception.fields is None or not exception.fields.given:
            _needs(exception, "fields", f"exception `{exception.name}` needs `fields`", out)
            return False
        return validate_exception(exception, source, out)

    def _updatable(self, update: RuleUpdate, verb: str, out: Findings) -> RuleDef | None:
        old = self.rules.get(update.name)
        if not self._same_source(old, update.source, update.name_span, update.context, out):
            return None
        if old is None:
            self._nothing_to_append(
                "rule", update.name, update.name_span, update.context, self.rules, out
            )
            return None
        if update.is_empty():
            out.fail(
                "RK311",
                "LOAD_ERR_VALIDATE",
                f"nothing to {verb} to rule `{update.name}`",
                update.name_span,
                update.context,
                help="give `condition` or `exceptions`",
            )
            return None
        return old

    def append_rule(self, update: RuleUpdate, out: Findings) -> None:
        """Append texts, tags and exceptions to a rule."""
        old = self._updatable(update, "append", out)
        if old is None:
            return
        for parts, more in (
            (old.condition, update.condition),
            (old.output, update.output),
            (old.desc, update.desc),
        ):
            if more is not None:
                parts.append(more)
        if update.tags is not None:
            old.tags |= update.tags
        source = None if old.unknown_source else old.source
        # Of two with one name the first is meant.
        named = {e.name: e for e in reversed(old.exceptions)}
        for exception in update.exceptions or ():
            self._append_exception(old, named, exception, source, out)
        old.visibility = self._count()

    def _append_exception(
        self,
        rule: RuleDef,
        named: dict[str, ExceptionDef],
        new: ExceptionDef,
        source: str | None,
        out: Findings,
    ) -> None:
        old = named.get(new.name)
        if old is None:
            message = f"exception `{new.name}` is new to rule `{rule.name}`, so it needs"
            if new.fields is None or not new.fields.given:
                _needs(new, "fields", f"{message} `fields`", out)
            elif not new.values:
                _needs(new, "values", f"{message} `values`", out)
            elif validate_exception(new, source, out):
                rule.exceptions.append(new)
                named[new.name] = new
                return
            rule.broken = True
            return
        for key, entry in (("fields", new.fields), ("comps", new.comps)):
            if entry is not None and entry.given:
                out.fail(
                    "RK325",
                    "LOAD_ERR_VALIDATE",
                    f"`{key}` of exception `{new.name}` cannot be changed by appending",
                    entry.span,
                    new.context,
                    label="only `values` can be appended",
                    labels=(Label(old.span, "the exception is defined here"),),
                )
                return
        old.values.extend(new.values)

    def replace_rule(self, update: RuleUpdate, out: Findings) -> None:
        """Replace parts of a rule."""
        old = self._updatable(update, "replace", out)
        if old is None:
            return
        if update.condition is not None:
            old.condition = [update.condition]
        if update.output is not None:
            old.output = [update.output]
        if update.desc is not None:
            old.desc = [update.desc]
        if update.tags is not None:
            old.tags = set(update.tags)
        if update.exceptions is not None:
            source = None if old.unknown_source else old.source
            for exception in update.exceptions:
                old.broken |= not self._check_new_exception(exception, source, out)
            old.exceptions = update.exceptions
        for name in (
            "priority",
            "capture",
            "capture_duration_ms",
            "enabled",
            "warn_evttypes",
            "skip_if_unknown_filter",
        ):
            if (value := getattr(update, name)) is not None:
                setattr(old, name, value)
        old.visibility = self._count()

    def enable_rule(
        self, name: str, enabled: bool, span: Span, context: Context, out: Findings
    ) -> None:
        """Set the flag of an earlier rule (the old form without ``override``)."""
        if (old := self.rules.get(name)) is not None:
            old.enabled = enabled
        elif not self.incomplete and ("rule", name) not in self.broken:
            close = get_close_matches(name, list(self.rules), n=1)
            out.fail(
                "RK305",
                "LOAD_ERR_VALIDATE",
                f"no rule `{name}` to {'enable' if enabled else 'disable'}",
                span,
                context,
                label="no rule of this name is defined before this element",
                help=f"did you mean `{close[0]}`?" if close else None,
            )


def _needs(exception: ExceptionDef, key: str, message: str, out: Findings) -> None:
    out.fail(
        "RK320",
        "LOAD_ERR_VALIDATE",
        message,
        exception.span,
        exception.context,
        label=f"`{key}` is missing or empty",
    )
