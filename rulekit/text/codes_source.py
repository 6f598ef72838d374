"""Codes RK8: what becomes of a rule on a source that knows less than a recorder."""

from __future__ import annotations

from rulekit.text.code import condition_code, output_code

SOURCE_CODES = (
    condition_code(
        "RK801",
        "source-never",
        "A rule can never match on the source, which does not know what it asks for.",
        "evt.type = open and container.id != host",
        "evt.type = open and proc.name = cat",
    ),
    condition_code(
        "RK802",
        "source-misses",
        "A rule matches less on the source, which does not know one of its alternatives.",
        "evt.type = open and (fd.name = /etc/shadow or proc.env[HOME] = /)",
        "evt.type = open and fd.name = /etc/shadow",
    ),
    condition_code(
        "RK803",
        "source-excludes-less",
        "An exclusion never applies on the source: the rule matches more.",
        "evt.type = open and not proc.sname = sshd",
        "evt.type = open and not proc.pname = sshd",
    ),
    output_code(
        "RK804",
        "source-prints-null",
        "A field of the output is always null on the source.",
        "opened by %proc.sname",
        "opened by %proc.name",
    ),
    condition_code(
        "RK805",
        "source-depends",
        "A field is known on the source for some events or logs only.",
        "evt.type = open and user.name = www-data",
        "evt.type = open and user.uid = 33",
    ),
)
