"""A compiled ruleset: flat arrays that the matcher reads, and what their numbers mean.

Nothing of the compiler is needed to read them.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from enum import IntEnum

from rulekit.schema.types import Kind

# The matcher recurses once per level.
MAX_DEPTH = 5000

# Evaluating these has an effect on their next evaluation: each rule has its own.
WITH_MEMORY = frozenset({"evt.deltatime", "evt.deltatime.s", "evt.deltatime.ns", "util.cnt"})

# Slots of events, see `rulekit.compiler.passes.fold`.
GENERIC_BASE = 512
N_SLOTS = 1536

N_DOMAINS = 8
EXISTS_BIT = 0xFFFFFFFF


class NodeOp(IntEnum):
    FALSE = 0
    TRUE = 1
    PREDICATE = 2
    NOT = 3
    AND = 4
    OR = 5


class How(IntEnum):
    """How a comparison is answered while caches are on."""

    DIRECT = 0
    PROCESS_BIT = 1  # number `bit` of the signature's own bits
    PROCESS_TEXT = 2  # bit `bit` of part `part` of the signature; EXISTS: the part is there
    TEXT = 3  # bit `bit` of what is kept on the key's string


class Domain(IntEnum):
    """Groups of text fields whose values look alike."""

    NAME = 0
    LINE = 1
    FILE = 2
    OTHER = 3
    PATH = 4
    EVENT = 5
    # Kept on the list that the text is joined from, so that it need not be joined.
    ENVIRONMENT = 6
    ARGUMENTS = 7


# Numbers of the native enums in _fastmatch.pxd, native/_textindex.pxd and state/_fields.pxd.
OPS = {
    "exists": 0,
    "in": 1,
    "!=": 2,
    "<": 3,
    "<=": 4,
    ">": 5,
    ">=": 6,
    "contains": 7,
    "bcontains": 7,
    "icontains": 8,
    "startswith": 9,
    "bstartswith": 9,
    "endswith": 10,
    "glob": 11,
    "iglob": 12,
    "pmatch": 13,
    "regex": 14,
    "intersects": 15,
    "=": 1,
}
MODIFIERS = {None: 0, "anyof": 1, "allof": 2, "oneof": 3}
KINDS = {kind: number for number, kind in enumerate(Kind)}
QUANTIFIERS = {"one": 0, "list": 1, "ancestors": 2, "ends": 3}
OPERAND_FIELD, OPERAND_CALL, OPERAND_LITERAL, OPERAND_TUPLE = range(4)
NONE = 0xFFFFFFFF

# Name → type code of each array. One row of a table is one position in all arrays of its prefix.
TABLES = {
    "operand_form": "B",  # OPERAND_*
    "operand_kind": "B",  # KINDS
    "operand_quantifier": "B",  # QUANTIFIERS
    "operand_domain": "B",  # index.Domain, 255: none
    "operand_name": "I",  # field or transformer, or value of a literal: number of a text
    "operand_key": "I",  # bracket argument: number of a text, or NONE
    "operand_index": "q",  # numeric argument, -1: none
    "operand_first": "I",  # arguments: first and number of them in `arguments`
    "operand_n": "I",
    "arguments": "I",  # operands
    "predicate_op": "B",
    "predicate_modifier": "B",
    "predicate_kind": "B",
    "predicate_quantifier": "B",
    "predicate_how": "B",  # index.How
    "predicate_left": "I",
    "predicate_other": "I",  # or NONE
    "predicate_first": "I",  # values: in texts, numbers, doubles or networks, as the kind says
    "predicate_n": "I",
    "predicate_test": "I",  # number of the text test, or NONE
    "predicate_part": "I",
    "predicate_bit": "I",
    "test_op": "B",  # text comparisons, each distinct one once
    "test_modifier": "B",
    "test_first": "I",
    "test_n": "I",
    "domain_first": "I",  # tests of each domain in `domain_tests`, by bit; one more for the end
    "domain_tests": "I",
    "parts": "I",  # operands of the process signature
    "process_bits": "I",  # predicates of the process signature
    "text_end": "Q",  # texts lie end to end in `pool`; offsets, one more for the end
    "numbers": "q",  # UINT as its two's complement
    "doubles": "d",
    "network_text": "I",
    "network_bits": "I",
    "node_op": "B",
    "node_first": "I",  # predicate, or first child in `children`
    "node_n": "I",
    "children": "I",
    "slot_class": "H",  # by slot: number of the class + 1, 0: no rule
    # Rules of each class in `class_*`; one more for the end. A rule may stand there several times
    # in a row, once per alternative of its root: it matches if one of them holds.
    "class_first": "I",
    "class_rule": "I",
    "class_root": "I",  # nodes
    "class_process": "I",
    "class_rest": "I",
    "class_early": "I",  # gates of each class that come before the keys
    "key_first": "I",  # keys of each class; one more for the end
    "key_operand": "I",
    "key_nodes": "I",  # what each rule of the class demands of the key: as many nodes as rules
    "gate_first": "I",  # gates of each class; one more for the end
    "gate_node": "I",
    "gate_words": "Q",  # rules that demand the node: as many words per gate as the class has
}


@dataclass(slots=True)
class Program:
    """A compiled ruleset; immutable once made, shared freely between threads.

    Attributes:
        names: Names of the rules; a match is a position in it.
        tables: The arrays of `TABLES`.
        pool: All texts, end to end.
    """

    names: tuple[str, ...]
    tables: dict[str, array[int]] = field(repr=False)
    pool: bytes = field(repr=False)

    def text(self, number: int) -> bytes:
        """Return a text of the pool."""
        ends = self.tables["text_end"]
        return self.pool[ends[number] : ends[number + 1]]

    def event_codes(self) -> frozenset[int]:
        """Return the event types that some rule can match; 1 stands for all generic calls."""
        return frozenset(slot if slot < 512 else 1 for slot in self.slots())

    def slots(self) -> frozenset[int]:
        """Return the slots (see `rulekit.compiler.passes.fold`) that some rule can match."""
        return frozenset(i for i, number in enumerate(self.tables["slot_class"]) if number)

    def fields(self) -> frozenset[str]:
        """Return the names of all fields that rules read."""
        forms, names = self.tables["operand_form"], self.tables["operand_name"]
        return frozenset(
            self.text(names[i]).decode() for i, form in enumerate(forms) if form == OPERAND_FIELD
        )
