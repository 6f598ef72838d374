"""Split rules by what their parts depend on: the process, a text of the event, the event.

Some text fields are *keys*: the path always, others when many comparisons look at them. For each
root: what it demands of the process alone, of each key alone, and the rest. The first two are
implied by the root, so that an event whose process or path fails them is done with; their answers
are kept per process and per text, for all rules at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rulekit.compiler._graph import Graph
from rulekit.compiler.ir import (
    FALSE,
    TRUE,
    CallOperand,
    FieldOperand,
    LiteralOperand,
    Predicate,
)
from rulekit.compiler.tables import NodeOp
from rulekit.schema.types import Kind

_PREDICATE, _NOT, _AND = map(int, (NodeOp.PREDICATE, NodeOp.NOT, NodeOp.AND))

# What a value depends on, as bits. Anything not declared here depends on the event.
CONST = 0
PROCESS = 1
EVENT = 2
NEAR_PATH = 4  # of the event, but something about the path follows
FIRST_KEY = 8  # a bit for each key

PATH_FIELD = "fd.name"

# These change only with the version of the thread or of an ancestor, or with the tables of
# accounts and containers. Fields that look further (session leaders), count, or measure time are
# left out on purpose, and so are those that some event types answer from their parameters.
PROCESS_FIELDS = frozenset(
    """
    proc.name proc.pname proc.aname proc.exe proc.pexe proc.aexe proc.exepath proc.pexepath
    proc.aexepath proc.cmdline proc.pcmdline proc.acmdline proc.args proc.aargs proc.exeline
    proc.cmdnargs proc.cmdlenargs proc.env proc.aenv proc.cwd proc.tty proc.pid proc.ppid proc.apid
    proc.vpid proc.pvpid proc.sid proc.vpgid proc.pgid proc.is_sid_leader proc.is_vpgid_leader
    proc.is_pgid_leader proc.is_exe_writable proc.is_exe_upper_layer proc.is_exe_lower_layer
    proc.is_exe_from_memfd proc.exe_ino proc.exe_ino.ctime proc.exe_ino.mtime
    thread.cap_permitted thread.cap_inheritable thread.cap_effective thread.cgroups thread.cgroup
    thread.ismain user.uid user.name user.homedir user.shell user.loginuid user.loginname
    group.gid group.name container.id container.full_id container.name container.image
    container.image.id container.type container.privileged container.mounts container.mount
    container.mount.source container.mount.dest container.mount.mode container.mount.rdwr
    container.mount.propagation container.image.repository container.image.tag
    container.image.digest container.ip container.host_pid container.host_network
    container.host_ipc container.label container.labels k8s.pod.name k8s.ns.name k8s.pod.id
    k8s.pod.uid k8s.pod.sandbox_id k8s.pod.full_sandbox_id k8s.pod.label k8s.pod.labels k8s.pod.ip
    """.split()  # noqa: SIM905
)

MAX_SPLIT_DEPTH = 300
MAX_ALTERNATIVES = 4


@dataclass(frozen=True, slots=True)
class SplitRoot:
    """One form of a rule: ``root`` = ``process`` and all of ``keys`` and ``rest``.

    Attributes:
        keys: Pairs of a key and what is demanded of it, where that is anything.
    """

    root: int
    process: int
    keys: tuple[tuple[int, int], ...]
    rest: int


class Splitter:
    """Splits roots of one graph; results are remembered, because event types share roots.

    Args:
        keys: Operands that are keys.
    """

    def __init__(self, graph: Graph, keys: Sequence[int]) -> None:
        self.graph = graph
        self.keys = {operand: FIRST_KEY << i for i, operand in enumerate(keys)}
        self._path = graph.operand(FieldOperand(PATH_FIELD, None, None, Kind.TEXT, "one"))
        self._path_bit = self.keys.get(self._path, 0)
        self._scopes: list[int] = []
        self._done: dict[int, SplitRoot] = {}
        self._projected: dict[tuple[int, int, bool], int] = {}

    def operand_scope(self, number: int) -> int:
        """Return what an operand depends on, as a union of scope bits."""
        operand = self.graph.operands[number]
        if isinstance(operand, LiteralOperand):
            return CONST
        if isinstance(operand, FieldOperand):
            if operand.name in PROCESS_FIELDS:
                return PROCESS
            return EVENT | NEAR_PATH if operand.name in ("fd.directory", "fd.filename") else EVENT
        scope = CONST
        for item in operand.args if isinstance(operand, CallOperand) else operand.items:
            scope |= self.operand_scope(item)
        return scope

    def predicate_scope(self, number: int) -> int:
        """Return what a comparison depends on, as a union of scope bits."""
        predicate = self.graph.predicates[number]
        if predicate.left in self.keys and is_text_test(self.graph, predicate):
            near = self.operand_scope(predicate.left) & NEAR_PATH
            return self.keys[predicate.left] | near
        scope = self.operand_scope(predicate.left)
        if predicate.other is not None:
            scope |= self.operand_scope(predicate.other)
        return scope or EVENT

    def scope(self, node: int) -> int:
        """Return the union of the scopes of all comparisons below a node."""
        known = self._scopes
        if node >= len(known):
            # Children have smaller numbers, so that one pass does for all nodes made by now.
            ops, args = self.graph.ops, self.graph.args
            for each in range(len(known), len(ops)):
                if ops[each] == _PREDICATE:
                    scope = self.predicate_scope(args[each][0])
                else:
                    scope = CONST
                    for child in args[each]:
                        scope |= known[child]
                known.append(scope)
        return known[node]

    def split(self, root: int) -> SplitRoot:
        """Return the parts of a root."""
        found = self._done.get(root)
        if found is None:
            found = self._done[root] = self._split(root)
        return found

    def _split(self, root: int) -> SplitRoot:
        graph = self.graph
        # Skipping an evaluation would be seen by conditions with a memory.
        if graph.ordered[root] or graph.depth[root] > MAX_SPLIT_DEPTH:
            return SplitRoot(root, TRUE, (), root)
        scope = self.scope(root)
        keys = []
        pure = {PROCESS} if scope & PROCESS else set()
        for operand, bit in self.keys.items():
            if scope & bit or (operand == self._path and scope & NEAR_PATH):
                demanded = self._project(root, bit, True)
                if demanded != TRUE:
                    keys.append((operand, demanded))
                    pure |= {bit, bit | NEAR_PATH}
        parts = graph.args[root] if graph.ops[root] == NodeOp.AND else (root,)
        rest = [part for part in parts if self.scope(part) not in pure]
        process = self._project(root, PROCESS, True) if scope & PROCESS else TRUE
        return SplitRoot(root, process, tuple(keys), graph.and_(rest))

    def alternatives(self, root: int) -> tuple[int, ...]:
        """Return roots whose disjunction is `root`, each of fewer scopes than it.

        What one scope alone decides is settled by what is kept, without an evaluation.
        """
        graph = self.graph
        if graph.ops[root] != NodeOp.OR or graph.ordered[root]:
            return (root,)
        groups: dict[int, list[int]] = {}
        for child in graph.args[root]:
            scope = self.scope(child) & ~NEAR_PATH
            pure = scope == PROCESS or scope in self.keys.values()
            groups.setdefault(scope if pure else EVENT, []).append(child)
        if len(groups) > MAX_ALTERNATIVES:
            return (root,)
        return tuple(graph.or_(children) for children in groups.values())

    def _project(self, node: int, scope: int, over: bool) -> int:
        """Return what a node says about one scope.

        With `over` the result is implied by the node, without it it implies the node; comparisons
        of another scope read as true, or false.
        """
        # The scopes of all that a root consists of are known since its own was asked for.
        below = self._scopes[node]
        if node <= TRUE or below & ~NEAR_PATH == scope:
            return node
        near = NEAR_PATH if scope == self._path_bit else 0
        if not below & (scope | near):
            return TRUE if over else FALSE
        graph = self.graph
        key = (node, scope, over)
        found = self._projected.get(key)
        if found is None:
            op, args = graph.ops[node], graph.args[node]
            if op == _PREDICATE:
                found = TRUE if over else FALSE
                if over and near:
                    found = implied_path(graph, graph.predicates[args[0]])
            elif op == _NOT:
                found = graph.not_(self._project(args[0], scope, not over))
            else:
                children = [self._project(child, scope, over) for child in args]
                found = graph.and_(children) if op == _AND else graph.or_(children)
            self._projected[key] = found
        return found


def is_text_test(graph: Graph, predicate: Predicate) -> bool:
    """Return whether a comparison is of a text field with literals: a function of the text."""
    left = graph.operands[predicate.left]
    return (
        predicate.kind is Kind.TEXT
        and predicate.other is None
        and predicate.quantifier == "one"
        and isinstance(left, FieldOperand)
        and left.kind is Kind.TEXT
        and left.name != "evt.rawarg"
    )


# Keys cost a look-up per event; the path is kept with the file descriptor and always pays. A
# look-up takes as long as a few comparisons where most values were seen before, and longer where
# they are new.
KEY_TESTS = 24
REPEATED_KEY_TESTS = 4
MAX_KEYS = 24


_PATHS = frozenset(
    {"fd.name", "fd.nameraw", "fd.directory", "fs.path.name", "fs.path.source", "fs.path.target"}
)
_PATH_PARAMETERS = frozenset(
    {"path", "name", "oldpath", "newpath", "linkpath", "target", "filename"}
)


def is_path(operand: FieldOperand) -> bool:
    """Return whether a field shows paths."""
    return operand.name in _PATHS or operand.key in _PATH_PARAMETERS


def _repeats(operand: FieldOperand) -> bool:
    # Paths, and fields that have few values.
    return (
        is_path(operand)
        or operand.name in ("fd.type", "fd.typechar")
        or operand.key in ("mode", "flags", "request")
    )


def choose_keys(graph: Graph, roots: Iterable[int]) -> list[int]:
    """Return the operands to be keys: the path, and texts that many comparisons look at."""
    tests: dict[int, set[tuple[object, ...]]] = {}
    chosen: dict[int, int] = {}
    for node in graph.reachable(list(dict.fromkeys(roots))):
        if graph.ops[node] != _PREDICATE or graph.ordered[node]:
            continue
        predicate = graph.predicate_of(node)
        left = graph.operands[predicate.left]
        if not isinstance(left, FieldOperand) or not is_text_test(graph, predicate):
            continue
        if left.name in PROCESS_FIELDS:
            continue
        known = tests.setdefault(predicate.left, set())
        known.add((predicate.op, predicate.modifier, predicate.values))
        # A regular expression is too dear to be tried twice on a text.
        always = left.name == PATH_FIELD or predicate.op == "regex"
        if always or len(known) >= (REPEATED_KEY_TESTS if _repeats(left) else KEY_TESTS):
            chosen[predicate.left] = len(known) + (1 << 30) * always
    return sorted(chosen, key=lambda operand: -chosen[operand])[:MAX_KEYS]


# What a comparison of the directory or the file name says about the whole path.
_IMPLIED = {
    ("fd.directory", "in"): "startswith",
    ("fd.directory", "startswith"): "startswith",
    ("fd.directory", "contains"): "contains",
    ("fd.directory", "icontains"): "icontains",
    ("fd.directory", "pmatch"): "pmatch",
    ("fd.filename", "in"): "endswith",
    ("fd.filename", "startswith"): "contains",
    ("fd.filename", "endswith"): "endswith",
    ("fd.filename", "contains"): "contains",
    ("fd.filename", "icontains"): "icontains",
}


def implied_path(graph: Graph, predicate: Predicate) -> int:
    """Return a comparison of the path that follows from one of its directory or file name."""
    left = graph.operands[predicate.left]
    if not isinstance(left, FieldOperand) or predicate.other is not None:
        return TRUE
    op = _IMPLIED.get((left.name, predicate.op))
    # Paths without a directory show "/" there, so that "/" says nothing, and "" neither.
    if op is None or any(value in (b"", b"/") for value in predicate.values):
        return TRUE
    if op == "pmatch" and any(
        isinstance(value, bytes) and not value.strip(b"/") for value in predicate.values
    ):
        return TRUE
    modifier = None
    if op != "pmatch" and len(predicate.values) > 1:
        modifier = "allof" if predicate.modifier == "allof" else "anyof"
    path = graph.operand(FieldOperand(PATH_FIELD, None, None, Kind.TEXT, "one"))
    return graph.predicate(Predicate(path, op, modifier, Kind.TEXT, "one", predicate.values, None))
