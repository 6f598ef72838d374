"""Writes programs: numbers of the graph become positions in flat arrays."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import accumulate, count, islice

from rulekit.compiler._graph import Graph
from rulekit.compiler.ir import (
    TRUE,
    CallOperand,
    FieldOperand,
    LiteralOperand,
    Predicate,
)
from rulekit.compiler.lower import Lowered, RuleInput, lower
from rulekit.compiler.passes.fold import EventClass, fold
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
from rulekit.rules.bound import TypedValue
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


class _Rows:
    """The tables of one prefix: a row is one position in all of them."""

    def __init__(self, tables: dict[str, array[int]], prefix: str) -> None:
        self._add = {
            name.removeprefix(f"{prefix}_"): table.append
            for name, table in tables.items()
            if name.startswith(f"{prefix}_")
        }
        self._count = 0

    def add(self, **row: int) -> int:
        """Add a row; return its number."""
        add = self._add
        for name, value in row.items():
            add[name](value)
        self._count += 1
        return self._count - 1


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
        self._operand_rows = _Rows(self.tables, "operand")
        self._predicate_rows = _Rows(self.tables, "predicate")
        self._test_rows = _Rows(self.tables, "test")
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
        used = [graph.args[n][0] for n in nodes if graph.ops[n] == _PREDICATE]
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
        ends = self.tables["text_end"]
        first = len(ends) - 1
        ends.extend(islice(accumulate(map(len, texts), initial=len(self.pool)), 1, None))
        self.pool += b"".join(texts)
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
        first = len(tables["arguments"])
        tables["arguments"].extend(arguments)
        row = self._operand_rows.add(
            form=form,
            kind=KINDS[kind],
            quantifier=QUANTIFIERS[quantifier],
            domain=answers.operand_domain.get(number, 255),
            name=self._text(name),
            key=NONE if key is None else self._text(key.encode("utf-8", "surrogateescape")),
            index=-1 if index_ is None else index_,
            first=first,
            n=len(arguments),
        )
        return self._operands.setdefault(number, row)

    def _predicate(self, number: int, answers: Answers) -> None:
        predicate = self.graph.predicates[number]
        test = NONE
        first = 0
        if predicate.other is None and predicate.kind in (Kind.TEXT, Kind.BYTES):
            test = self._test(predicate)
        elif predicate.other is None:
            first = self._values(predicate)
        other = predicate.other
        self.predicates[number] = self._predicate_rows.add(
            op=OPS[predicate.op],
            modifier=MODIFIERS[predicate.modifier],
            kind=KINDS[predicate.kind],
            quantifier=QUANTIFIERS[predicate.quantifier],
            how=answers.how[number],
            left=self._operand(predicate.left, answers),
            other=NONE if other is None else self._operand(other, answers),
            first=first,
            n=len(predicate.values),
            test=test,
            part=answers.part.get(number, 0),
            bit=answers.bit.get(number, 0),
        )

    def _test(self, predicate: Predicate) -> int:
        key = (predicate.op, predicate.modifier, predicate.values)
        number = self._tests.get(key)
        if number is None:
            number = self._tests[key] = self._test_rows.add(
                op=OPS[predicate.op],
                modifier=MODIFIERS[predicate.modifier],
                first=self._append_texts(predicate.values),  # type: ignore[arg-type]
                n=len(predicate.values),
            )
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
            if op == _PREDICATE:
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
                mask = bytearray((len(parts) + 63) // 64 * 8)
                for place in gate.positions:
                    mask[place >> 3] |= 1 << (place & 7)
                tables["gate_node"].append(position[gate.node])
                tables["gate_words"].frombytes(mask)
            tables["gate_first"].append(len(tables["gate_node"]))

    def _write_keys(self, parts: list[SplitRoot]) -> None:
        tables = self.tables
        demands = [dict(part.keys) for part in parts]
        keys = [key for key in self.splitter.keys if any(key in demand for demand in demands)]
        for key in keys:
            tables["key_operand"].append(self._operands[key])
            tables["key_nodes"].extend(self._nodes[demand.get(key, TRUE)] for demand in demands)
        tables["key_first"].append(len(tables["key_operand"]))
