"""Fields and transformer calls → bound operands with their types."""

from __future__ import annotations

from dataclasses import dataclass

from rulekit.rules.ast import Argument, FieldNode, LiteralNode, TransformNode, TupleNode
from rulekit.rules.bound import (
    BoundField,
    BoundLiteral,
    BoundTransform,
    BoundTuple,
    Operand,
)
from rulekit.rules.literals import to_bytes
from rulekit.rules.names import (
    BadArgument,
    NamedField,
    UnknownField,
    UnknownParam,
    explain_unknown,
    find_field,
)
from rulekit.rules.static import static_value
from rulekit.schema.fields import Field
from rulekit.schema.types import KIND_OF_PARAM_TYPE, Kind
from rulekit.text.diagnostic import Diagnostic
from rulekit.text.source import Span

_TEXT = frozenset({"PT_CHARBUF", "PT_FSPATH", "PT_FSRELPATH"})
# What each transformer of one argument takes; `len` also takes any list.
_TAKES = {
    **dict.fromkeys(("tolower", "toupper", "basename"), _TEXT),
    "b64": frozenset({"PT_CHARBUF", "PT_BYTEBUF"}),
    "len": _TEXT | {"PT_BYTEBUF"},
}


class CheckError(Exception):
    """A comparison that is wrong; `error_class` as in `CheckResult`."""

    def __init__(self, error_class: str, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.error_class = error_class
        self.diagnostic = diagnostic


@dataclass(frozen=True, slots=True)
class TypedOperand:
    """An operand and what it yields.

    Attributes:
        field: The field that the value comes from, also through one-argument transformers.
        type: ``PT_*`` name after transformation; `base_type` and `base_list` before it.
        restrictions: Those of `field`.
    """

    operand: Operand
    field: Field | None
    type: str
    is_list: bool
    base_type: str
    base_list: bool
    restrictions: frozenset[str]


def kind_of(type: str) -> Kind:
    """Return the kind of a ``PT_*`` type."""
    return KIND_OF_PARAM_TYPE.get(type, Kind.TEXT)


def bind_field(node: FieldNode, source: str) -> BoundField | BoundTransform:
    """Resolve a field of a condition or output; a constant is a call of literals.

    Raises:
        CheckError: The field is unknown or its argument is wrong.
    """
    return _bound_field(node, _named_field(node, source))


def bind_operand(node: Argument, source: str) -> TypedOperand:
    """Resolve a field, transformer call or argument; calls may nest to any depth.

    Raises:
        CheckError: A field is unknown, or a transformer is given what it does not take.
    """
    done: list[TypedOperand] = []
    stack: list[tuple[Argument, bool]] = [(node, False)]
    while stack:
        part, ready = stack.pop()
        if isinstance(part, FieldNode):
            done.append(_typed_field(part, source))
        elif isinstance(part, LiteralNode):
            literal = BoundLiteral(to_bytes(part.text), part.span)
            done.append(_text(literal))
        elif not ready:
            stack.append((part, True))
            inner = part.items if isinstance(part, TupleNode) else part.args
            stack += [(arg, False) for arg in reversed(inner)]
        else:
            count = len(part.items if isinstance(part, TupleNode) else part.args)
            args = done[len(done) - count :]
            del done[len(done) - count :]
            done.append(_tuple(part, args) if isinstance(part, TupleNode) else _call(part, args))
    return done[0]


def _text(operand: Operand, is_list: bool = False) -> TypedOperand:
    type = "PT_CHARBUF"
    return TypedOperand(operand, None, type, is_list, type, is_list, frozenset())


def _named_field(node: FieldNode, source: str) -> NamedField:
    text = node.name if node.arg is None else f"{node.name}[{node.arg}]"
    shown = text if len(text) <= 80 else f"{text[:80]}..."
    try:
        return find_field(text, source)
    except UnknownField as e:
        label, help = explain_unknown(text, source)
        # Falco skips a rule marked so for unknown fields, but not for unknown parameters.
        code = "RK210" if isinstance(e, UnknownParam) else "RK201"
        message = f"unknown field `{shown}`"
        raise _error("unknown-field", code, message, node.span, label, help) from None
    except BadArgument as e:
        message = f"bad argument of field `{shown}`"
        raise _error("field-argument", "RK202", message, node.span, str(e)) from None


def _bound_field(node: FieldNode, named: NamedField) -> BoundField | BoundTransform:
    field = named.field
    value = static_value(field.name)
    if value is not None:
        texts = (BoundLiteral(to_bytes(value), node.span), BoundLiteral(b"", node.span))
        return BoundTransform("concat", texts, None, Kind.TEXT, False, node.span)
    is_list = field.is_list
    return BoundField(field, named.index, named.key, kind_of(named.type), is_list, node.span)


def _typed_field(node: FieldNode, source: str) -> TypedOperand:
    named = _named_field(node, source)
    bound, field = _bound_field(node, named), named.field
    is_list = field.is_list
    return TypedOperand(bound, field, named.type, is_list, named.type, is_list, field.restrictions)


def _tuple(node: TupleNode, items: list[TypedOperand]) -> TypedOperand:
    return _text(BoundTuple(tuple(i.operand for i in items), node.span), is_list=True)


def _error(
    error_class: str, code: str, message: str, span: Span, label: str, help: str | None = None
) -> CheckError:
    falco = "LOAD_ERR_COMPILE_CONDITION"
    return CheckError(
        error_class, Diagnostic(code, "error", message, span, label, help, falco=falco)
    )


def _refuse(node: TransformNode, label: str, span: Span | None = None) -> CheckError:
    message = f"`{node.name}` cannot be applied here"
    return _error("transformer", "RK207", message, span or node.span, label)


def _call(node: TransformNode, args: list[TypedOperand]) -> TypedOperand:
    if len(args) == 1:
        return _call_of_one(node, args[0])
    if node.name not in _MANY:
        raise _refuse(node, f"`{node.name}` takes one argument")
    _MANY[node.name](node, args)
    if node.arg is None:
        is_list = node.name == "getopt"
    elif node.name != "getopt":
        raise _refuse(node, f"`{node.name}` takes no argument in brackets")
    elif len(to_bytes(node.arg)) != 1:
        raise _refuse(node, "one option character is needed in the brackets")
    else:
        is_list = False
    operands = tuple(a.operand for a in args)
    bound = BoundTransform(node.name, operands, node.arg, Kind.TEXT, is_list, node.span)
    typed = _text(bound, is_list)
    # Other transformers see a call as one text, even where it yields a list.
    return TypedOperand(bound, None, typed.type, is_list, typed.type, False, frozenset())


def _call_of_one(node: TransformNode, inner: TypedOperand) -> TypedOperand:
    if node.arg is not None:
        raise _refuse(node, f"`{node.name}` takes no argument in brackets")
    if node.name not in _TAKES:
        raise _refuse(node, f"`{node.name}` takes more than one argument")
    if "no_transformer" in inner.restrictions:
        raise _refuse(node, "this field cannot be transformed", inner.operand.span)
    type, is_list = inner.type, inner.is_list
    if node.name == "len" and (is_list or type in _TAKES["len"]):
        type, is_list = "PT_UINT64", False
    elif type not in _TAKES[node.name]:
        needed = "texts and byte buffers" if node.name in ("b64", "len") else "texts"
        raise _refuse(node, f"takes only {needed}", inner.operand.span)
    bound = BoundTransform(node.name, (inner.operand,), None, kind_of(type), is_list, node.span)
    return TypedOperand(
        bound, inner.field, type, is_list, inner.base_type, inner.base_list, inner.restrictions
    )


# Transformers of several arguments look at what an argument is before transformation.


def _check_concat(node: TransformNode, args: list[TypedOperand]) -> None:
    for arg in args:
        if arg.base_type != "PT_CHARBUF" or arg.base_list:
            raise _refuse(node, "takes only texts", arg.operand.span)


def _check_join(node: TransformNode, args: list[TypedOperand]) -> None:
    if len(args) != 2:
        raise _refuse(node, "takes a separator and a list")
    if args[0].base_list:
        raise _refuse(node, "the separator comes first, then the list", args[0].operand.span)
    if not args[1].base_list:
        raise _refuse(node, "a list is needed here", args[1].operand.span)


def _check_getopt(node: TransformNode, args: list[TypedOperand]) -> None:
    if len(args) != 2:
        raise _refuse(node, "takes a list and the option characters")
    if not args[0].base_list or args[0].base_type != "PT_CHARBUF":
        raise _refuse(node, "a list of texts is needed here", args[0].operand.span)
    if args[1].base_list or args[1].base_type != "PT_CHARBUF":
        raise _refuse(node, "a text is needed here", args[1].operand.span)


_MANY = {"concat": _check_concat, "join": _check_join, "getopt": _check_getopt}
