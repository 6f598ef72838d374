"""Sets of combinations of truths, each set one integer: bit k stands for the combination k.

A combination of n truths is a number of n bits. With 20 of them a set has 2**20 bits, 128 KiB, and
one operation on it takes some microseconds: what would be a loop over a million combinations is a
handful of them.
"""

from __future__ import annotations

from collections.abc import Sequence


def columns(n: int) -> list[int]:
    """Return, for each of n truths, the combinations in which it is true."""
    found: list[int] = []
    for i in range(n):
        # Runs of 2**i zeros and ones, doubled until the set is full.
        column = ((1 << (1 << i)) - 1) << (1 << i)
        length = 2 << i
        while length < 1 << n:
            column |= column << length
            length *= 2
        found.append(column)
    return found


def everything(n: int) -> int:
    """Return the set of all combinations of n truths."""
    return (1 << (1 << n)) - 1


def mirrored(combinations: int, i: int, column: int) -> int:
    """Return a set with truth i of each of its combinations turned over."""
    step = 1 << i
    return (combinations & column) >> step | (combinations << step) & column


def widened(combinations: int, truths: Sequence[int], all_columns: Sequence[int]) -> int:
    """Return a set and what is one turn of one of `truths` away from it."""
    wider = combinations
    for i in truths:
        wider |= mirrored(combinations, i, all_columns[i])
    return wider


def as_bytes(combinations: int, n: int) -> bytes:
    """Return a set as bytes, to look up single combinations: bit k, little-endian, is k."""
    return combinations.to_bytes(((1 << n) + 7) // 8, "little")


def lowest(combinations: int, at_most: int) -> list[int]:
    """Return the smallest members of a set, in their order."""
    found: list[int] = []
    while combinations and len(found) < at_most:
        bit = combinations & -combinations
        found.append(bit.bit_length() - 1)
        combinations ^= bit
    return found
