"""Codes RK1 and RK2: conditions; RK40: remarks on them; RK5: outputs."""

from __future__ import annotations

from rulekit.text.code import Code, condition_code, output_code

CONDITION_CODES = (
    Code("RK100", "empty-condition", "A condition on its own holds no text."),
    condition_code(
        "RK101",
        "syntax-error",
        "A condition cannot be read at this place.",
        "evt.type = open and proc.name in sh, bash",
        "evt.type = open and proc.name in (sh, bash)",
    ),
    condition_code(
        "RK102",
        "unclosed-quote",
        "A quoted text in a condition is not closed.",
        "evt.type = open and fd.name = '/tmp/a b",
        "evt.type = open and fd.name = '/tmp/a b'",
    ),
    condition_code(
        "RK103",
        "bad-escape",
        "A backslash in a quoted text begins no known escape.",
        'evt.type = open and fd.name regex "\\.so$"',
        'evt.type = open and fd.name regex ".*\\\\.so"',
    ),
    condition_code(
        "RK104",
        "missing-blank",
        "A word needs a blank after it.",
        'evt.type = open and fd.name contains"tmp"',
        'evt.type = open and fd.name contains "tmp"',
    ),
    condition_code(
        "RK105",
        "condition-too-deep",
        "A condition is nested more deeply than Falco reads.",
        "(" * 201 + "evt.type = open" + ")" * 201,
        "evt.type = open",
    ),
    condition_code(
        "RK106",
        "and-after-glued-or",
        "A group glued to `or` is one operand, so `and` cannot follow it.",
        "proc.name = a or(proc.name = b) and evt.type = open",
        "proc.name = a or (proc.name = b and evt.type = open)",
    ),
    condition_code(
        "RK107",
        "foreign-operator",
        "An operator of another language, or one not in lower case.",
        "evt.type = open && proc.name = cat",
        "evt.type = open and proc.name = cat",
    ),
    condition_code(
        "RK201",
        "unknown-field",
        "A field that events of this source do not have.",
        "evt.type = open and proc.nmae = cat",
        "evt.type = open and proc.name = cat",
    ),
    condition_code(
        "RK202",
        "bad-field-argument",
        "A field lacks its argument, or has one that it cannot use.",
        "evt.type = open and evt.arg contains O_CREAT",
        "evt.type = open and evt.arg.flags contains O_CREAT",
    ),
    condition_code(
        "RK203",
        "unknown-event-type",
        "No event and no system call has this name.",
        "evt.type = opne",
        "evt.type = open",
    ),
    condition_code(
        "RK204",
        "wrong-operator",
        "An operator that values of this type do not allow.",
        "evt.type = open and fd.num contains 3",
        "evt.type = open and fd.num = 3",
    ),
    condition_code(
        "RK205",
        "bad-value",
        "A value that cannot be one of the field's.",
        "evt.type = connect and fd.sport = 0x50",
        "evt.type = connect and fd.sport = 80",
    ),
    condition_code(
        "RK206",
        "cannot-compare-fields",
        "Two sides that cannot be compared with each other.",
        "evt.type = open and proc.name = val(proc.pid)",
        "evt.type = open and proc.name = val(proc.pname)",
    ),
    condition_code(
        "RK207",
        "bad-transformer",
        "A transformer is given what it does not take.",
        "evt.type = open and toupper(fd.num) = 3",
        "evt.type = open and toupper(proc.name) = CAT",
    ),
    Code("RK208", "macro-alone", "A condition on its own names a macro, which no file defines."),
    condition_code(
        "RK209",
        "hidden-event-type",
        "`evt.type` is used where the event types of the rule cannot be told.",
        "tolower(evt.type) = open",
        "evt.type = open",
    ),
    condition_code(
        "RK210",
        "unknown-parameter",
        "No event has a parameter of this name.",
        "evt.type = open and evt.arg.flagz contains O_CREAT",
        "evt.type = open and evt.arg.flags contains O_CREAT",
    ),
    condition_code(
        "RK401",
        "field-as-text",
        "The name of a field stands where a literal text is read.",
        "evt.type = open and proc.name = proc.pname",
        "evt.type = open and proc.name = val(proc.pname)",
    ),
    condition_code(
        "RK402",
        "transformer-as-text",
        "The call of a transformer stands inside a literal text.",
        "evt.type = open and proc.name = 'toupper(proc.pname)'",
        "evt.type = open and proc.name = toupper(proc.pname)",
    ),
    condition_code(
        "RK403",
        "needless-regex",
        "A pattern in which nothing needs a regular expression.",
        'evt.type = open and fd.name regex ".*passwd"',
        "evt.type = open and fd.name endswith passwd",
    ),
    condition_code(
        "RK404",
        "outdated-field",
        "A field that always has the same value by now.",
        "evt.type = open and evt.dir = <",
        "evt.type = open",
    ),
    Code(
        "RK405",
        "compared-with-na",
        "A missing value is compared with the text `<NA>`, which it never equals.",
        """\
- required_plugin_versions:
    - name: k8saudit
      version: 0.18.0
- rule: Example
  desc: An example.
  condition: ka.user.name = <NA>
  output: x
  priority: WARNING
  source: k8s_audit
""",
        """\
- required_plugin_versions:
    - name: k8saudit
      version: 0.18.0
- rule: Example
  desc: An example.
  condition: not ka.user.name exists
  output: x
  priority: WARNING
  source: k8s_audit
""",
    ),
    condition_code(
        "RK406",
        "too-many-event-types",
        "A condition that does not narrow down the event types has to be tried for most events.",
        "proc.name = cat",
        "evt.type = open and proc.name = cat",
    ),
    output_code(
        "RK501",
        "bad-output-token",
        "What follows a `%` in an output is no field and no transformer call.",
        "opened by %proc.nmae",
        "opened by %proc.name",
    ),
    output_code(
        "RK502",
        "container-info",
        "`%container.info` stands for nothing any more.",
        "opened by %proc.name %container.info",
        "opened by %proc.name %container.id",
    ),
    output_code(
        "RK503",
        "empty-output",
        "Nothing of an output is left to print.",
        '"%container.info"',
        '"%container.id"',
    ),
    output_code(
        "RK504",
        "outdated-output-field",
        "An output prints a field that always has the same value by now.",
        "opened by %proc.name %evt.dir",
        "opened by %proc.name",
    ),
    output_code(
        "RK505",
        "output-ends-in-token",
        "An output ends within a token; a percent sign cannot be printed.",
        "full to 100%",
        "full to 100 percent",
    ),
    output_code(
        "RK506",
        "token-too-wide",
        "A token is to be padded beyond any use.",
        '"%99999999proc.name"',
        '"%20proc.name"',
    ),
)
