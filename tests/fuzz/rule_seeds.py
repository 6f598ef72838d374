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

TOKENS = [
    *["(", ")", "[", "]", ",", "=", "!=", "<", "<=", ">", ">=", "==", '"', "'", "\\", ":", "-", "&", "*", "!", "|", ">", "#", "%", "@", "?", "{", "}", "~", "+", "."],
    *["and", "or", "not", "in", "intersects", "pmatch", "exists", "contains", "icontains", "bcontains", "startswith"],
    *["bstartswith", "endswith", "glob", "iglob", "regex", "oneof", "anyof", "allof", "val(", "tolower(", "toupper(", "b64("],
    *["basename(", "len(", "join(", "concat(", "getopt(", "first(", "last(", "true", "false", "null", "0x1f", "1.5", "-1", "1e5"],
    *["evt.type", "evt.arg[", "evt.rawarg.", "evt.dir", "proc.name", "proc.aname[", "proc.pname", "proc.args"],
    *["proc.env[", "fd.name", "fd.net", "fd.sip", "fd.sport", "fd.directory", "fd.num", "fd.types[", "user.uid"],
    *["container.id", "k8s.pod.name", "evt.time", "evt.latency", "jevt.value[", "ka.verb", "thread.tid"],
    *["open", "openat", "execve", "clone", "connect", "spawned_process", "<NA>", "127.0.0.1", "10.0.0.0/8", "::1"],
    *["18446744073709551616", "99999999999999999999999999", "\\x00", "\\xff", "\\u1234", "é", "😀"],
    *["---", "...", "%YAML", "&a", "*a", "<<", "|", ">-", "|2", "!!str", "!!binary"],
    "\n- rule: ",
    "\n- macro: ",
    "\n- list: ",
    "\n  condition: ",
    "\n  append: true",
    "\n  override: {condition: append, output: replace, exceptions: append}",
    "\n  override:\n    condition: append",
    "\n  items: [",
    "\n  exceptions:\n    - name: e\n      fields: [proc.name, fd.name]\n      comps: [=, in]\n"
    "      values:\n        - [a, [b, c]]",
    "\n      values:\n",
    "\n  output: ",
    "\n  priority: WARNING",
    "\n  desc: ",
    "\n  tags: [",
    "\n  source: syscall",
    "\n  source: k8s_audit",
    "\n  enabled: false",
    "\n  warn_evttypes: false",
    "\n  skip-if-unknown-filter: true",
    "\n  capture: true\n  capture_duration: 5",
    "\n- required_engine_version: 0.38.0",
    "\n- required_plugin_versions:\n  - name: json\n    version: 0.7.0\n    alternatives: []",
    " and not ",
    " or (",
    ")",
    "%proc.name",
    "%evt.arg[0] ",
    "%tolower(proc.name)",
    "*%fd.name",
    "\t",
    "\r\n",
    "\0",
    "\ufeff",
    "\u0085",
    "\u2028",
    "&x [",
    "*x",
    NEXT_FILE.decode(),
]


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
        for first, second in zip(items, items[1:] + [""], strict=True):
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
