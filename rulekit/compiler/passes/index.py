"""Choose how each comparison is answered: directly, or from bits kept on a process or a string.

Text comparisons of similar fields form a *domain*. What a string makes true in its domain is found
in one go and kept; a comparison then is one bit. A process is known by its *signature*: for each
of its text fields the bits of the value, and one bit for each other comparison that depends on the
process alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from rulekit.compiler._graph import Graph
from rulekit.compiler.ir import (
    FieldOperand,
    Predicate,
)
from rulekit.compiler.passes.split import (
    FIRST_KEY,
    NEAR_PATH,
    PROCESS,
    PROCESS_FIELDS,
    Splitter,
    is_path,
)
from rulekit.compiler.tables import EXISTS_BIT, N_DOMAINS, Domain, How
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

TextTest = tuple[str, "str | None", "tuple[TypedValue, ...]"]


@dataclass(slots=True)
class Answers:
    """How the comparisons of a program are answered.

    Attributes:
        how, part, bit: By number of predicate.
        parts: Operands that make up the signature; shape ``(n_parts,)``.
        process_bits: Predicates that are bits of the signature.
        domains: Per domain its text comparisons; the position is the bit.
        operand_domain: Domain of each operand that has one.
    """

    how: dict[int, How] = field(default_factory=dict)
    part: dict[int, int] = field(default_factory=dict)
    bit: dict[int, int] = field(default_factory=dict)
    parts: list[int] = field(default_factory=list)
    process_bits: list[int] = field(default_factory=list)
    domains: list[dict[TextTest, int]] = field(
        default_factory=lambda: [{} for _ in range(N_DOMAINS)]
    )
    operand_domain: dict[int, Domain] = field(default_factory=dict)


def index(graph: Graph, splitter: Splitter, predicates: Iterable[int]) -> Answers:
    """Return how each of `predicates` is answered."""
    answers = Answers()
    part_of: dict[int, int] = {}
    for number in predicates:
        predicate = graph.predicates[number]
        scope = splitter.predicate_scope(number)
        left = graph.operands[predicate.left]
        text = (
            predicate.kind is Kind.TEXT
            and predicate.other is None
            and predicate.quantifier in ("one", "ancestors")
            and isinstance(left, FieldOperand)
        )
        if scope == PROCESS and text and isinstance(left, FieldOperand):
            if predicate.left not in part_of:
                part_of[predicate.left] = len(answers.parts)
                answers.parts.append(predicate.left)
                answers.operand_domain[predicate.left] = _domain(left)
            answers.how[number] = How.PROCESS_TEXT
            answers.part[number] = part_of[predicate.left]
            answers.bit[number] = _text_bit(answers, _domain(left), predicate)
        elif scope == PROCESS:
            answers.how[number] = How.PROCESS_BIT
            answers.bit[number] = len(answers.process_bits)
            answers.process_bits.append(number)
        elif scope & ~NEAR_PATH >= FIRST_KEY and isinstance(left, FieldOperand):
            answers.how[number] = How.TEXT
            answers.operand_domain[predicate.left] = _domain(left)
            answers.bit[number] = _text_bit(answers, _domain(left), predicate)
        else:
            answers.how[number] = How.DIRECT
    return answers


def _text_bit(answers: Answers, domain: Domain, predicate: Predicate) -> int:
    if predicate.op == "exists":
        return EXISTS_BIT
    tests = answers.domains[domain]
    return tests.setdefault((predicate.op, predicate.modifier, predicate.values), len(tests))


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
