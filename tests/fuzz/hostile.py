"""Inputs made to hurt: rule files that explode, nest, repeat or never end.

Each function gives the bytes of one input for `loader_target.examine`.

python tests/fuzz/hostile.py NAME

examines one of them with a gigabyte of memory and prints how it ended, and the seconds of CPU.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from pathlib import Path

MEMORY_BYTES = 1 << 30

INPUTS: dict[str, Callable[[], bytes]] = {}


def _input(make: Callable[[], bytes]) -> Callable[[], bytes]:
    INPUTS[make.__name__] = make
    return make


def _rule(condition: str, more: str = "", name: str = "r") -> str:
    head = f"- rule: {name}\n  desc: d\n  condition: {condition}\n"
    return f"{head}  output: o\n  priority: INFO\n{more}"


@_input
def alias_bomb_sequences() -> bytes:
    lines = ["- &a0 [x, x, x, x, x, x, x, x, x]"]
    for i in range(1, 12):
        lines.append(f"- &a{i} [" + ", ".join([f"*a{i - 1}"] * 9) + "]")
    return "\n".join(lines).encode()


@_input
def alias_bomb_items() -> bytes:
    return (
        "- &a [x]\n- &b [*a, *a]\n- list: l\n  items: &c [" + ", ".join(["*b"] * 40_000) + "]\n"
        "- list: m\n  items: [" + ", ".join(["*c"] * 40) + "]\n"
    ).encode()


@_input
def alias_bomb_rules() -> bytes:
    """One mapping, a hundred thousand times a rule."""
    rule = "- &r {rule: r, desc: d, condition: proc.name = x, output: o, priority: INFO}\n"
    return (rule + "- *r\n" * 100_000).encode()


@_input
def alias_of_itself() -> bytes:
    return b"- &a [*a, *a]\n- &b {x: *b}\n"


@_input
def merge_keys() -> bytes:
    return b"- &a {rule: r}\n- {<<: *a, desc: d, condition: proc.name=a, output: o}\n" * 5000


@_input
def ten_megabytes_of_one_rule() -> bytes:
    words = " or ".join(["proc.name = cat"] * 550_000)
    return _rule(words).encode()


@_input
def ten_megabytes_of_rules() -> bytes:
    return "".join(
        _rule(f"evt.type = open and proc.name = p{i}", name=f"r{i}") for i in range(95_000)
    ).encode()


@_input
def ten_megabytes_of_blanks() -> bytes:
    return b" " * 10_000_000


@_input
def ten_megabytes_of_newlines() -> bytes:
    return b"- rule: r\n" + b"\n" * 10_000_000


@_input
def ten_megabytes_of_dashes() -> bytes:
    return b"- " * 5_000_000


@_input
def ten_megabytes_of_documents() -> bytes:
    return b"---\n" * 2_500_000


@_input
def ten_megabytes_of_comments() -> bytes:
    return b"# x\n" * 2_500_000


@_input
def ten_megabytes_of_brackets() -> bytes:
    return b"[" * 10_000_000


@_input
def ten_megabytes_of_unknown_keys() -> bytes:
    return b"- rule: r\n" + b"".join(b"  k%d: v\n" % i for i in range(800_000))


@_input
def ten_megabytes_of_wrong_items() -> bytes:
    return b"- nonsense: 1\n" * 700_000


@_input
def deep_parentheses() -> bytes:
    return _rule("(" * 10_000 + "proc.name = a" + ")" * 10_000).encode()


@_input
def deep_parentheses_alone() -> bytes:
    return b"?" + b"(" * 10_000 + b"proc.name = a" + b")" * 10_000


@_input
def deep_parentheses_in_a_list() -> bytes:
    items = ", ".join(["'('"] * 10_000)
    return (f"- list: l\n  items: [{items}]\n" + _rule("l proc.name = a")).encode()


@_input
def deep_negations() -> bytes:
    return b"?" + b"not (" * 10_000 + b"proc.name = a" + b")" * 10_000


@_input
def long_negation() -> bytes:
    return b"?" + b"not " * 100_000 + b"proc.name = a"


@_input
def deep_transformers() -> bytes:
    return b"?" + b"tolower(" * 10_000 + b"proc.name" + b")" * 10_000 + b" = a"


@_input
def deep_yaml_flow() -> bytes:
    return b"[" * 10_000 + b"]" * 10_000


@_input
def deep_yaml_maps() -> bytes:
    return b"{a: " * 10_000 + b"1" + b"}" * 10_000


@_input
def deep_yaml_blocks() -> bytes:
    return "\n".join(" " * i + "a:" for i in range(10_000)).encode()


@_input
def deep_yaml_dashes() -> bytes:
    return b"- " * 10_000 + b"x"


@_input
def deep_yaml_in_exceptions() -> bytes:
    return _rule(
        "evt.type = open", "  exceptions:\n  - name: e\n    fields: a\n    values: "
    ).encode() + (b"[" * 400 + b"]" * 400 + b"\n")


@_input
def megabyte_literal() -> bytes:
    return _rule("proc.name = " + "a" * 1_000_000).encode()


@_input
def megabyte_quoted_literal() -> bytes:
    return _rule("'proc.name = \"" + "\\\\x41" * 250_000 + "\"'").encode()


@_input
def megabyte_number() -> bytes:
    return _rule("evt.num > " + "9" * 1_000_000).encode()


@_input
def megabyte_double() -> bytes:
    return _rule("evt.latency.s > 1." + "0" * 1_000_000 + "e+" + "9" * 100_000).encode()


@_input
def megabyte_regex() -> bytes:
    return _rule("proc.name regex '" + "(a|b)*" * 160_000 + "'").encode()


@_input
def regex_repeats() -> bytes:
    return _rule("proc.name regex '((((a{1000}){1000}){1000}){1000})'").encode()


@_input
def megabyte_glob() -> bytes:
    return _rule("proc.name glob '" + "*a?" * 330_000 + "'").encode()


@_input
def megabyte_field() -> bytes:
    return _rule("proc." + "a" * 1_000_000 + " = b").encode()


@_input
def megabyte_field_argument() -> bytes:
    return _rule("proc.aname[" + "1" * 1_000_000 + "] = b").encode()


@_input
def megabyte_macro_name() -> bytes:
    return _rule("m" * 1_000_000).encode()


@_input
def megabyte_rule_name() -> bytes:
    return _rule("proc.name = a", name="n" * 1_000_000).encode() * 2


@_input
def megabyte_output() -> bytes:
    return (
        "- rule: r\n  desc: d\n  condition: evt.type = open\n  priority: INFO\n  output: o "
        + "%proc.name " * 90_000
        + "\n"
    ).encode()


@_input
def megabyte_output_unknown() -> bytes:
    return (
        "- rule: r\n  desc: d\n  condition: evt.type = open\n  priority: INFO\n  output: o "
        + "%" * 500_000
        + "%tolower(" * 50_000
        + "\n"
    ).encode()


@_input
def output_of_deep_calls() -> bytes:
    return (
        "- rule: r\n  desc: d\n  condition: evt.type = open\n  priority: INFO\n  output: o "
        + "%"
        + "tolower(" * 30_000
        + "proc.name"
        + ")" * 30_000
        + "\n"
    ).encode()


def _output_of_odd_names(count: int) -> bytes:
    return (
        "- rule: r\n  desc: d\n  condition: evt.type = open\n  priority: INFO\n  output: o "
        + "%tolower(proc.name) %proc.nameproc.name[" * count
        + "\n"
    ).encode()


@_input
def output_of_odd_names() -> bytes:
    return _output_of_odd_names(100)


@_input
def megabyte_output_of_odd_names() -> bytes:
    return _output_of_odd_names(20_000)


@_input
def thousands_of_skipped_rules() -> bytes:
    more = "  skip-if-unknown-filter: true\n"
    return "".join(_rule(f"proc.nmae{i} = a", more, name=f"r{i}") for i in range(5000)).encode()


@_input
def megabyte_item_list() -> bytes:
    items = ", ".join(f"item{i}" for i in range(100_000))
    return (f"- list: l\n  items: [{items}]\n" + _rule("proc.name in (l)")).encode()


@_input
def megabyte_wrong_values() -> bytes:
    values = ", ".join(f"x{i}" for i in range(100_000))
    return _rule(f"fd.sport in ({values})").encode()


@_input
def megabyte_unclosed_quote() -> bytes:
    return _rule('proc.name = \\"' + '\\\\\\"' * 300_000).encode()


@_input
def backslashes_before_quotes() -> bytes:
    return b'?proc.name = "' + b'\\"' * 500_000


@_input
def unclosed_quotes_in_a_list() -> bytes:
    return b"?proc.name in (" + b"'a, " * 250_000


@_input
def invalid_utf8() -> bytes:
    return _rule("proc.name = a").encode() + b"# \xff\xfe\xc0\xaf\xed\xa0\x80\n" * 1000


@_input
def truncated_utf8() -> bytes:
    return _rule("proc.name = a").encode() + "# é".encode()[:-1]


@_input
def utf16_without_end() -> bytes:
    return b"\xff\xfe" + _rule("proc.name = a").encode("utf-16-le") + b"\x00\xd8\x41"


@_input
def utf32_mark() -> bytes:
    return b"\xff\xfe\0\0" + _rule("proc.name = a").encode("utf-32-le")


@_input
def nuls() -> bytes:
    return b"\0" * 100_000


@_input
def nul_in_a_condition() -> bytes:
    return _rule("proc.name = a\0b").encode()


@_input
def escaped_nul_in_a_condition() -> bytes:
    return _rule('"proc.name = \'a\\0b\' and proc.name contains \\"\\\\x00\\""').encode()


@_input
def surrogates() -> bytes:
    return _rule('"proc.name = \\uD800"').encode()


@_input
def every_escape() -> bytes:
    condition = " or ".join(f'proc.name = "\\\\x{i:02x}"' for i in range(256))
    return _rule("'" + condition + "'").encode()


@_input
def duplicate_keys() -> bytes:
    return b"- rule: r\n" + b"  condition: proc.name = a\n  rule: s\n" * 20_000


@_input
def duplicate_keys_in_override() -> bytes:
    return b"- rule: r\n  override:\n" + b"    condition: append\n" * 50_000


@_input
def macro_of_itself() -> bytes:
    return ("- macro: m\n  condition: m or m\n" + _rule("m")).encode()


@_input
def macros_of_each_other() -> bytes:
    text = "".join(f"- macro: m{i}\n  condition: m{(i + 1) % 2000}\n" for i in range(2000))
    return (text + _rule("m0")).encode()


@_input
def macro_chain_backwards() -> bytes:
    text = "".join(f"- macro: m{i}\n  condition: not (m{i + 1})\n" for i in range(5000))
    return (text + "- macro: m5000\n  condition: proc.name = a\n" + _rule("m0")).encode()


@_input
def macro_chain_forwards() -> bytes:
    text = "- macro: m0\n  condition: proc.name = a\n"
    text += "".join(f"- macro: m{i + 1}\n  condition: not (m{i})\n" for i in range(5000))
    return (text + _rule("m5000")).encode()


@_input
def macro_doubling() -> bytes:
    text = "- macro: m0\n  condition: proc.name = a\n"
    text += "".join(f"- macro: m{i + 1}\n  condition: (m{i} or m{i})\n" for i in range(30))
    return (text + _rule("evt.type = open and m30")).encode()


@_input
def macro_doubling_many_rules() -> bytes:
    """Stays under the limit for one condition, a thousand times."""
    text = "- macro: m0\n  condition: proc.name = a or fd.name = b\n"
    text += "".join(f"- macro: m{i + 1}\n  condition: (m{i} or m{i})\n" for i in range(14))
    return (
        text + "".join(_rule("evt.type = open and m14", name=f"r{i}") for i in range(1000))
    ).encode()


@_input
def macro_appended() -> bytes:
    text = "- macro: m\n  condition: proc.name = a\n"
    return (text + "- macro: m\n  condition: or m\n  append: true\n" * 3000).encode()


@_input
def list_of_itself() -> bytes:
    return ("- list: l\n  items: [l, l]\n" * 3 + _rule("proc.name in (l)")).encode()


@_input
def list_doubling() -> bytes:
    text = "- list: l0\n  items: [a, a]\n"
    text += "".join(f"- list: l{i + 1}\n  items: [l{i}, l{i}]\n" for i in range(40))
    return (text + _rule("proc.name in (l40)")).encode()


@_input
def list_doubling_in_text() -> bytes:
    """Items that name two later lists each: text doubles while it is put into a condition."""
    text = "".join(f'- list: l{i}\n  items: ["l{i + 1} , l{i + 1}"]\n' for i in range(40))
    return (text + "- list: l40\n  items: [a]\n" + _rule("proc.name in (l0)")).encode()


@_input
def list_doubling_forwards() -> bytes:
    text = "".join(f"- list: l{i}\n  items: [l{i + 1}, l{i + 1}]\n" for i in range(40))
    return (text + "- list: l40\n  items: [a]\n" + _rule("proc.name in (l0)")).encode()


@_input
def list_in_many_conditions() -> bytes:
    """A long list in many rules: every use is another copy."""
    items = ", ".join(f"i{i}" for i in range(10_000))
    text = f"- list: l\n  items: [{items}]\n"
    return (text + "".join(_rule("proc.name in (l)", name=f"r{i}") for i in range(200))).encode()


@_input
def lists_of_one_long_list() -> bytes:
    """Every list repeats the items of one, and every one is used."""
    items = ", ".join(f"i{i}" for i in range(10_000))
    text = f"- list: l\n  items: [{items}]\n"
    text += "".join(f"- list: l{i}\n  items: [l]\n" for i in range(150))
    return (
        text + "".join(_rule(f"proc.name in (l{i})", name=f"r{i}") for i in range(150))
    ).encode()


@_input
def list_in_many_calls() -> bytes:
    """A long list as arguments: read anew for each rule."""
    items = ", ".join(f"\"'i{i}'\"" for i in range(5_000))
    text = f"- list: l\n  items: [{items}]\n"
    return (
        text + "".join(_rule(f"proc.name = concat(l, 'x{i}')", name=f"r{i}") for i in range(500))
    ).encode()


@_input
def list_in_many_conditions_with_a_bad_end() -> bytes:
    """A long list whose last item is wrong wherever it is used."""
    items = ", ".join(str(i) for i in range(10_000))
    text = f"- list: l\n  items: [{items}, x]\n"
    return (text + "".join(_rule("fd.sport in (l)", name=f"r{i}") for i in range(200))).encode()


@_input
def list_that_is_cut_in_many_conditions() -> bytes:
    """A long list that names a later one: its text is not the same as where it was written."""
    items = ", ".join(f"i{i}" for i in range(10_000))
    text = f"- list: l\n  items: [{items}, k]\n- list: k\n  items: [a]\n"
    return (text + "".join(_rule("proc.name in (l)", name=f"r{i}") for i in range(200))).encode()


@_input
def list_in_a_list_in_many_conditions() -> bytes:
    """Small lists thousands of times in one condition."""
    text = "- list: l\n  items: [" + ", ".join(["abcdefg"] * 20) + "]\n"
    uses = ", ".join(["l"] * 5_000)
    return (
        text + "".join(_rule(f"proc.name in ({uses})", name=f"r{i}") for i in range(5))
    ).encode()


@_input
def macro_in_many_rules() -> bytes:
    """A macro of thousands of comparisons in thousands of rules."""
    words = " or ".join(f"proc.name = p{i}" for i in range(3_000))
    text = f"- macro: m\n  condition: {words}\n"
    return (
        text + "".join(_rule(f"m and fd.num = {i}", name=f"r{i}") for i in range(1_000))
    ).encode()


@_input
def bad_macro_in_many_rules() -> bytes:
    words = " or ".join(f"proc.name = p{i}" for i in range(3_000))
    text = f"- macro: m\n  condition: {words} or fd.num = x or proc.nmae = y\n"
    return (
        text + "".join(_rule(f"m and fd.num = {i}", name=f"r{i}") for i in range(1_000))
    ).encode()


@_input
def remarks_in_many_rules() -> bytes:
    words = " or ".join(f"proc.pname = proc.name and fd.num > {i}" for i in range(2_000))
    text = f"- macro: m\n  condition: {words}\n"
    return (
        text + "".join(_rule(f"m and fd.num = {i}", name=f"r{i}") for i in range(1_000))
    ).encode()


@_input
def lists_with_odd_names() -> bytes:
    text = "".join(f'- list: "a {i}"\n  items: ["a {i + 1}"]\n' for i in range(2000))
    return (text + _rule("proc.name in (a 0)")).encode()


@_input
def list_appended() -> bytes:
    text = "- list: l\n  items: [a]\n" + "- list: l\n  items: [a]\n  append: true\n" * 20_000
    return (text + _rule("proc.name in (l)")).encode()


@_input
def rule_appended() -> bytes:
    text = _rule("evt.type = open")
    return (text + "- rule: r\n  condition: and proc.name = a\n  append: true\n" * 5000).encode()


@_input
def exception_tuples() -> bytes:
    head = _rule(
        "evt.type = open",
        "  exceptions:\n  - name: e\n    fields: [proc.name, fd.name]\n    values:\n",
    )
    return (head + "".join(f"    - [p{i}, /f{i}]\n" for i in range(100_000))).encode()


@_input
def exception_values() -> bytes:
    head = _rule(
        "evt.type = open", "  exceptions:\n  - name: e\n    fields: proc.name\n    values:\n"
    )
    return (head + "".join(f"    - p{i}\n" for i in range(100_000))).encode()


@_input
def many_exceptions() -> bytes:
    head = _rule("evt.type = open", "  exceptions:\n")
    return (
        head
        + "".join(
            f"  - {{name: e{i}, fields: [proc.name, fd.name], values: [[a, b]]}}\n"
            for i in range(10_000)
        )
    ).encode()


@_input
def exceptions_of_one_name() -> bytes:
    head = _rule("evt.type = open", "  exceptions:\n")
    return (head + "  - {name: e, fields: [proc.name], values: [[a]]}\n" * 10_000).encode()


@_input
def exceptions_appended() -> bytes:
    head = _rule("evt.type = open", "  exceptions:\n  - {name: e, fields: proc.name}\n")
    more = "".join(f"  - {{name: e{i}, fields: proc.name, values: [a]}}\n" for i in range(10_000))
    return (head + "- rule: r\n  append: true\n  exceptions:\n" + more).encode()


@_input
def hundred_thousand_rules() -> bytes:
    return "".join(_rule("evt.type = open", name=f"r{i}") for i in range(100_000)).encode()


@_input
def hundred_thousand_macros() -> bytes:
    return "".join(f"- macro: m{i}\n  condition: proc.name = a\n" for i in range(100_000)).encode()


@_input
def hundred_thousand_lists() -> bytes:
    text = "".join(f"- list: l{i}\n  items: [a{i}]\n" for i in range(100_000))
    return (text + _rule("proc.name in (l5, l99999)")).encode()


@_input
def thousands_of_bad_rules() -> bytes:
    return "".join(_rule(f"proc.nmae = a and x{i}", name=f"r{i}") for i in range(5000)).encode()


@_input
def thousands_of_unknown_macros() -> bytes:
    text = "".join(f"- macro: macro_number_{i}\n  condition: proc.name = a\n" for i in range(5000))
    return (text + "".join(_rule(f"macro_nubmer_{i}", name=f"r{i}") for i in range(2000))).encode()


@_input
def many_files() -> bytes:
    return b"\n#%next\n".join(_rule("evt.type = open", name=f"r{i}").encode() for i in range(300))


@_input
def quoted_text_never_closed() -> bytes:
    return b'"?'


def main() -> int:
    """Examine one input within limits."""
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
    import loader_target

    clocks = []

    class Clock(loader_target.Clock):
        def __init__(self, allowed: float) -> None:
            super().__init__(allowed)
            clocks.append(self)

    loader_target.Clock = Clock
    data = INPUTS[sys.argv[1]]()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    end = loader_target.examine(data)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"{end} {clocks[0].used:.2f} s, {len(data)} bytes, {peak_mb} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
