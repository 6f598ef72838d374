"""Where fuzzing of rules begins, and how one input becomes another."""

from __future__ import annotations

import hashlib
import json
import random
import re
from pathlib import Path

NEXT_FILE = b"\n#%next\n"
ROOT = Path(__file__).resolve().parent.parent.parent

_ITEM = re.compile(r"^(?=- )", re.MULTILINE)
_WORD = re.compile(rb"[A-Za-z_][A-Za-z0-9_.]*|[0-9]+|\s+|.", re.DOTALL)

TOKENS: list[str] = json.loads((Path(__file__).parent / "tokens.json").read_text("utf-8"))


def rule_texts(shared: Path | None) -> list[str]:
    """Return every rule file within reach."""
    folders = [ROOT / "rulesets", ROOT / "tests" / "golden" / "diagnostics"]
    if shared is not None and (shared / "rules").is_dir():
        folders += [shared / "rules", shared / "reference" / "conformance" / "rulesets"]
    texts = []
    for folder in folders:
        for path in sorted(folder.rglob("*.yaml")):
            texts.append(path.read_bytes().decode("utf-8", "replace"))
    return texts


def seeds(shared: Path | None, longest: int = 6000) -> list[bytes]:
    """Return small inputs: items of rule files one by one and in pairs, and conditions."""
    found: dict[bytes, None] = {}
    for text in rule_texts(shared):
        whole = text.encode()
        if len(whole) <= longest:
            found[whole] = None
            continue
        items = _ITEM.split(text)
        for first, second in zip(items, [*items[1:], ""], strict=True):
            for part in (first, first + second):
                if part.strip() and len(part) <= longest:
                    found[part.encode()] = None
    conditions = shared / "reference" / "conformance" / "conditions.jsonl" if shared else None
    if conditions is not None and conditions.is_file():
        for line in conditions.read_text("utf-8").splitlines():
            found[b"?" + json.loads(line)["cond"].encode("utf-8", "replace")] = None
    return list(found)


def fill(corpus: Path, shared: Path | None) -> None:
    """Write the seeds into a folder, one file each."""
    corpus.mkdir(parents=True, exist_ok=True)
    for data in seeds(shared):
        (corpus / hashlib.sha1(data).hexdigest()).write_bytes(data)


def dictionary() -> str:
    """Return the tokens as a dictionary of libFuzzer."""
    lines = []
    for token in TOKENS:
        escaped = "".join(
            chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\x{b:02x}" for b in token.encode()
        )
        lines.append(f'"{escaped}"')
    return "\n".join(lines) + "\n"


def mutate(data: bytes, other: bytes, chance: random.Random, most: int = 20_000) -> bytes:
    """Return a changed input: words are moved, doubled, dropped, swapped with known tokens."""
    words = _WORD.findall(data) or [b""]
    for _ in range(chance.choice((1, 1, 2, 3, 5, 10))):
        at = chance.randrange(len(words))
        size = chance.choice((1, 1, 2, 5, 20))
        kind = chance.randrange(8)
        if kind == 0:
            del words[at : at + size]
        elif kind == 1:
            words.insert(at, chance.choice(TOKENS).encode())
        elif kind == 2:
            words[at] = chance.choice(TOKENS).encode()
        elif kind == 3:
            words[at:at] = words[at : at + size] * chance.choice((1, 1, 1, 2, 30))
        elif kind == 4:
            source = chance.randrange(len(words))
            words[at:at] = words[source : source + size]
        elif kind == 5:
            theirs = _WORD.findall(other) or [b""]
            source = chance.randrange(len(theirs))
            words[at : at + chance.choice((0, size))] = theirs[source : source + size]
        elif kind == 6:
            word = bytearray(words[at] or b"x")
            word[chance.randrange(len(word))] ^= 1 << chance.randrange(8)
            words[at] = bytes(word)
        else:
            words[at] = words[chance.randrange(len(words))]
        words = words or [b""]
    return b"".join(words)[:most]
