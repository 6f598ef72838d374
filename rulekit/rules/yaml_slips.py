"""Slips that Falco's YAML reader lets pass and libyaml does not: the text that makes up for them.

What the reader (yaml-cpp) does was seen by running it: the end of a file, after a line break,
closes a quote; ``...`` ends a document, whatever follows; a line that is no item of the sequence
at the left edge begins another document; a key without
``:`` in the last line has no value; nothing before a comma is null; ``!=`` is a tag of nothing.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import Any

# ``---`` says the same where nothing but a bare document follows.
_END_OF_DOCUMENT = re.compile(
    r"^\.\.\.(?=[ \t]*(?:#.*)?\r?$)(?![^\n]*(?:\n[ \t]*(?:#[^\n]*)?\r?)*(?:\n(?:%|---)|\Z))",
    re.MULTILINE,
)
_END_OF_NOTHING = re.compile(r"\A((?:[ \t]*(?:#[^\n]*)?\r?\n)*)\.\.\.(?=\s|\Z)")
_DOCUMENT = re.compile(r"^---(?:\s|$)", re.MULTILINE)
_FIRST_TOKEN = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\r?\n)*([^\n])")
_PLAIN_KEY = re.compile(r"(?![\"'&*!|>%@`{}\[\],#?])[^\s#]+(?:[ \t]+[^\s#][^\s]*)*")
_NOTHING_MORE = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n[ \t\r]*(?:#[^\n]*)?)*\Z")
_EMPTY_TAG = re.compile(r"!=(?=[,\]\s])")
# Each costs reading the file once more.
_MOST = 5


@dataclass(frozen=True, slots=True)
class Patched:
    """A text with what was missing put in.

    Attributes:
        text: What libyaml reads.
        inserted: Where something was put in, as offsets in `text`, ascending.
        lengths: How much was put in up to and with each of them.
    """

    text: str
    inserted: tuple[int, ...] = ()
    lengths: tuple[int, ...] = ()

    def place(self, index: int) -> int:
        """Return the offset in the original text of an offset in `text`."""
        number = bisect_right(self.inserted, index)
        if not number:
            return index
        begin, before = self.inserted[number - 1], self.lengths[number - 1]
        length = before - (self.lengths[number - 2] if number > 1 else 0)
        return max(index, begin + length) - before

    def _with(self, index: int, text: str) -> Patched:
        at = bisect_right(self.inserted, index)
        before = self.lengths[at - 1] if at else 0
        return Patched(
            self.text[:index] + text + self.text[index:],
            (*self.inserted[:at], index, *(i + len(text) for i in self.inserted[at:])),
            (
                *self.lengths[:at],
                before + len(text),
                *(length + len(text) for length in self.lengths[at:]),
            ),
        )

    def repaired(self, error: Any) -> Patched | None:
        """Return the text with what libyaml misses put in; None where Falco misses it, too.

        Args:
            error: The `MarkedYAMLError` of reading `text`.
        """
        if len(self.inserted) >= _MOST:
            return None
        problem, text = error.problem or "", self.text
        if open_quote(text, error):
            return self._with(len(text), text[error.context_mark.index])
        if "could not find expected ':'" in problem and error.context_mark is not None:
            start = error.context_mark.index
            key = _PLAIN_KEY.match(text, start)
            # Before another line the reader does not let it pass.
            if not key or not _NOTHING_MORE.match(text, key.end()):
                return None
            if error.context_mark.column == 0 and self._begins_with_item(start):
                return self._with(start, "---\n")
            return self._with(key.end(), ":")
        if "expected '-' indicator" in problem or "expected <document start>" in problem:
            mark = error.problem_mark
            if mark.column == 0 and not text.startswith(("---", "..."), mark.index):
                return self._with(mark.index, "---\n")
        if "expected node content" in problem and text.startswith(",", error.problem_mark.index):
            return self._with(error.problem_mark.index, "~")
        if error.context == "while scanning a tag" and (
            found := _EMPTY_TAG.match(text, error.context_mark.index)
        ):
            text = f'{text[: found.start()]}""{text[found.end() :]}'
            return replace(self, text=text)
        return None

    def _begins_with_item(self, index: int) -> bool:
        """Whether the document that `index` is in begins with ``-``."""
        begin = 0
        for found in _DOCUMENT.finditer(self.text, 0, index):
            begin = found.end()
        first = _FIRST_TOKEN.match(self.text, begin)
        return first is not None and first[1] == "-"


def patched(text: str) -> Patched:
    """Return a text as libyaml needs it to see bare documents after ``...``."""
    if "..." in text:
        text = _END_OF_DOCUMENT.sub("---", _END_OF_NOTHING.sub(r"\1#..", text))
    return Patched(text)


def open_quote(text: str, error: Any) -> bool:
    """Whether the file ends, after a line break, inside a quoted scalar."""
    return (
        error.context == "while scanning a quoted scalar"
        and "end of stream" in (error.problem or "")
        and text.rstrip(" \t")[-1:] == "\n"
    )
