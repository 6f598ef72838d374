"""Messages of `cri.proto`, made from its description when they are first needed.

The description (`cri.json`) is what the compiler of Protocol Buffers makes of the file; classes
from it fit every version of the library, which generated code does not.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

_PACKAGE = "runtime.v1"


@cache
def _pool() -> descriptor_pool.DescriptorPool:
    text = (files("rulekit.sources.containers") / "cri.json").read_text("ascii")
    pool = descriptor_pool.DescriptorPool()  # of its own: others may bring the whole interface
    pool.Add(json_format.Parse(text, descriptor_pb2.FileDescriptorProto()))
    return pool


@cache
def message(name: str) -> Any:
    """Return the class of a message."""
    found = _pool().FindMessageTypeByName(f"{_PACKAGE}.{name}")
    return message_factory.GetMessageClass(found)
