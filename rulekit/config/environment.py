"""Variables of the environment that change a configuration: ``RULEKIT__SINKS__SIEM__URL=...``.

Steps of a path are joined by two underscores; case does not matter, and what is no letter or digit
in a key is an underscore in the name. The value is YAML. What is not there yet is added.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingABC

from rulekit.config.tree import TreeReader
from rulekit.errors import RuleError
from rulekit.rules.yaml import Mapping, Scalar, Sequence, YamlNode, parse_documents
from rulekit.text.source import SourceText

PREFIX = "RULEKIT__"


def override(root: Mapping, environ: MappingABC[str, str], reader: TreeReader) -> None:
    """Change the nodes of a configuration in place; mistakes are noted by the reader."""
    for name in sorted(environ):
        if not name.startswith(PREFIX):
            continue
        text = SourceText(f"${name}", environ[name])
        try:
            (value,) = parse_documents(text, []) or [Scalar(0, 0, "", "", True)]
        except RuleError as error:
            reader.found.extend(error.diagnostics)
            continue
        except ValueError:
            reader.fail("RK707", text.span(0, len(text.text)), f"{name} holds several documents")
            continue
        reader.adopt(value, text)
        steps = name[len(PREFIX) :].split("__")
        if not all(steps) or not _set(root, steps, value, reader, text):
            reader.fail(
                "RK707",
                text.span(0, len(text.text)),
                f"{name} leads nowhere",
                "",
                "write the keys on the way with two underscores between: RULEKIT__SINKS__NAME__URL",
            )


def _set(
    here: YamlNode, steps: list[str], value: YamlNode, reader: TreeReader, text: SourceText
) -> bool:
    step, rest = steps[0], steps[1:]
    if isinstance(here, Sequence):
        if not step.isdigit() or int(step) > len(here.items):
            return False
        index = int(step)
        if rest:
            if index == len(here.items):
                here.items.append(_empty(reader, text))
            return _set(here.items[index], rest, value, reader, text)
        here.items[index : index + 1] = [value]
        return True
    if not isinstance(here, Mapping):
        return False
    for i, (key, old) in enumerate(here.pairs):
        if isinstance(key, Scalar) and _plain(key.value) == step.lower():
            if not rest:
                here.pairs[i] = (key, value)
                return True
            if isinstance(old, Scalar) and old.null:
                here.pairs[i] = (key, _empty(reader, text))
            return _set(here.pairs[i][1], rest, value, reader, text)
    key = Scalar(0, 0, step.lower(), "", False)
    reader.adopt(key, text)
    if not rest:
        here.pairs.append((key, value))
        return True
    made = _empty(reader, text)
    here.pairs.append((key, made))
    return _set(made, rest, value, reader, text)


def _empty(reader: TreeReader, text: SourceText) -> Mapping:
    node = Mapping(0, 0)
    reader.adopt(node, text)
    return node


def _plain(key: str) -> str:
    return re.sub(r"[^a-z0-9]", "_", key.lower())
