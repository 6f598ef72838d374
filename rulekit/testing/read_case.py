"""One case of a test file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rulekit.alert import PRIORITIES, priority_number
from rulekit.rules.yaml import Mapping, Scalar, Sequence, YamlNode
from rulekit.testing.case import DEFAULT_TIMEOUT_S, Case, Expectation, Named
from rulekit.testing.inline import Scenario, scenario
from rulekit.testing.inline_values import InlineError, duration_ns
from rulekit.testing.nodes import Nodes, Stop
from rulekit.testing.pattern import FORMS, Pattern
from rulekit.text.render import printable
from rulekit.text.source import Span

CASE_KEYS = (
    "case", "rules", "capture", "events", "fires", "expect", "silent", "only", "matching",
    "all_rules", "tags", "xfail", "macros", "lists", "each", "timeout",
)  # fmt: skip
MAX_TIMEOUT_S = 1_000_000  # more than that cannot be waited for
EXPECTATION_KEYS = ("rule", "count", "min", "max", "at", "priority", "fields", "output")


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a case takes from where it stands.

    Attributes:
        within: The rule that holds the case, or None.
        suffix: Added to the name: the values of a variant.
        n_found: Mistakes that were found before the case.
    """

    path: Path
    within: str | None
    suffix: str
    span: Span
    n_found: int


class CaseReader:
    """Reads one case."""

    def __init__(self, nodes: Nodes, defaults: Defaults) -> None:
        self.nodes = nodes
        self.defaults = defaults
        self.made: Scenario | None = None

    def read(self, node: YamlNode, keys: dict[str, YamlNode]) -> Case:
        """Return the case; raise `Stop` when it cannot be used."""
        if "case" not in keys:
            raise self.nodes.fail(self.defaults.span, "RK601", "the case lacks a name: `case`")
        # It stands in lines on a terminal.
        name = printable(self.nodes.text(keys["case"], "the name of a case")) + self.defaults.suffix
        inputs = [key for key in ("capture", "events") if key in keys]
        if len(inputs) != 1:
            what = "`capture` or `events`"
            message = f"the case has no {what}" if not inputs else f"the case has both {what}"
            self.nodes.fail(self.defaults.span, "RK601", message, "", "say one of the two")
        rules = self.rules(keys.get("rules"))
        capture = self.file(keys["capture"], "capture") if "capture" in keys else None
        events, places = self.events(keys["events"]) if "events" in keys else (None, ())
        expect = [*self.fires(keys.get("fires")), *self.expectations(keys.get("expect"))]
        silent = self.silent(keys.get("silent"))
        only = "only" in keys and self.nodes.boolean(keys["only"], "`only`")
        case = Case(
            name=name,
            file=self.defaults.path,
            span=self.defaults.span,
            rules=rules,
            capture=capture,
            events=events,
            places=places,
            within=self.defaults.within,
            matching=self.matching(keys.get("matching")),
            all_rules="all_rules" in keys and self.nodes.boolean(keys["all_rules"], "`all_rules`"),
            expect=tuple(expect),
            silent=tuple(silent),
            only=only,
            tags=tuple(self.texts(keys.get("tags"), "a tag")),
            xfail=self.xfail(keys.get("xfail")),
            macros=self.macros(keys.get("macros")),
            lists=self.lists(keys.get("lists")),
            overridden={key.value: self.nodes.span(key) for key, _ in self.own(keys)},
            definitions={key.value: self.definition(value) for key, value in self.own(keys)},
            timeout_s=self.timeout(keys.get("timeout")),
        )
        if len(self.nodes.found) > self.defaults.n_found:
            raise Stop
        if not (case.expect or case.silent or case.only):
            help_ = "say `fires`, `expect`, `silent` or `only: true`"
            raise self.nodes.fail(self.defaults.span, "RK605", "the case checks nothing", "", help_)
        return case

    # ---- what is run ----

    def rules(self, node: YamlNode | None) -> tuple[Path, ...]:
        """Return the rule files; without any those that the place of the test file suggests."""
        if node is not None:
            files = self.nodes.one_or_more(node)
            if not files:
                self.nodes.fail(node, "RK603", "`rules` names no file")
            return tuple(self.nodes.each(files, lambda item: self.file(item, "rule file")))
        path = self.defaults.path
        if self.defaults.within is not None:
            return (path,)
        stem = path.stem
        for ending in (".tests", "_tests"):
            if stem.endswith(ending):
                beside = path.with_name(stem.removesuffix(ending) + path.suffix)
                break
        else:
            beside = path.with_name("rules.yaml")
        if not beside.is_file():
            message = f"the case does not say `rules`, and there is no {beside.name} beside it"
            self.nodes.fail(self.defaults.span, "RK604", message)
        return (beside,)

    def file(self, node: YamlNode, what: str) -> Path:
        path = self.defaults.path.parent / self.nodes.text(node, f"a {what}")
        if not path.exists():
            raise self.nodes.fail(node, "RK604", f"{what} `{path}` does not exist")
        return path

    def events(self, node: YamlNode) -> tuple[tuple[Any, ...], tuple[Span, ...]]:
        items = self.nodes.items(node, "`events` is a list")
        plain = self.nodes.plain(node)
        try:
            self.made = scenario(plain)
        except InlineError as error:
            place = _follow(node, error.path, error.is_key)
            self.nodes.fail(place, "RK607", error.message, "", error.help)
        return tuple(plain), tuple(self.nodes.span(item) for item in items)

    def matching(self, node: YamlNode | None) -> str:
        if node is None:
            return "all"
        value = self.nodes.text(node, "`matching`")
        if value not in ("all", "first"):
            self.nodes.fail(node, "RK603", "`matching` is all or first")
        return value

    def timeout(self, node: YamlNode | None) -> float:
        if node is None:
            return DEFAULT_TIMEOUT_S
        value = self.nodes.plain(node)
        if isinstance(value, str):
            try:
                value = duration_ns(value, ()) / 1e9
            except InlineError as error:
                raise self.nodes.fail(node, "RK603", error.message, "", error.help) from None
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not 0 < value <= MAX_TIMEOUT_S:
            message = f"`timeout` is a number of seconds above 0, {MAX_TIMEOUT_S} at most"
            raise self.nodes.fail(node, "RK603", message)
        return float(value)

    def xfail(self, node: YamlNode | None) -> str | None:
        if node is None:
            return None
        value = self.nodes.plain(node)
        if isinstance(value, bool):
            return "expected to fail" if value else None
        return self.nodes.text(node, "`xfail`")

    # ---- what takes the place of definitions ----

    def macros(self, node: YamlNode | None) -> dict[str, str]:
        keys = {} if node is None else self.nodes.mapping(node, "`macros`", None)
        return {name: self.nodes.text(value, "a condition") for name, value in keys.items()}

    def lists(self, node: YamlNode | None) -> dict[str, tuple[str, ...]]:
        keys = {} if node is None else self.nodes.mapping(node, "`lists`", None)
        return {name: tuple(self.texts(value, "an item")) for name, value in keys.items()}

    def own(self, keys: dict[str, YamlNode]) -> Iterator[tuple[Scalar, YamlNode]]:
        """Yield the names of the case's own macros and lists, and what they are."""
        for kind in ("macros", "lists"):
            node = keys.get(kind)
            if isinstance(node, Mapping):
                for key, value in node.pairs:
                    if isinstance(key, Scalar):
                        yield key, value

    def definition(self, node: YamlNode) -> Span:
        """Return the place of a definition, without the quotes around a condition."""
        if isinstance(node, Scalar):
            at = self.nodes.file.text.find(node.value, node.start, node.end)
            if at >= 0:
                return self.nodes.file.span(at, at + len(node.value))
        return self.nodes.span(node)

    def texts(self, node: YamlNode | None, what: str) -> list[str]:
        items = [] if node is None else self.nodes.one_or_more(node)
        return self.nodes.each(items, lambda item: self.nodes.text(item, what))

    # ---- what must come of it ----

    def fires(self, node: YamlNode | None) -> Iterable[Expectation]:
        """Read the short form: rules that alert at least once; in a rule also true or a count."""
        if node is None:
            return []
        within = self.defaults.within
        value = self.nodes.plain(node) if isinstance(node, Scalar) else None
        span = self.nodes.span(node)
        if within is not None and isinstance(value, (bool, int)):
            if value is True:
                return [Expectation(within, span)]
            return [Expectation(within, span, least=int(value), most=int(value))]
        items = self.nodes.one_or_more(node)
        return self.nodes.each(
            items,
            lambda item: Expectation(self.nodes.text(item, "a rule"), self.nodes.span(item)),
        )

    def silent(self, node: YamlNode | None) -> list[Named]:
        if node is None:
            return []
        within = self.defaults.within
        if within is not None and isinstance(node, Scalar) and node.value == "true":
            return [Named(within, self.nodes.span(node))]
        items = self.nodes.one_or_more(node)
        return self.nodes.each(
            items, lambda item: Named(self.nodes.text(item, "a rule"), self.nodes.span(item))
        )

    def expectations(self, node: YamlNode | None) -> list[Expectation]:
        if node is None:
            return []
        items = (
            [node] if isinstance(node, Mapping) else self.nodes.items(node, "`expect` is a list")
        )
        return self.nodes.each(items, self.expectation)

    def expectation(self, node: YamlNode) -> Expectation:
        span = self.nodes.span(node)
        if isinstance(node, Scalar):
            return Expectation(self.nodes.text(node, "a rule"), span)
        keys = self.nodes.mapping(node, "an expectation", EXPECTATION_KEYS)
        rule = self.defaults.within
        if "rule" in keys:
            rule, span = self.nodes.text(keys["rule"], "a rule"), self.nodes.span(keys["rule"])
        if rule is None:
            raise self.nodes.fail(node, "RK601", "the expectation lacks `rule`")
        at = self.positions(keys["at"]) if "at" in keys else ()
        least, most = self.counts(keys, at)
        priority = None
        if "priority" in keys:
            text = self.nodes.text(keys["priority"], "`priority`")
            try:
                priority = PRIORITIES[priority_number(text)]
            except ValueError as error:
                raise self.nodes.fail(keys["priority"], "RK603", str(error)) from None
        fields = self.nodes.mapping(keys["fields"], "`fields`", None) if "fields" in keys else {}
        return Expectation(
            rule,
            span,
            least,
            most,
            priority,
            tuple((name, self.pattern(value)) for name, value in fields.items()),
            tuple(self.nodes.span(key) for key in _keys(keys.get("fields"))),
            self.output(keys["output"]) if "output" in keys else None,
            at,
        )

    def counts(self, keys: dict[str, YamlNode], at: tuple[int, ...]) -> tuple[int, int | None]:
        if "count" in keys:
            for other in ("min", "max"):
                if other in keys:
                    self.nodes.fail(keys[other], "RK603", f"`count` leaves no room for `{other}`")
            n = self.nodes.whole(keys["count"], "`count`")
            return n, n
        least = self.nodes.whole(keys["min"], "`min`") if "min" in keys else min(1, len(at) or 1)
        most = self.nodes.whole(keys["max"], "`max`") if "max" in keys else None
        if most is not None and "min" not in keys:
            least = min(least, most)
        if most is not None and least > most:
            self.nodes.fail(keys["max"], "RK603", f"`max` is below `min`, which is {least}")
        return least, most

    def positions(self, node: YamlNode) -> tuple[int, ...]:
        return tuple(self.nodes.each(self.nodes.one_or_more(node), self.position))

    def position(self, node: YamlNode) -> int:
        value = self.nodes.plain(node)
        names = {} if self.made is None else self.made.names
        if isinstance(value, str):
            if value in names:
                return names[value]
            raise self.nodes.fail(
                node, "RK603", f"no event has the id `{value}`", "",
                f"there are {', '.join(names)}" if names else "give one with `id`",
            )  # fmt: skip
        n = self.nodes.whole(node, "`at`", 1)
        if self.made is not None and n > len(self.made.ends):
            message = f"there is no event {n}: the case has {len(self.made.ends)}"
            raise self.nodes.fail(node, "RK603", message)
        return n

    def pattern(self, node: YamlNode) -> Pattern:
        if isinstance(node, Sequence):
            return Pattern("is", self.nodes.plain(node))
        if isinstance(node, Scalar):
            return Pattern("is", self.nodes.plain(node))
        keys = self.nodes.mapping(node, "a pattern", FORMS)
        if len(keys) != 1:
            help_ = f"as in `{{startswith: /etc}}`; there are {', '.join(FORMS)}"
            raise self.nodes.fail(node, "RK603", "a pattern has one form", "", help_)
        ((form, value),) = keys.items()
        wanted = self.nodes.plain(value)
        if form == "in" and not isinstance(wanted, list):
            raise self.nodes.fail(value, "RK603", "`in` takes a list")
        if form == "regex":
            self.regex(value, str(wanted))
        return Pattern(form, wanted)

    def regex(self, node: YamlNode, pattern: str) -> None:
        from rulekit.native.regex import compile_regex

        try:
            compile_regex(pattern.encode("utf-8", "surrogateescape"))
        except Exception as error:
            raise self.nodes.fail(node, "RK603", f"no regular expression: {error}") from None

    def output(self, node: YamlNode) -> Pattern:
        if isinstance(node, Scalar):
            return Pattern("contains", self.nodes.text(node, "`output`"))
        return self.pattern(node)


def _keys(node: YamlNode | None) -> list[Scalar]:
    """Return the keys of a map, each once."""
    pairs = node.pairs if isinstance(node, Mapping) else []
    found = {key.value: key for key, _ in reversed(pairs) if isinstance(key, Scalar)}
    return [
        found[name] for name in dict.fromkeys(k.value for k, _ in pairs if isinstance(k, Scalar))
    ]


def _follow(node: YamlNode, path: tuple[str | int, ...], is_key: bool) -> YamlNode:
    """Return the node that a path leads to, or the last one on the way."""
    for i, part in enumerate(path):
        if isinstance(part, int) and isinstance(node, Sequence) and part < len(node.items):
            node = node.items[part]
        elif isinstance(node, Mapping):
            for key, value in node.pairs:
                if isinstance(key, Scalar) and key.value == str(part):
                    # The key itself is shown when it leads to something large.
                    shows_key = is_key or not isinstance(value, Scalar)
                    node = key if i == len(path) - 1 and shows_key else value
                    break
            else:
                return node
        else:
            return node
    return node
