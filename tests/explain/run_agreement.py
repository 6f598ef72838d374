"""Holds explanations against the matcher: every rule on every event, random rules, and the trees.

python tests/explain/run_agreement.py [--shared FOLDER] [--random N] [--pairs N] [--record]

Truths are compared natively, inside one pass over each capture, for every bundled and every
upstream rule, and for random rules. Then the trees of all matches, and of pairs drawn at random,
are built and rendered, as text and as data, and each is asked whether it says what the matcher
said and whether its smallest sets turn the outcome. Any difference ends the run with 1.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.machine import record
from rulekit._fastmatch import Matcher
from rulekit.compiler.program import compile_ruleset
from rulekit.compiler.written import WrittenProgram, compile_written, compile_written_conditions
from rulekit.engine._explain import Explainer
from rulekit.engine.pipeline import bind, open_loop
from rulekit.errors import SourceError
from rulekit.explain.event import RuleExplainer
from rulekit.explain.render import explanation_json, render_explanation
from rulekit.rules.loader import load_files
from rulekit.rules.ruleset import Rule, Ruleset
from tests.explain.random_rules import random_condition

ROOT = Path(__file__).resolve().parents[2]
UPSTREAM = ("falco_rules", "falco-incubating_rules", "falco-sandbox_rules")
AUDIT = "k8s_audit"


class Agreement:
    """What was compared, and what differed."""

    def __init__(self) -> None:
        self.pairs = self.matches = self.random_pairs = self.trees = self.sampled = 0
        self.captures: set[str] = set()
        self.damaged: set[str] = set()
        self.differences: list[str] = []

    def compare(self, written: WrittenProgram, path: Path, source: str) -> int:
        """Hold rules against the matcher on a capture; return the number of (rule, event) pairs."""
        rules = [(rule.name, rule.condition, None) for rule in written.rules]
        fast = Matcher(compile_ruleset(rules))
        explainer = Explainer(written)
        loop = open_loop(path, None, source)
        try:
            at_end = False
            while not at_end:
                at_end, found = explainer.gather(loop, fast)
                self.differences += [f"{path.name}: event {raw}: {which}" for raw, which in found]
        except SourceError:
            self.damaged.add(path.name)  # all before the damage was compared
        finally:
            loop.close()
        self.captures.add(path.name)
        seen = [explainer.combinations(number) for number in range(len(written.rules))]
        self.matches += fast.stats()["matches"]
        return sum(sum(each[3] for each in kept) + unkept for kept, unkept in seen)

    def tree(self, ruleset: Ruleset, rule: Rule, path: Path, wanted: dict[int, bool]) -> None:
        """Render the trees of a rule on some events, whose outcomes are known."""
        try:
            for found in RuleExplainer(ruleset, rule.name).explain_many(path, wanted):
                data = explanation_json(found)
                where = f"{path.name}: event {found.event}: {rule.name}"
                if not data["condition"]["truth"] == data["matched"] == wanted[found.event]:
                    self.differences.append(f"{where}: the tree says {data['condition']['truth']}")
                for each in found.flips.sets:
                    if found.condition.root.holds(found.true ^ each) == found.matched:
                        self.differences.append(f"{where}: the set {each:b} turns nothing")
                json.dumps(data)
                if rule.name not in render_explanation(found):
                    self.differences.append(f"{where}: the text lacks the rule")
                self.trees += 1
        except SourceError:
            pass


def outcomes(rules: list[Rule], path: Path, source: str) -> tuple[dict[str, set[int]], list[int]]:
    """Return the positions at which each rule matches, and all positions."""
    program = compile_ruleset([(rule.name, rule.bound, None) for rule in rules])
    matched: dict[str, set[int]] = {rule.name: set() for rule in rules}
    shown = []
    for matcher in (Matcher(program), None):
        loop = open_loop(path, matcher, source)
        try:
            while (found := loop.next()) is not None:
                if not found:
                    continue
                if matcher is None:
                    shown.append(loop.raw)
                for index in loop.matched():
                    matched[rules[index].name].add(loop.raw)
        except SourceError:
            pass
        finally:
            loop.close()
    return matched, shown


def inputs(shared: Path) -> Iterator[tuple[Path, str]]:
    """Yield captures and audit logs with their event sources."""
    for folder in ("public", "own"):
        for path in sorted((shared / "captures" / folder).glob("*.scap*")):
            yield path, "syscall"
    for path in sorted((ROOT / "rulesets/captures").iterdir()):
        yield path, "syscall" if ".scap" in path.name else AUDIT
    yield from ((path, AUDIT) for path in sorted((shared / "captures/k8s_audit").glob("*.json")))
    yield shared / "captures/k8s_audit/genuine/audit-log.jsonl", AUDIT


def main() -> int:
    """Compare, print the summary, record it when asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--random", type=int, default=10_000, metavar="N", help="random rules")
    parser.add_argument("--pairs", type=int, default=10_000, metavar="N", help="sampled trees")
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    started, source_of_chance = time.monotonic(), random.Random(args.seed)
    bundled = load_files(sorted(ROOT.glob("rulesets/*/rules.yaml"))).require()
    upstream = load_files([args.shared / f"rules/upstream/{name}.yaml" for name in UPSTREAM])
    rulesets = [bundled, upstream.require()]
    agreement = Agreement()
    found = list(inputs(args.shared))
    # Single requests have too few events to be drawn from.
    captures = [source for _, source in found].count("syscall")
    share = -(-args.pairs // (captures * len(rulesets)))
    for path, source in found:
        for ruleset in rulesets:
            rules = [rule for rule in ruleset if rule.source == source]
            if not rules:
                continue
            agreement.pairs += agreement.compare(compile_written(rules), path, source)
            matched, shown = outcomes(rules, path, source)
            wanted: dict[str, dict[int, bool]] = {
                name: dict.fromkeys(places, True) for name, places in matched.items()
            }
            drawn: set[tuple[str, int]] = set()
            while len(drawn) < min(share, len(shown) * len(rules) // 2):
                drawn.add((source_of_chance.choice(rules).name, source_of_chance.choice(shown)))
            for name, event in sorted(drawn):
                wanted[name][event] = event in matched[name]
            agreement.sampled += len(drawn)
            for rule in rules:
                if wanted[rule.name]:
                    agreement.tree(ruleset, rule, path, wanted[rule.name])
        print(f"{path.name}: {agreement.trees} trees", file=sys.stderr, flush=True)
    own = [path for path, source in found if source == "syscall" and ROOT in path.parents]
    for start in range(0, args.random, 250):
        texts = [random_condition(source_of_chance) for _ in range(min(250, args.random - start))]
        written = compile_written_conditions([(text, bind(text), None) for text in texts])
        path = own[start // 250 % len(own)]
        agreement.random_pairs += agreement.compare(written, path, "syscall")
    result = {
        "inputs": len(agreement.captures),
        "damaged": sorted(agreement.damaged),
        "rules": sum(len(ruleset.rules) for ruleset in rulesets),
        "pairs": agreement.pairs,
        "random_rules": args.random,
        "random_pairs": agreement.random_pairs,
        "matches": agreement.matches,
        "trees": agreement.trees,
        "trees_of_sampled_pairs": agreement.sampled,
        "differences": len(agreement.differences),
        "seed": args.seed,
        "elapsed_s": round(time.monotonic() - started, 1),
    }
    print(json.dumps(result, indent=1))
    print("\n".join(agreement.differences[:50]), file=sys.stderr)
    if args.record:
        record("explain-agreement", result)
    return bool(agreement.differences)


if __name__ == "__main__":
    sys.exit(main())
