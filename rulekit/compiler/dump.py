"""Stages of compilation as text: the graph of a ruleset, and the program made from it."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from rulekit.compiler._graph import Graph
from rulekit.compiler.ir import (
    CallOperand,
    FieldOperand,
    LiteralOperand,
    Predicate,
)
from rulekit.compiler.lower import Lowered
from rulekit.compiler.passes.fold import GENERIC_EXIT
from rulekit.compiler.tables import (
    EXISTS_BIT,
    GENERIC_BASE,
    MODIFIERS,
    NONE,
    OPERAND_CALL,
    OPERAND_FIELD,
    OPERAND_LITERAL,
    Domain,
    How,
    NodeOp,
    Program,
)
from rulekit.schema.events import event_types
from rulekit.schema.types import Kind
from rulekit.schema.values import value_tables

MAX_VALUES = 8

_OPS = (
    *("exists", "in", "!=", "<", "<=", ">", ">=", "contains", "icontains", "startswith"),
    *("endswith", "glob", "iglob", "pmatch", "regex", "intersects"),
)
_MODIFIERS = {number: modifier for modifier, number in MODIFIERS.items()}
_KINDS = tuple(Kind)


def slot_name(slot: int) -> str:
    """Return the event type or system call that a slot stands for; see `passes.fold`."""
    calls: dict[str, str] = value_tables()["ppm_sc"]
    event = event_types()[slot if slot < GENERIC_BASE else GENERIC_EXIT]
    return calls.get(str(slot - GENERIC_BASE), event.name)


def dump_graph(lowered: Lowered) -> str:
    """Return the graph of a ruleset: one node a line, children before parents, then the rules."""
    graph = lowered.graph
    lines = [
        f"n{node} = {_node(graph, node)}"
        for node in graph.reachable(list(dict.fromkeys(lowered.roots)))
    ]
    lines += [
        f"rule {name!r}: n{root}" for name, root in zip(lowered.names, lowered.roots, strict=True)
    ]
    return "\n".join(lines) + "\n"


def _node(graph: Graph, node: int) -> str:
    op, args = NodeOp(graph.ops[node]), graph.args[node]
    if op is NodeOp.PREDICATE:
        return _predicate(graph, graph.predicates[args[0]])
    return " ".join([op.name.lower(), *(f"n{child}" for child in args)])


def _predicate(graph: Graph, predicate: Predicate) -> str:
    left = _operand(graph, predicate.left)
    if predicate.op == "exists":
        return f"{left} exists"
    if predicate.other is not None:
        return f"{left} {predicate.op} {_operand(graph, predicate.other)}"
    return _compared(left, predicate.op, predicate.modifier, predicate.kind, list(predicate.values))


def _compared(left: str, op: str, modifier: str | None, kind: Kind, values: list[object]) -> str:
    """Return a comparison with literals; one value stands without parentheses."""
    shown = [_value(kind, value) for value in values[:MAX_VALUES]]
    if len(values) > MAX_VALUES:
        shown.append(f"... {len(values)} in all")
    # One number stands for both operators, here and in programs.
    if op == "in" and (len(values) == 1 or modifier is not None):
        op = "="
    if modifier is None and len(values) == 1:
        return f"{left} {op} {shown[0]}"
    return " ".join(filter(None, (left, op, modifier, f"({', '.join(shown)})")))


def _value(kind: Kind, value: object) -> str:
    if kind is Kind.ADDRESS and isinstance(value, bytes):
        return str(ip_address(value))
    if kind is Kind.NETWORK and isinstance(value, tuple):
        return f"{ip_address(value[0])}/{value[1]}"
    if kind is Kind.BOOL:
        return "true" if value else "false"
    if kind is Kind.UINT and isinstance(value, int) and value < 0:
        value += 1 << 64  # as it lies in a program
    return repr(value)[1:] if isinstance(value, bytes) else repr(value)


def _operand(graph: Graph, number: int) -> str:
    operand = graph.operands[number]
    if isinstance(operand, FieldOperand):
        argument = operand.key if operand.index is None else str(operand.index)
        return operand.name if argument is None else f"{operand.name}[{argument}]"
    if isinstance(operand, LiteralOperand):
        return repr(operand.value)[1:]
    if isinstance(operand, CallOperand):
        text = f"{operand.name}({', '.join(_operand(graph, arg) for arg in operand.args)})"
        return text if operand.key is None else f"{text}[{operand.key}]"
    return f"({', '.join(_operand(graph, item) for item in operand.items)})"


def dump_program(program: Program) -> str:
    """Return a program: per class of event types its rules and gates, then nodes and operands."""
    return "\n".join(ProgramText(program).lines()) + "\n"


class ProgramText:
    """Parts of a program as text, as `dump_program` shows them."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.tables = program.tables

    def lines(self) -> Iterator[str]:
        tables = self.tables
        n_classes = len(tables["class_first"]) - 1
        yield (
            f"{len(self.program.names)} rules, {n_classes} classes, {len(tables['node_op'])} nodes,"
            f" {len(tables['predicate_op'])} comparisons, {len(tables['operand_form'])} operands,"
            f" {len(self.program.pool)} bytes of literals"
        )
        words = nodes = 0
        for number in range(n_classes):
            size = tables["class_first"][number + 1] - tables["class_first"][number]
            yield from self._class(number, words, nodes)
            gates = tables["gate_first"][number + 1] - tables["gate_first"][number]
            keys = tables["key_first"][number + 1] - tables["key_first"][number]
            words += gates * ((size + 63) // 64)
            nodes += keys * size
        parts = ", ".join(self.operand(part) for part in tables["parts"])
        yield f"signature: {parts or '-'}; {len(tables['process_bits'])} bits"
        for domain in Domain:
            first, end = tables["domain_first"][domain], tables["domain_first"][domain + 1]
            if end > first:
                yield f"domain {domain.name.lower()}: {end - first} text comparisons"
        for node in range(len(tables["node_op"])):
            yield f"n{node} = {self._node(node)}"

    def _class(self, number: int, words: int, nodes: int) -> Iterator[str]:
        tables = self.tables
        first, end = tables["class_first"][number], tables["class_first"][number + 1]
        yield f"class {number}: {self._slots(number)}"
        keys = range(tables["key_first"][number], tables["key_first"][number + 1])
        for place in range(first, end):
            name = self.program.names[tables["class_rule"][place]]
            demands = [f"process n{tables['class_process'][place]}"]
            for i, key in enumerate(keys):
                node = tables["key_nodes"][nodes + i * (end - first) + place - first]
                if tables["node_op"][node] != NodeOp.TRUE:
                    demands.append(f"{self.operand(tables['key_operand'][key])} n{node}")
            demands.append(f"rest n{tables['class_rest'][place]}")
            yield f"  {name!r}: n{tables['class_root'][place]} = {', '.join(demands)}"
        size = (end - first + 63) // 64
        gates = range(tables["gate_first"][number], tables["gate_first"][number + 1])
        for i, gate in enumerate(gates):
            mask = tables["gate_words"][words + i * size : words + (i + 1) * size]
            users = sum(word.bit_count() for word in mask)
            when = "early" if i < tables["class_early"][number] else "late"
            yield f"  gate n{tables['gate_node'][gate]} for {users} rules, {when}"

    def _slots(self, number: int) -> str:
        names: dict[str, None] = {}
        for slot, each in enumerate(self.tables["slot_class"]):
            if each == number + 1:
                names[slot_name(slot)] = None
        shown = list(names)[:12]
        return ", ".join(shown) + (f" and {len(names) - 12} more" if len(names) > 12 else "")

    def _node(self, node: int) -> str:
        tables = self.tables
        op = NodeOp(tables["node_op"][node])
        first, n = tables["node_first"][node], tables["node_n"][node]
        if op is NodeOp.PREDICATE:
            return self._predicate(first)
        children = tables["children"][first : first + n]
        return " ".join([op.name.lower(), *(f"n{child}" for child in children)])

    def _predicate(self, number: int) -> str:
        tables = self.tables
        how = How(tables["predicate_how"][number])
        bit = tables["predicate_bit"][number]
        place = "" if how is How.DIRECT else f"  [{how.name.lower()}"
        if how is How.PROCESS_TEXT:
            place += f" {tables['predicate_part'][number]}"
        if place:
            place += "]" if bit == EXISTS_BIT else f" bit {bit}]"
        return self.comparison(number) + place

    def comparison(self, number: int) -> str:
        """Return a comparison by its position among the predicates; long lists are cut short."""
        tables = self.tables
        op = _OPS[tables["predicate_op"][number]]
        left = self.operand(tables["predicate_left"][number])
        other = tables["predicate_other"][number]
        if op == "exists":
            return f"{left} exists"
        if other != NONE:
            return f"{left} {op} {self.operand(other)}"
        modifier = _MODIFIERS[tables["predicate_modifier"][number]]
        kind = _KINDS[tables["predicate_kind"][number]]
        return _compared(left, op, modifier, kind, self._literals(number, kind))

    def _literals(self, number: int, kind: Kind) -> list[object]:
        tables, program = self.tables, self.program
        first, n = tables["predicate_first"][number], tables["predicate_n"][number]
        test = tables["predicate_test"][number]
        if test != NONE:
            first = tables["test_first"][test]
        span = range(first, first + n)
        if kind in (Kind.TEXT, Kind.BYTES, Kind.ADDRESS):
            return [program.text(i) for i in span]
        if kind is Kind.NETWORK:
            texts, bits = tables["network_text"], tables["network_bits"]
            return [(program.text(texts[i]), bits[i]) for i in span]
        return [tables["doubles" if kind is Kind.DOUBLE else "numbers"][i] for i in span]

    def operand(self, number: int) -> str:
        """Return a field, call or literal by its position among the operands."""
        tables, program = self.tables, self.program
        form = tables["operand_form"][number]
        name = program.text(tables["operand_name"][number])
        key, index = tables["operand_key"][number], tables["operand_index"][number]
        argument = str(index) if index >= 0 else None
        if key != NONE:
            argument = program.text(key).decode("utf-8", "backslashreplace")
        first, n = tables["operand_first"][number], tables["operand_n"][number]
        inner = ", ".join(self.operand(i) for i in tables["arguments"][first : first + n])
        if form == OPERAND_LITERAL:
            return repr(name)[1:]
        text = name.decode()
        if form != OPERAND_FIELD:
            text = f"{text}({inner})" if form == OPERAND_CALL else f"({inner})"
        return text if argument is None else f"{text}[{argument}]"
