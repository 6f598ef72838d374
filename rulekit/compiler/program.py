"""A compiled ruleset: flat arrays that the matcher reads, and what they need to be understood."""

from __future__ import annotations

import gc
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

from rulekit.compiler.ir import (
    TRUE,
    CallOperand,
    FieldOperand,
    Graph,
    LiteralOperand,
    NodeOp,
    Predicate,
)
from rulekit.compiler.lower import Lowered, RuleInput, lower
from rulekit.compiler.passes.fold import N_SLOTS, EventClass, fold
from rulekit.compiler.passes.gate import gates
from rulekit.compiler.passes.index import Answers, How, index
from rulekit.compiler.passes.order import Costs
from rulekit.compiler.passes.split import SplitRoot, Splitter, choose_keys
from rulekit.rules.bound import TypedValue
from rulekit.schema.types import Kind

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


def compile_ruleset(rules: Sequence[RuleInput]) -> Program:
    """Compile ``(name, bound condition, event types or None)`` into a program.

    The event types restrict where a rule is tried; None leaves that to the condition. Rules need
    nothing else, so that stand-alone conditions are compiled in the same way.
    """
    # Everything made here lives until the end: looking for garbage only costs time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return write_program(lower(rules))[0]
    finally:
        if collecting:
            gc.enable()


def write_program(lowered: Lowered, keep: Sequence[int] = ()) -> tuple[Program, dict[int, int]]:
    """Return the program of a graph, and the position of each predicate of the graph in it.

    Args:
        keep: Nodes of comparisons to be in the program even where every event type decides them.
    """
    classes = fold(lowered)
    roots = dict.fromkeys(root for each in classes for _, root in each.rules)
    splitter = Splitter(lowered.graph, choose_keys(lowered.graph, roots))
    parts = {root: tuple(map(splitter.split, splitter.alternatives(root))) for root in roots}
    writer = _Writer(lowered, classes, splitter, parts)
    return writer.program(keep), writer.predicates


class _Writer:
    """Writes the arrays; numbers of the graph become positions, unused parts are left out."""

    def __init__(
        self,
        lowered: Lowered,
        classes: tuple[EventClass, ...],
        splitter: Splitter,
        parts: dict[int, tuple[SplitRoot, ...]],
    ) -> None:
        self.lowered = lowered
        self.splitter = splitter
        self.graph: Graph = lowered.graph
        self.classes = classes
        self.parts = parts
        self.tables: dict[str, array[int]] = {name: array(code) for name, code in TABLES.items()}
        self.pool = bytearray()
        self.tables["text_end"].append(0)
        self._texts: dict[bytes, int] = {}
        self._operands: dict[int, int] = {}
        self.predicates: dict[int, int] = {}
        self._tests: dict[tuple[str, str | None, tuple[TypedValue, ...]], int] = {}
        self._nodes: dict[int, int] = {}

    def program(self, keep: Sequence[int]) -> Program:
        graph = self.graph
        roots = list(self.parts)
        for part in (part for parts in self.parts.values() for part in parts):
            roots += [part.root, part.process, part.rest, *(node for _, node in part.keys)]
        nodes = graph.reachable([0, TRUE, *dict.fromkeys([*keep, *roots])])
        used = [graph.args[n][0] for n in nodes if graph.ops[n] == NodeOp.PREDICATE]
        answers = index(graph, self.splitter, used)
        cheap = frozenset(n for n, how in answers.how.items() if how != How.DIRECT)
        for number in used:
            self._predicate(number, answers)
        self._write_answers(answers)
        costs = Costs(graph, cheap)
        self._write_nodes(nodes, costs)
        self._write_classes(costs)
        return Program(self.lowered.names, self.tables, bytes(self.pool))

    def _text(self, text: bytes) -> int:
        number = self._texts.get(text)
        if number is None:
            number = self._texts[text] = self._append_text(text)
        return number

    def _append_text(self, text: bytes) -> int:
        self.pool += text
        self.tables["text_end"].append(len(self.pool))
        return len(self.tables["text_end"]) - 2

    def _append_texts(self, texts: Sequence[bytes]) -> int:
        first = len(self.tables["text_end"]) - 1
        for text in texts:
            self._append_text(text)
        return first

    def _operand(self, number: int, answers: Answers) -> int:
        position = self._operands.get(number)
        if position is not None:
            return position
        operand = self.graph.operands[number]
        key = index_ = None
        inner: tuple[int, ...] = ()
        kind, quantifier = Kind.TEXT, "one"
        if isinstance(operand, FieldOperand):
            form, name = OPERAND_FIELD, operand.name.encode()
            key, index_ = operand.key, operand.index
            kind, quantifier = operand.kind, operand.quantifier
        elif isinstance(operand, CallOperand):
            form, name = OPERAND_CALL, operand.name.encode()
            key, inner = operand.key, operand.args
            kind, quantifier = operand.kind, operand.quantifier
        elif isinstance(operand, LiteralOperand):
            form, name = OPERAND_LITERAL, operand.value
        else:
            form, name, inner, quantifier = OPERAND_TUPLE, b"", operand.items, "list"
        arguments = [self._operand(item, answers) for item in inner]
        tables = self.tables
        row = {
            "form": form,
            "kind": KINDS[kind],
            "quantifier": QUANTIFIERS[quantifier],
            "domain": answers.operand_domain.get(number, 255),
            "name": self._text(name),
            "key": NONE if key is None else self._text(key.encode("utf-8", "surrogateescape")),
            "index": -1 if index_ is None else index_,
            "first": len(tables["arguments"]),
            "n": len(arguments),
        }
        tables["arguments"].extend(arguments)
        return self._operands.setdefault(number, self._row("operand", row))

    def _row(self, prefix: str, row: dict[str, int]) -> int:
        for name, value in row.items():
            table = self.tables[f"{prefix}_{name}"]
            table.append(value)
        return len(table) - 1

    def _predicate(self, number: int, answers: Answers) -> None:
        predicate = self.graph.predicates[number]
        test = NONE
        first = 0
        if predicate.other is None and predicate.kind in (Kind.TEXT, Kind.BYTES):
            test = self._test(predicate)
        elif predicate.other is None:
            first = self._values(predicate)
        other = predicate.other
        self.predicates[number] = self._row(
            "predicate",
            {
                "op": OPS[predicate.op],
                "modifier": MODIFIERS[predicate.modifier],
                "kind": KINDS[predicate.kind],
                "quantifier": QUANTIFIERS[predicate.quantifier],
                "how": answers.how[number],
                "left": self._operand(predicate.left, answers),
                "other": NONE if other is None else self._operand(other, answers),
                "first": first,
                "n": len(predicate.values),
                "test": test,
                "part": answers.part.get(number, 0),
                "bit": answers.bit.get(number, 0),
            },
        )

    def _test(self, predicate: Predicate) -> int:
        key = (predicate.op, predicate.modifier, predicate.values)
        number = self._tests.get(key)
        if number is None:
            row = {
                "op": OPS[predicate.op],
                "modifier": MODIFIERS[predicate.modifier],
                "first": self._append_texts(predicate.values),  # type: ignore[arg-type]
                "n": len(predicate.values),
            }
            number = self._tests[key] = self._row("test", row)
        return number

    def _values(self, predicate: Predicate) -> int:
        kind, values, tables = predicate.kind, predicate.values, self.tables
        if kind is Kind.ADDRESS:
            return self._append_texts(values)  # type: ignore[arg-type]
        if kind is Kind.NETWORK:
            first = len(tables["network_text"])
            for network, bits in values:  # type: ignore[misc]
                tables["network_text"].append(self._text(network))  # type: ignore[arg-type]
                tables["network_bits"].append(bits)
            return first
        if kind is Kind.DOUBLE:
            doubles = tables["doubles"]
            doubles.extend(float(value) for value in values)  # type: ignore[misc, arg-type]
            return len(doubles) - len(values)
        numbers = tables["numbers"]
        for value in values:
            low = int(value) & 0xFFFFFFFFFFFFFFFF  # type: ignore[arg-type]
            numbers.append(low - (1 << 64) if low >> 63 else low)
        return len(numbers) - len(values)

    def _write_answers(self, answers: Answers) -> None:
        tables = self.tables
        for domain in answers.domains:
            tables["domain_first"].append(len(tables["domain_tests"]))
            tables["domain_tests"].extend(self._tests[test] for test in domain)
        tables["domain_first"].append(len(tables["domain_tests"]))
        tables["parts"].extend(self._operands[part] for part in answers.parts)
        tables["process_bits"].extend(self.predicates[p] for p in answers.process_bits)

    def _write_nodes(self, nodes: list[int], costs: Costs) -> None:
        graph, tables = self.graph, self.tables
        position = self._nodes = dict(zip(nodes, count(), strict=False))
        children, first, n = tables["children"], tables["node_first"], tables["node_n"]
        tables["node_op"].extend(graph.ops[node] for node in nodes)
        for node in nodes:
            op = graph.ops[node]
            if op == NodeOp.PREDICATE:
                first.append(self.predicates[graph.args[node][0]])
                n.append(0)
            else:
                ordered = costs.ordered_children(node)
                first.append(len(children))
                n.append(len(ordered))
                children.extend([position[child] for child in ordered])

    def _write_classes(self, costs: Costs) -> None:
        tables, position = self.tables, self._nodes
        tables["slot_class"].extend([0] * N_SLOTS)
        tables["class_first"].append(0)
        tables["gate_first"].append(0)
        tables["key_first"].append(0)
        for number, each in enumerate(self.classes):
            for slot in each.slots:
                tables["slot_class"][slot] = number + 1
            parts = [part for _, root in each.rules for part in self.parts[root]]
            for rule, root in each.rules:
                for part in self.parts[root]:
                    tables["class_rule"].append(rule)
                    tables["class_root"].append(position[root])
                    tables["class_process"].append(position[part.process])
                    tables["class_rest"].append(position[part.rest])
            tables["class_first"].append(len(tables["class_rule"]))
            self._write_keys(parts)
            found = gates(self.graph, self.splitter, costs, [part.root for part in parts])
            tables["class_early"].append(sum(gate.early for gate in found))
            for gate in found:
                mask = sum(1 << place for place in gate.positions)
                tables["gate_node"].append(position[gate.node])
                tables["gate_words"].frombytes(mask.to_bytes((len(parts) + 63) // 64 * 8, "little"))
            tables["gate_first"].append(len(tables["gate_node"]))

    def _write_keys(self, parts: list[SplitRoot]) -> None:
        tables = self.tables
        demands = [dict(part.keys) for part in parts]
        keys = [key for key in self.splitter.keys if any(key in demand for demand in demands)]
        for key in keys:
            tables["key_operand"].append(self._operands[key])
            tables["key_nodes"].extend(self._nodes[demand.get(key, TRUE)] for demand in demands)
        tables["key_first"].append(len(tables["key_operand"]))
