"""Reads audit policies from YAML; says where an API server would refuse or ignore something."""

from __future__ import annotations

from dataclasses import dataclass, field

from rulekit.errors import RuleError
from rulekit.kubernetes.audit.policy import LEVELS, STAGES, GroupResources, Policy, PolicyRule
from rulekit.rules.yaml import Mapping, Scalar, Sequence, YamlNode, decode_text, parse_documents
from rulekit.text.diagnostic import Diagnostic
from rulekit.text.source import SourceText

_TOP = ("apiVersion", "kind", "metadata", "rules", "omitStages", "omitManagedFields")
_RULE = (
    "level", "users", "userGroups", "verbs", "resources", "namespaces", "nonResourceURLs",
    "omitStages", "omitManagedFields",
)  # fmt: skip
_RESOURCES = ("group", "resources", "resourceNames")


@dataclass(slots=True)
class _Reader:
    text: SourceText
    problems: list[tuple[int, str]] = field(default_factory=list)

    def line(self, node: YamlNode) -> int:
        return self.text.locate(node.start)[0]

    def bad(self, node: YamlNode, text: str) -> None:
        self.problems.append((self.line(node), text))

    def map(self, node: YamlNode | None, keys: tuple[str, ...], what: str) -> Mapping | None:
        if not isinstance(node, Mapping):
            if node is not None:
                self.bad(node, f"{what} is no map")
            return None
        seen = set()
        for key, _ in node.pairs:
            name = key.value if isinstance(key, Scalar) else ""
            if name not in keys:
                self.bad(key, f"{what} has no `{name}`; it has {', '.join(keys)}")
            if name in seen:
                self.bad(key, f"`{name}` is there twice")
            seen.add(name)
        return node

    def items(self, node: YamlNode | None, what: str) -> list[YamlNode]:
        if node is None or (isinstance(node, Scalar) and node.null):
            return []
        if isinstance(node, Sequence):
            return node.items
        self.bad(node, f"`{what}` is no list")
        return []

    def texts(self, map: Mapping, key: str) -> tuple[str, ...]:
        found = []
        for item in self.items(map.get(key), key):
            if isinstance(item, Scalar):
                found.append(item.value)
            else:
                self.bad(item, f"an item of `{key}` is no text")
        return tuple(found)

    def stages(self, map: Mapping) -> frozenset[str]:
        found = self.texts(map, "omitStages")
        node = map.get("omitStages")
        for each in found:
            if each not in STAGES and node is not None:
                self.bad(node, f"no stage `{each}`; there are {', '.join(STAGES)}")
        return frozenset(found) & frozenset(STAGES)

    def flag(self, map: Mapping, key: str) -> bool | None:
        node = map.get(key)
        if node is None or (isinstance(node, Scalar) and node.null):
            return None
        if isinstance(node, Scalar) and node.value in ("true", "false"):
            return node.value == "true"
        self.bad(node, f"`{key}` is neither true nor false")
        return None

    def policy(self, node: YamlNode) -> Policy | None:
        top = self.map(node, _TOP, "a policy")
        if top is None:
            return None
        for key, wanted in (("kind", ("Policy",)), ("apiVersion", ("audit.k8s.io/v1",))):
            value = top.get(key)
            text = value.value if isinstance(value, Scalar) else ""
            if text not in wanted:
                self.bad(value or top, f"`{key}` is `{text}`, not {wanted[0]}")
        rules = [rule for item in self.items(top.get("rules"), "rules") for rule in self.rule(item)]
        if not rules and not self.problems:
            self.bad(top, "a policy without rules: the API server refuses it")
        return Policy(tuple(rules), self.stages(top), bool(self.flag(top, "omitManagedFields")))

    def rule(self, node: YamlNode) -> list[PolicyRule]:
        map = self.map(node, _RULE, "a rule")
        if map is None:
            return []
        level = map.get("level")
        name = level.value if isinstance(level, Scalar) else ""
        if name not in LEVELS:
            self.bad(level or node, f"no level `{name}`; there are {', '.join(LEVELS)}")
            return []
        urls = self.texts(map, "nonResourceURLs")
        resources = tuple(
            one
            for item in self.items(map.get("resources"), "resources")
            for one in self.resources(item)
        )
        rule = PolicyRule(
            LEVELS.index(name),
            users=self.texts(map, "users"),
            user_groups=self.texts(map, "userGroups"),
            verbs=self.texts(map, "verbs"),
            resources=resources,
            namespaces=self.texts(map, "namespaces"),
            urls=urls,
            omit_stages=self.stages(map),
            omit_managed=self.flag(map, "omitManagedFields"),
            line=self.line(node),
        )
        if urls and (resources or rule.namespaces):
            self.bad(node, "a rule is about resources or about nonResourceURLs, not both")
        for url in urls:
            if url != "*" and (not url.startswith("/") or "*" in url[:-1]):
                self.bad(node, f"`{url}` does not begin with a slash, or has a star inside")
        return [rule]

    def resources(self, node: YamlNode) -> list[GroupResources]:
        map = self.map(node, _RESOURCES, "an item of `resources`")
        if map is None:
            return []
        group = map.get("group")
        name = group.value if isinstance(group, Scalar) and not group.null else ""
        if "/" in name or "*" in name:
            assert group is not None
            self.bad(group, f"`{name}` is no API group: no version and no star belong to it")
        found = GroupResources(name, self.texts(map, "resources"), self.texts(map, "resourceNames"))
        if found.names and not found.resources:
            self.bad(node, "resourceNames need resources")
        return [found]


def read_policy(content: bytes, name: str) -> tuple[Policy | None, list[tuple[int, str]]]:
    """Return the policy in a file, and what is wrong with it: lines from 1, and texts.

    Args:
        name: What messages call the file.
    """
    try:
        text = decode_text(name, content)
        slips: list[Diagnostic] = []
        documents = parse_documents(text, slips)
    except RuleError as error:
        return None, [_told(each) for each in error.diagnostics]
    documents = [each for each in documents if not (isinstance(each, Scalar) and each.null)]
    reader = _Reader(text, [_told(each) for each in slips])
    if len(documents) != 1:
        return None, [(1, f"{len(documents)} documents; a policy is one")]
    return reader.policy(documents[0]), reader.problems


def _told(diagnostic: Diagnostic) -> tuple[int, str]:
    span = diagnostic.span
    return span.source.locate(span.start)[0], diagnostic.message
