"""What a rule is, in 32 hex digits: the same for the same content, wherever and however written."""

from __future__ import annotations

from hashlib import blake2b

from rulekit.rules.ast import AndNode, Node, NotNode, OrNode
from rulekit.rules.ruleset import Rule
from rulekit.rules.unparse import unparse

_SIZE_BYTES = 16


def fingerprint(rule: Rule) -> str:
    """Return the hash of a rule's content.

    Name, source, condition, output, priority and tags count; macros, lists and exceptions count as
    what they stand for. Blanks, comments, the description and the file do not.
    """
    parts = [rule.name, rule.source, _tree_hash(rule.node), rule.output]
    parts += [rule.priority.label, *rule.tags]
    return _hash("rule", *parts)


def _tree_hash(root: Node) -> str:
    """Return the hash of a condition; a part that stands in it many times is hashed once."""
    known: dict[int, str] = {}
    stack: list[tuple[Node, bool]] = [(root, False)]
    while stack:
        node, ready = stack.pop()
        if id(node) in known:
            continue
        if isinstance(node, (AndNode, OrNode)):
            children: tuple[Node, ...] = node.children
        elif isinstance(node, NotNode):
            children = (node.child,)
        else:
            known[id(node)] = _hash("leaf", unparse(node))
            continue
        if ready:
            kind = type(node).__name__
            known[id(node)] = _hash(kind, *[known[id(child)] for child in children])
        else:
            stack.append((node, True))
            stack += [(child, False) for child in children]
    return known[id(root)]


def _hash(*parts: str) -> str:
    pieces = []
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        pieces += [len(data).to_bytes(8, "little"), data]
    return blake2b(b"".join(pieces), digest_size=_SIZE_BYTES).hexdigest()
