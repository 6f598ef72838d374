"""Random conditions over fields of system calls, from few words, so that many hold."""

# ruff: noqa: E501 - tables
from __future__ import annotations

import random

COMPARISONS = (
    "evt.type = {type}", "evt.type in ({type}, {type})", "proc.name = {name}",
    "proc.name in ({name}, {name})", "proc.pname = {name}", "proc.aname = {name}",
    "proc.aname[2] in ({name}, {name})", "proc.cmdline contains {part}", "proc.args icontains {part}",
    "fd.name startswith {path}", "fd.name pmatch ({path}, {path})", "fd.name glob */{part}*",
    "fd.num >= {number}", "fd.num < {number}", "fd.type = file", "fd.directory = {path}",
    "user.uid = {number}", "user.loginuid != {number}", "container.id != host",
    "evt.arg.res = 0", "evt.rawres < {number}", "evt.is_open_write = true", "fd.filename exists",
    "proc.exepath endswith {part}", "proc.pid > {number}", "fs.path.name startswith {path}",
    "len(proc.args) > {number}", "tolower(proc.name) = {name}", "proc.name regex .*{part}.*",
    "proc.pname = val(proc.name)", "evt.deltatime > {number}",
)  # fmt: skip
WORDS = {
    "type": ("open", "openat", "execve", "close", "connect", "clone", "unlinkat", "read"),
    "name": ("bash", "sh", "cat", "ls", "sudo", "curl", "python3", "nc"),
    "part": ("sh", "a", "-c", "etc", "x", "lib"),
    "path": ("/etc", "/tmp", "/usr/lib", "/proc", "/root/.ssh", "/dev"),
    "number": ("0", "1", "3", "100", "1000"),
}


def random_condition(source: random.Random, depth: int = 3) -> str:
    """Return a condition of at most so many levels."""
    kind = source.random()
    if depth == 0 or kind < 0.35:
        text = source.choice(COMPARISONS)
        while "{" in text:
            word = text[text.index("{") + 1 : text.index("}")]
            text = text.replace("{" + word + "}", source.choice(WORDS[word]), 1)
        return text
    if kind < 0.5:
        return f"not ({random_condition(source, depth - 1)})"
    word = source.choice((" and ", " or "))
    parts = [random_condition(source, depth - 1) for _ in range(source.randint(2, 4))]
    return "(" + word.join(parts) + ")"
