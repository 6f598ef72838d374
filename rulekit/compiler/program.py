"""Writes programs: numbers of the graph become positions in flat arrays."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from io import BytesIO
from itertools import accumulate

from rulekit.compiler._graph import Graph
from rulekit.compiler.ir import (
    TRUE,
    CallOperand,
    FieldOperand,
    LiteralOperand,
    Predicate,
)
from rulekit.compiler.lower import Lowered, RuleInput, lower
from rulekit.compiler.passes.fold import GENERIC_EXIT, EventClass, fold, slot_table
from rulekit.compiler.passes.gate import gates
from rulekit.compiler.passes.index import Answers, index
from rulekit.compiler.passes.order import Costs
from rulekit.compiler.passes.split import SplitRoot, Splitter, choose_keys
from rulekit.compiler.tables import (
    KINDS,
    MODIFIERS,
    N_SLOTS,
    NONE,
    OPERAND_CALL,
    OPERAND_FIELD,
    OPERAND_LITERAL,
    OPERAND_TUPLE,
    OPS,
    QUANTIFIERS,
    TABLES,
    How,
    NodeOp,
    Program,
)
from rulekit.native.garbage import without_collecting
from rulekit.schema.types import Kind

_PREDICATE = int(NodeOp.PREDICATE)

__all__ = ["Program", "compile_ruleset", "write_program"]


def compile_ruleset(rules: Sequence[RuleInput]) -> Program:
    """Compile ``(name, bound condition, event types or None)`` into a program.

    The event types restrict where a rule is tried; None leaves that to the condition. Rules need
    nothing else, so that stand-alone conditions are compiled in the same way.
    """
    with without_collecting():
        return write_program(lower(rules))[0]


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
        self._pool: list[bytes] = []
        self._texts: dict[bytes, int] = {}
        self._operands: dict[int, int] = {}
        self.predicates: dict[int, int] = {}
        self._nodes = array("I")

    def program(self, keep: Sequence[int]) -> Program:
        graph = self.graph
        roots = list(self.parts)
        for part in (part for parts in self.parts.values() for part in parts):
            roots += [part.root, part.process, part.rest, *(node for _, node in part.keys)]
        nodes = graph.reachable([0, TRUE, *dict.fromkeys([*keep, *roots])])
        used = [graph.args[n][0] for n in nodes if graph.ops[n] == _PREDICATE]
        self.predicates = {number: position for position, number in enumerate(used)}
        answers = index(graph, self.splitter, used)
        cheap = {n for n, how in zip(used, answers.how, strict=True) if how != How.DIRECT}
        self._write_predicates(used, answers)
        self._write_operand_domains(answers)
        self._write_answers(answers)
        costs = Costs(graph, cheap)
        self._write_nodes(nodes, costs)
        self._write_classes(costs)
        self.tables["text_end"].extend(accumulate(map(len, self._pool), initial=0))
        # A join would first make room for 80 bytes per text.
        pool = BytesIO()
        pool.writelines(self._pool)
        return Program(self.lowered.names, self.tables, pool.getvalue())

    def _text(self, text: bytes) -> int:
        number = self._texts.get(text)
        if number is None:
            number = self._texts[text] = len(self._pool)
            self._pool.append(text)
        return number

    def _append_texts(self, texts: Sequence[bytes]) -> int:
        self._pool.extend(texts)
        return len(self._pool) - len(texts)

    def _operand(self, number: int) -> int:
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
        arguments = [self._operand(item) for item in inner]
        tables = self.tables
        tables["operand_form"].append(form)
        tables["operand_kind"].append(KINDS[kind])
        tables["operand_quantifier"].append(QUANTIFIERS[quantifier])
        tables["operand_name"].append(self._text(name))
        tables["operand_key"].append(
            NONE if key is None else self._text(key.encode("utf-8", "surrogateescape"))
        )
        tables["operand_index"].append(-1 if index_ is None else index_)
        tables["operand_first"].append(len(tables["arguments"]))
        tables["operand_n"].append(len(arguments))
        tables["arguments"].extend(arguments)
        return self._operands.setdefault(number, len(tables["operand_form"]) - 1)

    def _write_predicates(self, used: Sequence[int], answers: Answers) -> None:
        predicates = [self.graph.predicates[number] for number in used]
        tables, pool, operands = self.tables, self._pool, self._operands
        test_first: list[int] = []
        firsts: list[int] = []
        others: list[int] = []
        written = 0
        # Texts and operands get their numbers in the order in which they are met.
        for predicate, test in zip(predicates, answers.test, strict=True):
            other, first = predicate.other, 0
            if test == written:
                test_first.append(len(pool))
                pool.extend(predicate.values)  # type: ignore[arg-type]
                written += 1
            elif test == NONE and other is None:
                first = self._values(predicate)
            firsts.append(first)
            if predicate.left not in operands:
                self._operand(predicate.left)
            others.append(NONE if other is None else self._operand(other))
        columns: dict[str, Iterable[int]] = {
            "op": [OPS[p.op] for p in predicates],
            "modifier": [MODIFIERS[p.modifier] for p in predicates],
            "kind": [KINDS[p.kind] for p in predicates],
            "quantifier": [QUANTIFIERS[p.quantifier] for p in predicates],
            "how": answers.how,
            "left": [operands[p.left] for p in predicates],
            "other": others,
            "first": firsts,
            "n": [len(p.values) for p in predicates],
            "test": answers.test,
            "part": answers.part,
            "bit": answers.bit,
        }
        for name, column in columns.items():
            tables[f"predicate_{name}"].extend(column)
        tables["test_first"].extend(test_first)
        tables["test_op"].extend(OPS[op] for op, _, _ in answers.tests)
        tables["test_modifier"].extend(MODIFIERS[modifier] for _, modifier, _ in answers.tests)
        tables["test_n"].extend(len(values) for _, _, values in answers.tests)

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

    def _write_operand_domains(self, answers: Answers) -> None:
        domain = answers.operand_domain
        # Positions were given in the order of this dictionary.
        self.tables["operand_domain"].extend(domain.get(number, 255) for number in self._operands)

    def _write_answers(self, answers: Answers) -> None:
        tables = self.tables
        for domain in answers.domains:
            tables["domain_first"].append(len(tables["domain_tests"]))
            tables["domain_tests"].extend(domain)
        tables["domain_first"].append(len(tables["domain_tests"]))
        tables["parts"].extend(self._operands[part] for part in answers.parts)
        tables["process_bits"].extend(self.predicates[p] for p in answers.process_bits)

    def _write_nodes(self, nodes: list[int], costs: Costs) -> None:
        graph, tables = self.graph, self.tables
        tables["node_op"].extend(map(graph.ops.__getitem__, nodes))
        first, n, children, position = costs.tables(nodes, self.predicates)
        tables["node_first"].frombytes(first)
        tables["node_n"].frombytes(n)
        tables["children"].frombytes(children)
        self._nodes = array("I", position)

    def _write_classes(self, costs: Costs) -> None:
        tables, position = self.tables, self._nodes
        tables["slot_class"].extend([0] * N_SLOTS)
        tables["class_first"].append(0)
        tables["gate_first"].append(0)
        tables["key_first"].append(0)
        for number, each in enumerate(self.classes):
            for slot in each.slots:
                tables["slot_class"][slot] = number + 1
            parts: list[SplitRoot] = []
            for rule, root in each.rules:
                alternatives = self.parts[root]
                parts += alternatives
                for _ in alternatives:
                    tables["class_rule"].append(rule)
                    tables["class_root"].append(position[root])
            tables["class_process"].extend([position[part.process] for part in parts])
            tables["class_rest"].extend([position[part.rest] for part in parts])
            tables["class_first"].append(len(tables["class_rule"]))
            self._write_keys(parts)
            found = gates(self.splitter, costs, [part.root for part in parts])
            tables["class_early"].append(sum(gate.early for gate in found))
            for gate in found:
                mask = bytearray((len(parts) + 63) // 64 * 8)
                for place in gate.positions:
                    mask[place >> 3] |= 1 << (place & 7)
                tables["gate_node"].append(position[gate.node])
                tables["gate_words"].frombytes(mask)
            tables["gate_first"].append(len(tables["gate_node"]))
        # Calls newer than our table of them: nothing but their number is known.
        slots = tables["slot_class"]
        for slot in slot_table().unknown:
            slots[slot] = slots[GENERIC_EXIT]

    def _write_keys(self, parts: list[SplitRoot]) -> None:
        tables, position = self.tables, self._nodes
        columns: dict[int, array[int]] = {}
        for place, part in enumerate(parts):
            for key, node in part.keys:
                column = columns.get(key)
                if column is None:
                    column = columns[key] = array("I", [position[TRUE]]) * len(parts)
                column[place] = position[node]
        for key in self.splitter.keys:
            if key in columns:
                tables["key_operand"].append(self._operands[key])
                tables["key_nodes"].extend(columns[key])
        tables["key_first"].append(len(tables["key_operand"]))
