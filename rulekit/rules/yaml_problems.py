"""What libyaml finds wrong with a file, in our words and at the place where it can be mended."""

from __future__ import annotations

import yaml

from rulekit.errors import RuleError
from rulekit.rules.yaml_slips import Patched
from rulekit.text.diagnostic import Diagnostic, Fix, Label
from rulekit.text.source import SourceText, Span

# Falco's reader stops at this depth, too.
MAX_DEPTH = 500


def failure(
    code: str, message: str, span: Span, label: str, help_: str | None = None, *labels: Label
) -> RuleError:
    """Return the error of a file that is not YAML."""
    found = Diagnostic(
        code, "error", message, span, label, help_, "LOAD_ERR_YAML_PARSE", tuple(labels)
    )
    return RuleError(message, [found])


def _open_quote(file: SourceText, opened: int) -> RuleError:
    newline = file.text.find("\n", opened)
    if newline < 0:
        newline = len(file.text)
    found = Diagnostic(
        "RK006",
        "error",
        "quoted text is never closed",
        file.span(opened, opened + 1),
        "opened here; everything up to the end of the file belongs to it",
        None,
        "LOAD_ERR_YAML_PARSE",
        fix=Fix(file.span(newline, newline), file.text[opened], "close the quote"),
    )
    return RuleError(found.message, [found])


# What libyaml calls a problem, and what to say of it.
_PROBLEMS = (
    ("tab character that violates", "RK005", "a tab cannot be used to indent", "use blanks"),
    ("cannot start any token", "RK004", "{char} cannot begin a value", "quote the text"),
    (
        "mapping values are not allowed",
        "RK004",
        "a `key: value` pair cannot stand here",
        "indent the keys of one element alike; quote a text that holds `: `",
    ),
    (
        "did not find expected key",
        "RK004",
        "this line fits neither the item above nor a new one",
        "indent keys of one item alike",
    ),
    (
        "did not find expected '-' indicator",
        "RK004",
        "this line fits neither the sequence above nor its end",
        "begin each item with `- ` in the same column",
    ),
    (
        "expected alphabetic or numeric character",
        "RK004",
        "`*` begins an alias and `&` an anchor, but no name follows",
        "quote the text",
    ),
    ("could not find expected ':'", "RK004", "a key without `:`", None),
    ("expected ',' or ']'", "RK004", "`[` is never closed", None),
    ("expected ',' or '}'", "RK004", "`{{` is never closed", None),
    ("unexpected end of stream", "RK006", "quoted text is never closed", None),
    ("unexpected document indicator", "RK006", "quoted text is never closed", None),
    ("unexpected document separator", "RK006", "quoted text is never closed", None),
    (
        "expected whitespace or line break",
        "RK004",
        "unknown tag",
        "quote text that begins with `!`",
    ),
    ("expected node content", "RK004", "there is nothing before {char}", None),
    ("unknown escape character", "RK004", "unknown escape in a double-quoted text", None),
    ("undefined tag handle", "RK004", "unknown tag", "quote text that begins with `!`"),
    ("incompatible YAML document", "RK004", "a YAML version that cannot be read", None),
    # libyaml's own limit of newer versions; it scans ahead of the events that we count.
    ("maximum nesting depth", "RK009", f"collections are nested more than {MAX_DEPTH} deep", None),
    ("block sequence entries are not allowed", "RK004", "`- ` cannot stand here", None),
    ("expected comment or line break", "RK004", "text on the line of `|` or `>`", None),
)


def explain(file: SourceText, read: Patched, error: yaml.MarkedYAMLError) -> RuleError:
    """Say in our words what the YAML parser found, at the place where it can be mended."""
    problem = error.problem or "not YAML"
    at = read.place(error.problem_mark.index) if error.problem_mark else 0
    at = min(at, len(file.text))
    opened = read.place(error.context_mark.index) if error.context_mark else None
    if opened is not None and ("expected ':'" in problem or "a tag" in (error.context or "")):
        at, opened = opened, None
    # A missing bracket shows only at the end of the file; point at a character that exists.
    while at > 0 and (at == len(file.text) or file.text[at] in "\r\n"):
        at -= 1
    char = "a tab" if file.text[at : at + 1] == "\t" else f"`{file.text[at : at + 1]}`"
    code, message, help_ = "RK004", f"not YAML: {problem}", None
    for part, known, text, hint in _PROBLEMS:
        if part in problem:
            code, message, help_ = known, text.format(char=char), hint
            break
    if code == "RK006" and opened is not None:
        return _open_quote(file, opened)
    if char == "a tab" and "cannot start" in problem:
        code, message, help_ = "RK005", "a tab cannot be used to indent", "use blanks"
    labels: tuple[Label, ...] = ()
    if "expected ',' or" in problem and opened is not None:
        label = Label(file.span(at, at + 1), "this cannot stand inside")
        return failure(code, message, file.span(opened, opened + 1), "opened here", help_, label)
    if opened is not None and opened != at and opened < len(file.text):
        labels = (Label(file.span(opened, opened + 1), _CONTEXTS.get(error.context or "", "")),)
    return failure(code, message, file.span(at, at + 1), "", help_, *labels)


_CONTEXTS = {
    "while parsing a flow sequence": "the `[` that is open here",
    "while parsing a flow mapping": "the `{` that is open here",
    "while parsing a block mapping": "in the map that begins here",
    "while parsing a block collection": "in the sequence that begins here",
    "while scanning a simple key": "this was read as a key",
    "while scanning a plain scalar": "in the text that begins here",
    "while scanning a block scalar": "in the text that begins here",
    "while scanning a double-quoted scalar": "in the text that begins here",
}
