"""Split rules by what their parts depend on: the process, a text of the event, the event.

Some text fields are *keys*: the path always, others when many comparisons look at them. For each
root: what it demands of the process alone, of each key alone, and the rest. The first two are
implied by the root, so that an event whose process or path fails them is done with; their answers
are kept per process and per text, for all rules at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rulekit.compiler._graph import Graph, Scopes
from rulekit.compiler.ir import (
    TRUE,
    CallOperand,
    FieldOperand,
    LiteralOperand,
    OperandNode,
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


class SplitRoot(NamedTuple):
    """One form of a rule: ``root`` = ``process`` and all of ``keys`` and ``rest``.

    Attributes:
        keys: Pairs of a key and what is demanded of it, where that is anything.
    """

    root: int
    process: int
    keys: tuple[tuple[int, int], ...]
    rest: int


class Splitter(Scopes):
    """Splits roots of one graph; results are remembered, because event types share roots.

    Args:
        keys: Operands that are keys.
    """

    def __init__(self, graph: Graph, keys: Sequence[int]) -> None:
        super().__init__(graph, NEAR_PATH)
        self.keys = {operand: FIRST_KEY << i for i, operand in enumerate(keys)}
        self._path = graph.operand(FieldOperand(PATH_FIELD, None, None, Kind.TEXT, "one"))
        self._done: dict[int, SplitRoot] = {}
        self._of_scope: dict[int, list[tuple[int, int, bool]]] = {}

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

    def implied(self, number: int) -> int:
        """Return the node of a comparison of the path that follows from another comparison."""
        return implied_path(self.graph, self.graph.predicates[number])

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
        for operand, bit, near in self._keys_in(scope):
            demanded = self.project(root, bit, near)
            if demanded != TRUE:
                keys.append((operand, demanded))
                pure |= {bit, bit | NEAR_PATH}
        process = self.project(root, PROCESS, False) if scope & PROCESS else TRUE
        return SplitRoot(root, process, tuple(keys), self.outside(root, pure))

    def _keys_in(self, scope: int) -> list[tuple[int, int, bool]]:
        """Return the keys that comparisons of a scope say something about: operand, bit, near."""
        found = self._of_scope.get(scope)
        if found is None:
            found = self._of_scope[scope] = []
            for operand, bit in self.keys.items():
                near = operand == self._path
                if scope & bit or (near and scope & NEAR_PATH):
                    found.append((operand, bit, near))
        return found

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


def is_text_test(graph: Graph, predicate: Predicate) -> bool:
    """Return whether a comparison is of a text field with literals: a function of the text."""
    return predicate.other is None and _is_one_text(graph.operands[predicate.left])


def _is_one_text(operand: OperandNode) -> bool:
    return (
        isinstance(operand, FieldOperand)
        and operand.kind is Kind.TEXT
        and operand.quantifier == "one"
        and operand.name != "evt.rawarg"
    )


# Keys cost a look-up per event; the path is kept with the file descriptor and always pays. A
# look-up takes as long as a few comparisons where most values were seen before, and longer where
# they are new.
KEY_TESTS = 24
REPEATED_KEY_TESTS = 4
MAX_KEYS = 24
NEVER = 1 << 30


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


def _tests_needed(operand: OperandNode) -> int:
    """Return how many tests make an operand a key."""
    if not isinstance(operand, FieldOperand) or not _is_one_text(operand):
        return NEVER
    if operand.name in PROCESS_FIELDS:
        return NEVER
    if operand.name == PATH_FIELD:
        return 0
    return REPEATED_KEY_TESTS if _repeats(operand) else KEY_TESTS


def choose_keys(graph: Graph, roots: Iterable[int]) -> list[int]:
    """Return the operands to be keys: the path, and texts that many comparisons look at."""
    needed: dict[int, int] = {}
    counts: dict[int, int] = {}
    chosen: dict[int, int] = {}
    for node in graph.reachable(list(dict.fromkeys(roots))):
        if graph.ops[node] != _PREDICATE or graph.ordered[node]:
            continue
        predicate = graph.predicates[graph.args[node][0]]
        left = predicate.left
        need = needed.get(left)
        if need is None:
            need = needed[left] = _tests_needed(graph.operands[left])
        if need == NEVER or predicate.other is not None:
            continue
        # Predicates are distinct: as many of one operand with literals are as many tests.
        counts[left] = count = counts.get(left, 0) + 1
        # A regular expression is too dear to be tried twice on a text.
        always = need == 0 or predicate.op == "regex"
        if always or count >= need:
            chosen[left] = count + (1 << 30) * always
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
