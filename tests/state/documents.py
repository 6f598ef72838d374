"""Field values of JSON documents, as outputs show them."""

from __future__ import annotations

import io
import json
from typing import Any

from rulekit.engine._documents import DocumentLoop
from rulekit.engine.alerts import compile_output
from rulekit.sources.documents import DocumentFiles

TIME = "2024-05-01T10:00:00.25Z"


def audit_event(**members: Any) -> dict[str, Any]:
    """Return an audit event with these members besides the ones that every event has."""
    return {"kind": "Event", "auditID": "a", "stageTimestamp": TIME, **members}


def values_of(document: Any, *fields: str, source: str = "k8s_audit") -> list[Any]:
    """Return the values of fields in a document, which may be its text."""
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    loop = DocumentLoop(DocumentFiles(io.BytesIO(text)), source=source)
    output = compile_output(" ".join(f"%{field}" for field in fields), source)
    try:
        while (found := loop.next()) is not None:
            if found:
                shown = loop.render(output)[1]
                return [shown[field] for field in fields]
    finally:
        loop.close()
    raise AssertionError("the document was left out")


def value_of(document: Any, field: str, source: str = "k8s_audit") -> Any:
    """Return the value of one field in a document."""
    return values_of(document, field, source=source)[0]
