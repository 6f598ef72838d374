"""Programs as files: a header, a checksum, the arrays as they lie in memory.

Layout: ``RKC\\n``, format version (u32), SHA-256 of everything after it, length of the head (u32),
the head as JSON, the arrays, the literals. Integers are little-endian.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import struct
import sys
from array import array
from collections.abc import Mapping
from itertools import islice
from operator import gt
from os import PathLike
from pathlib import Path
from typing import Any

from rulekit.compiler.tables import (
    EXISTS_BIT,
    KINDS,
    MAX_DEPTH,
    N_DOMAINS,
    N_SLOTS,
    NONE,
    TABLES,
    How,
    NodeOp,
    Program,
)
from rulekit.errors import RuleError
from rulekit.schema.types import Kind

MAGIC = b"RKC\n"
# Changes with the tables, the meaning of any number in them, and what stands beside them.
FORMAT_VERSION = 4
_PREFIX = struct.Struct("<4sI32s")
_SIZES = {"B": 1, "H": 2, "I": 4, "q": 8, "Q": 8, "d": 8}


def save_program(
    program: Program, path: str | PathLike[str], about: Mapping[str, Any] | None = None
) -> None:
    """Write a program; the file appears whole or not at all.

    Args:
        about: What becomes JSON, kept beside the program for whoever wrote it.
    """
    body = bytearray()
    sizes = {}
    for name, code in TABLES.items():
        table = array(code, program.tables[name])
        if sys.byteorder == "big":
            table.byteswap()
        sizes[name] = len(table)
        body += table.tobytes()
    head = json.dumps(
        {
            "names": program.names,
            "sizes": sizes,
            "pool": len(program.pool),
            "about": about or {},
        }
    ).encode()
    content = struct.pack("<I", len(head)) + head + bytes(body) + program.pool
    target = Path(path)
    import tempfile  # takes longer to import than a program to read

    # A name of its own: several processes may write the same file at the same time.
    handle, partial = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with open(handle, "wb") as file:
            file.write(_PREFIX.pack(MAGIC, FORMAT_VERSION, hashlib.sha256(content).digest()))
            file.write(content)
        os.chmod(partial, 0o666 & ~_umask())
        os.replace(partial, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(partial)
        raise


def _umask() -> int:
    # There is no way to ask that does not change it for a moment, but this.
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/self/status").read_text("ascii").splitlines()
        return int(next(line for line in lines if line.startswith("Umask:")).split()[1], 8)
    return 0o077


def load_program(path: str | PathLike[str]) -> Program:
    """Read a program.

    Raises:
        RuleError: The file is no program, of another version, damaged, or inconsistent in itself.
        OSError: It cannot be read.
    """
    return load_saved(path)[0]


def load_saved(path: str | PathLike[str]) -> tuple[Program, dict[str, Any]]:
    """Read a program and what was kept beside it; raises as `load_program` does."""
    data = Path(path).read_bytes()
    if len(data) < _PREFIX.size or not data.startswith(MAGIC):
        raise RuleError(f"{path}: not a compiled program")
    _, version, digest = _PREFIX.unpack_from(data)
    if version != FORMAT_VERSION:
        raise RuleError(
            f"{path}: compiled by another version of rulekit (format {version}, this one reads"
            f" {FORMAT_VERSION}): compile the rules again"
        )
    content = memoryview(data)[_PREFIX.size :]
    if hashlib.sha256(content).digest() != digest:
        raise RuleError(f"{path}: damaged (the checksum does not match)")
    try:
        program, about = _parse(content)
        _validate(program)
    except (ValueError, KeyError, TypeError, IndexError, struct.error, RecursionError) as e:
        raise RuleError(f"{path}: inconsistent: {e}") from e
    return program, about


def _parse(content: memoryview) -> tuple[Program, dict[str, Any]]:
    (size,) = struct.unpack_from("<I", content)
    head = json.loads(bytes(content[4 : 4 + size]))
    at = 4 + size
    tables: dict[str, array[int]] = {}
    for name, code in TABLES.items():
        length = int(head["sizes"][name]) * _SIZES[code]
        table: array[int] = array(code)
        table.frombytes(content[at : at + length])
        if len(table) != head["sizes"][name]:
            raise ValueError(f"table {name} is cut off")
        if sys.byteorder == "big":
            table.byteswap()
        tables[name] = table
        at += length
    pool = bytes(content[at:])
    if len(pool) != head["pool"]:
        raise ValueError("the literals are cut off")
    return Program(tuple(str(name) for name in head["names"]), tables, pool), dict(head["about"])


class _Check:
    """Holds the tables to what the matcher trusts."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.tables = program.tables

    def equal_lengths(self, prefix: str, names: str) -> int:
        lengths = {len(self.tables[f"{prefix}_{name}"]) for name in names.split()}
        if len(lengths) != 1:
            raise ValueError(f"tables {prefix}_* differ in length")
        return lengths.pop()

    def below(self, name: str, bound: int, *, or_none: bool = False) -> None:
        table = self.tables[name]
        highest = max((v for v in table if v != NONE) if or_none else table, default=-1)
        if highest >= bound or min(table, default=0) < 0:
            raise ValueError(f"{name} holds {highest}, but there are {bound}")

    def ranges(self, prefix: str, bound: int) -> None:
        tables = self.tables
        pairs = zip(tables[f"{prefix}_first"], tables[f"{prefix}_n"], strict=True)
        if any(first + n > bound for first, n in pairs):
            raise ValueError(f"{prefix}_first points past the end")

    def ends(self, name: str, last: int) -> None:
        table = self.tables[name]
        # Without copies: a long list has a million of them.
        falls = any(map(gt, table, islice(table, 1, None)))
        if not table or table[0] != 0 or table[-1] != last or falls:
            raise ValueError(f"{name} is not a table of ends")


def _validate(program: Program) -> None:
    check, tables = _Check(program), program.tables
    check.ends("text_end", len(program.pool))
    n_texts = len(tables["text_end"]) - 1
    n_operands = check.equal_lengths(
        "operand", "form kind quantifier domain name key index first n"
    )
    check.below("operand_form", 4)
    check.below("operand_kind", len(KINDS))
    check.below("operand_name", n_texts)
    check.below("operand_key", n_texts, or_none=True)
    check.below("arguments", n_operands)
    check.ranges("operand", len(tables["arguments"]))
    for number, first in enumerate(tables["operand_first"]):
        arguments = tables["arguments"][first : first + tables["operand_n"][number]]
        if any(argument >= number for argument in arguments):
            raise ValueError("an operand is made of later ones")
    n_tests = check.equal_lengths("test", "op modifier first n")
    check.below("test_op", 16)
    check.below("test_modifier", 4)
    check.ranges("test", n_texts)
    check.ends("domain_first", len(tables["domain_tests"]))
    check.below("domain_tests", n_tests)
    if len(tables["domain_first"]) != N_DOMAINS + 1:
        raise ValueError("wrong number of domains")
    check.equal_lengths("network", "text bits")
    check.below("network_text", n_texts)
    n_predicates = _validate_predicates(check, n_operands, n_tests, n_texts)
    check.below("parts", n_operands)
    check.below("process_bits", n_predicates)
    if any(tables["operand_domain"][part] >= N_DOMAINS for part in tables["parts"]):
        raise ValueError("a part of the signature has no domain")
    n_nodes = _validate_nodes(check, n_predicates)
    _validate_classes(check, n_nodes, n_operands)


def _validate_predicates(check: _Check, n_operands: int, n_tests: int, n_texts: int) -> int:
    tables = check.tables
    n = check.equal_lengths(
        "predicate", "op modifier kind quantifier how left other first n test part bit"
    )
    for name, bound in (("op", 16), ("modifier", 4), ("quantifier", 4), ("how", len(How))):
        check.below(f"predicate_{name}", bound)
    check.below("predicate_kind", len(KINDS))
    check.below("predicate_left", n_operands)
    check.below("predicate_other", n_operands, or_none=True)
    check.below("predicate_test", n_tests, or_none=True)
    bounds = dict.fromkeys(KINDS.values(), len(tables["numbers"]))
    bounds[KINDS[Kind.DOUBLE]] = len(tables["doubles"])
    bounds[KINDS[Kind.ADDRESS]] = n_texts
    bounds[KINDS[Kind.NETWORK]] = len(tables["network_text"])
    ends, domains = tables["domain_first"], tables["operand_domain"]
    parts, n_bits = tables["parts"], len(tables["process_bits"])
    texts = (KINDS[Kind.TEXT], KINDS[Kind.BYTES])
    # Plain numbers: comparing with members of an enumeration takes most of the time otherwise.
    process_bit, process_text, of_text = map(int, (How.PROCESS_BIT, How.PROCESS_TEXT, How.TEXT))
    names = ["kind", "test", "how", "bit", "left", "other", "first", "n", "part"]
    rows = zip(*(tables[f"predicate_{name}"] for name in names), strict=True)
    for kind, test, how, bit, left, other, first, count, part in rows:
        text = kind in texts
        if other == NONE and text and test == NONE:
            raise ValueError("a text comparison without its literals")
        if not text and first + count > bounds[kind]:
            raise ValueError("predicate_first points past the end")
        if how == process_bit and bit >= n_bits:
            raise ValueError("a bit outside the signature")
        if how == process_text and (part >= len(parts) or parts[part] != left):
            raise ValueError("a part outside the signature")
        if how in (process_text, of_text):
            domain = domains[left]
            size = ends[domain + 1] - ends[domain] if domain < N_DOMAINS else 0
            if domain >= N_DOMAINS or (bit != EXISTS_BIT and bit >= size):
                raise ValueError("a bit outside its domain")
    return n


def _validate_nodes(check: _Check, n_predicates: int) -> int:
    tables = check.tables
    n = check.equal_lengths("node", "op first n")
    check.below("node_op", len(NodeOp))
    depth = [0] * n
    children = tables["children"]
    predicate, not_ = int(NodeOp.PREDICATE), int(NodeOp.NOT)
    rows = zip(tables["node_op"], tables["node_first"], tables["node_n"], strict=True)
    for node, (op, first, count) in enumerate(rows):
        if op == predicate:
            if first >= n_predicates:
                raise ValueError("a node of no comparison")
        elif op >= not_:
            below = children[first : first + count]
            if len(below) != count or not below or (op == not_ and count != 1):
                raise ValueError("a node with the wrong number of children")
            if max(below) >= node:
                raise ValueError("a node above its own parent")
            depth[node] = 1 + max(depth[child] for child in below)
    if max(depth, default=0) > MAX_DEPTH:
        raise ValueError("conditions are nested too deep")
    return n


def _validate_classes(check: _Check, n_nodes: int, n_operands: int) -> None:
    tables = check.tables
    n_rows = check.equal_lengths("class", "rule root process rest")
    check.below("class_rule", len(check.program.names))
    for name in ("class_root", "class_process", "class_rest", "gate_node", "key_nodes"):
        check.below(name, n_nodes)
    check.ends("class_first", n_rows)
    n_classes = len(tables["class_first"]) - 1
    if len(tables["slot_class"]) != N_SLOTS:
        raise ValueError("made for another event table")
    check.below("slot_class", n_classes + 1)
    check.ends("gate_first", len(tables["gate_node"]))
    check.ends("key_first", len(tables["key_operand"]))
    check.below("key_operand", n_operands)
    if any(tables["operand_domain"][key] >= N_DOMAINS for key in tables["key_operand"]):
        raise ValueError("a key has no domain")
    words = nodes = 0
    for number in range(n_classes):
        size = tables["class_first"][number + 1] - tables["class_first"][number]
        gates = tables["gate_first"][number + 1] - tables["gate_first"][number]
        if tables["class_early"][number] > gates:
            raise ValueError("more early gates than gates")
        words += gates * ((size + 63) // 64)
        nodes += size * (tables["key_first"][number + 1] - tables["key_first"][number])
    counts = (len(tables[name]) for name in ("gate_first", "key_first", "class_early"))
    if list(counts) != [n_classes + 1, n_classes + 1, n_classes]:
        raise ValueError("tables of classes differ in length")
    if words != len(tables["gate_words"]) or nodes != len(tables["key_nodes"]):
        raise ValueError("tables of gates or keys have the wrong size")
