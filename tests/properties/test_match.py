"""Reference, compiled, and compiled without caches give the same answers."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rulekit.compiler.passes import split
from rulekit.compiler.program import compile_ruleset
from rulekit.compiler.reference import evaluate
from rulekit.testing._probe import Probe
from tests.properties import conditions as c

FIELDS = c.PROCESS_FIELDS + c.EVENT_FIELDS + c.TYPE_FIELDS


@st.composite
def events(draw: st.DrawFn) -> list[Any]:
    """Draw events of a few threads: (slot, thread, version, values, interned)."""
    processes = draw(st.lists(c.values(c.PROCESS_FIELDS), min_size=1, max_size=4))
    now: dict[int, int] = {}
    out = []
    for version in range(1, draw(st.integers(2, 8))):
        slot = draw(st.sampled_from(sorted(c.SLOTS)))
        thread = draw(st.sampled_from([None, 10, 11]))
        values = draw(c.values(c.EVENT_FIELDS))
        values |= {
            key: value
            for key, value in zip(c.TYPE_FIELDS, c.SLOTS[slot], strict=True)
            if value is not None
        }
        if thread is None:
            values |= draw(st.sampled_from(processes))
        else:
            # A thread shows other values only under another version.
            if thread not in now or draw(st.integers(0, 3)) == 0:
                now[thread] = draw(st.integers(0, len(processes) - 1)) + 100 * version
            values |= processes[now[thread] % 100]
        out.append((slot, thread, now.get(thread or 0), values, draw(st.booleans())))
    return out


@pytest.mark.parametrize("key_tests", [1, split.KEY_TESTS])
@settings(max_examples=200, deadline=None)
@given(rules=st.lists(c.conditions(FIELDS), min_size=1, max_size=6), sequence=events())
def test_caches_and_compilation_change_no_answer(
    key_tests: int, rules: list[Any], sequence: list[Any]
) -> None:
    with mock.patch.object(split, "KEY_TESTS", key_tests):
        program = compile_ruleset([(f"r{i}", rule, None) for i, rule in enumerate(rules)])
    probes = [Probe(program), Probe(program, caches=False), Probe(program, max_cache_bytes=400)]
    for slot, thread, version, values, interned in sequence:
        want = [
            i
            for i, rule in enumerate(rules)
            if evaluate(rule, lambda f, v=values: v.get((f.field.name, f.index, f.key)))
        ]
        for probe in probes:
            got = probe.match(slot, values, tid=thread, version=version, interned=interned)
            assert got == want
