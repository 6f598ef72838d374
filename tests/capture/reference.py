"""The rules of conversion applied one after the other, as the table states them.

This is the meaning of what the native plans do in one step; slow and plain on purpose.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from rulekit.schema.events import event_table, load_table

TABLE = load_table("event_converter")
RULES = {(r["event"], r["nparams"]): r for r in TABLE["rules"]}
EVENTS = event_table()["events"]
WIDTHS = {
    1: "INT8 UINT8 SIGTYPE L4PROTO SOCKFAMILY FLAGS8 ENUMFLAGS8",
    2: "INT16 UINT16 SYSCALLID PORT FLAGS16 ENUMFLAGS16",
    4: "INT32 UINT32 BOOL IPV4ADDR FLAGS32 UID GID SIGSET MODE ENUMFLAGS32 FD32 PID32",
    8: "INT64 UINT64 ERRNO FD PID RELTIME ABSTIME DOUBLE",
}
WIDTH = {"PT_" + name: width for width, names in WIDTHS.items() for name in names.split()}


@dataclass(frozen=True)
class Raw:
    """An event as it lies in the file."""

    type: int
    tid: int
    params: tuple[bytes, ...]


class ConversionError(Exception):
    """No rule, or too many parameters."""


class Converter:
    """Steps 1 to 5 of the conversion, with an unbounded memory for enter events."""

    def __init__(self) -> None:
        self.enters: dict[int, Raw] = {}
        self.mismatched = 0

    def convert(self, event: Raw) -> Raw | None:
        """Return the event to deliver, or None."""
        for _ in range(TABLE["max_rounds"]):
            info = EVENTS[event.type]
            flags = info["flags"]
            if "UNUSED" in flags:
                return None
            if "CONVERTER_MANAGED" not in flags:
                dropped = "OLD_VERSION" in flags and info["dir"] == ">"
                return None if dropped else event
            n = len(event.params)
            if info["dir"] == "<":
                if n > len(info["params"]):
                    raise ConversionError
                if "OLD_VERSION" not in flags and n == len(info["params"]):
                    return event
            rule = RULES.get((event.type, n))
            if rule is None:
                raise ConversionError
            action = rule["action"]
            if action == "pass":
                return event
            if action in ("store", "store_and_pass"):
                self.enters[event.tid] = event
                return None if action == "store" else event
            event = self._apply(rule, event)
        raise AssertionError("the conversion does not end")

    def _apply(self, rule: dict, event: Raw) -> Raw:
        target = rule["to"] if rule["action"] == "change_type" else event.type
        params = [] if rule["action"] == "change_type" else list(event.params)
        enter = None
        if any(p["from"] == "enter" for p in rule["params"]):
            enter = self.enters.pop(event.tid, None)
            if enter is not None and enter.type != event.type - 1:
                self.mismatched += 1
                enter = None
        for param in rule["params"]:
            kind = EVENTS[target]["params"][len(params)]["type"]
            source = param["from"]
            value: bytes | None = None
            if source == "old":
                value = event.params[param["index"]]
            elif source == "enter":
                if enter is not None and param["index"] < len(enter.params):
                    value = enter.params[param["index"]]
                else:
                    source = param["missing"]
            elif source == "callback":
                value = container_json(event.params)
            if value is None:
                fill = b"\xff" if kind in ("PT_UID", "PT_GID") else b"\0"
                value = b"" if source == "empty" else fill * WIDTH.get(kind, 0)
            params.append(value[: WIDTH.get(kind)])
        return replace(event, type=target, params=tuple(params))


def container_json(params: tuple[bytes, ...]) -> bytes:
    """Return the JSON text that stands for an old container event."""
    ident, kind, name, image = params

    def quoted(raw: bytes) -> bytes:
        out = b""
        for byte in raw.split(b"\0")[0]:
            if byte in b'"\\':
                out += b"\\" + bytes([byte])
            elif byte < 0x20:
                out += b"\\u%04x" % byte
            else:
                out += bytes([byte])
        return b'"' + out + b'"'

    number = str(int.from_bytes(kind[:4], "little")).encode()
    parts = [b'"id":' + quoted(ident), b'"type":' + number]
    parts += [b'"name":' + quoted(name), b'"image":' + quoted(image)]
    return b"{" + b",".join(parts) + b"}\0"
