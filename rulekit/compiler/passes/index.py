"""Choose how each comparison is answered: directly, or from bits kept on a process or a string.

Text comparisons of similar fields form a *domain*. What a string makes true in its domain is found
in one go and kept; a comparison then is one bit. A process is known by its *signature*: for each
of its text fields the bits of the value, and one bit for each other comparison that depends on the
process alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rulekit.compiler._graph import Graph
from rulekit.compiler.ir import (
    FieldOperand,
)
from rulekit.compiler.passes.split import (
    FIRST_KEY,
    NEAR_PATH,
    PROCESS,
    PROCESS_FIELDS,
    Splitter,
    is_path,
)
from rulekit.compiler.tables import EXISTS_BIT, N_DOMAINS, NONE, Domain, How
from rulekit.rules.bound import TypedValue
from rulekit.schema.types import Kind

_DOMAIN_OF = {
    "name": Domain.NAME,
    "pname": Domain.NAME,
    "aname": Domain.NAME,
    "cmdline": Domain.LINE,
    "pcmdline": Domain.LINE,
    "acmdline": Domain.LINE,
    "exeline": Domain.LINE,
    "aargs": Domain.LINE,
    "aenv": Domain.LINE,
    "exe": Domain.FILE,
    "pexe": Domain.FILE,
    "aexe": Domain.FILE,
    "exepath": Domain.FILE,
    "pexepath": Domain.FILE,
    "aexepath": Domain.FILE,
    "cwd": Domain.FILE,
}

_PROCESS_BIT = int(How.PROCESS_BIT)

TextTest = tuple[str, "str | None", "tuple[TypedValue, ...]"]


@dataclass(slots=True)
class Answers:
    """How the comparisons of a program are answered.

    Attributes:
        how, test, part, bit: Per predicate, as it is answered; `test` is its number in `tests`,
            or NONE.
        tests: Text comparisons without what is compared, numbered.
        parts: Operands that make up the signature; shape ``(n_parts,)``.
        process_bits: Predicates that are bits of the signature.
        domains: Per domain its tests; the position is the bit.
        operand_domain: Domain of each operand that has one.
    """

    how: tuple[int, ...] = ()
    test: tuple[int, ...] = ()
    part: tuple[int, ...] = ()
    bit: tuple[int, ...] = ()
    tests: dict[TextTest, int] = field(default_factory=dict)
    parts: list[int] = field(default_factory=list)
    process_bits: list[int] = field(default_factory=list)
    domains: list[dict[int, int]] = field(default_factory=lambda: [{} for _ in range(N_DOMAINS)])
    operand_domain: dict[int, Domain] = field(default_factory=dict)


def index(graph: Graph, splitter: Splitter, predicates: Sequence[int]) -> Answers:
    """Return how each of `predicates` is answered."""
    answers = Answers()
    tests = answers.tests
    # Comparisons of one operand with literals are all answered alike.
    alike: dict[int, tuple[bool, int, int, dict[int, int] | None]] = {}
    all_of, rows = graph.predicates, []
    for number in predicates:
        predicate = all_of[number]
        left, op = predicate.left, predicate.op
        plan = alike.get(left)
        if plan is None or predicate.other is not None:
            plan = _plan(graph, splitter, number, answers)
            if predicate.other is None:
                alike[left] = plan
        tested, how, part, bits = plan
        test, bit = NONE, 0
        if tested:
            test = tests.setdefault((op, predicate.modifier, predicate.values), len(tests))
        if bits is not None:
            bit = EXISTS_BIT if op == "exists" else bits.setdefault(test, len(bits))
        elif how == _PROCESS_BIT:
            bit = len(answers.process_bits)
            answers.process_bits.append(number)
        rows.append((how, test, part, bit))
    if rows:
        answers.how, answers.test, answers.part, answers.bit = zip(*rows, strict=True)
    return answers


def _plan(
    graph: Graph, splitter: Splitter, number: int, answers: Answers
) -> tuple[bool, int, int, dict[int, int] | None]:
    """Return whether a comparison is a text test, how it is answered, its part and its domain."""
    predicate = graph.predicates[number]
    scope = splitter.predicate_scope(number)
    left = graph.operands[predicate.left]
    tested = predicate.other is None and predicate.kind in (Kind.TEXT, Kind.BYTES)
    text = (
        predicate.kind is Kind.TEXT
        and predicate.other is None
        and predicate.quantifier in ("one", "ancestors")
    )
    how, part = How.DIRECT, 0
    if scope == PROCESS:
        how = How.PROCESS_BIT
        if text and isinstance(left, FieldOperand):
            how, part = How.PROCESS_TEXT, len(answers.parts)
            answers.parts.append(predicate.left)
    elif scope & ~NEAR_PATH >= FIRST_KEY:
        how = How.TEXT
    bits = None
    if how in (How.PROCESS_TEXT, How.TEXT) and isinstance(left, FieldOperand):
        domain = answers.operand_domain[predicate.left] = _domain(left)
        bits = answers.domains[domain]
    return tested, int(how), part, bits


def _domain(operand: FieldOperand) -> Domain:
    if operand.name not in PROCESS_FIELDS:
        return Domain.PATH if is_path(operand) else Domain.EVENT
    if operand.index is None and operand.key is None:
        if operand.name == "proc.env":
            return Domain.ENVIRONMENT
        if operand.name == "proc.args":
            return Domain.ARGUMENTS
    if operand.name.startswith("proc."):
        return _DOMAIN_OF.get(operand.name.rpartition(".")[2], Domain.OTHER)
    return Domain.OTHER
