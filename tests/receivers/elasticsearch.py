"""A stand-in for what osmem-server lacks: data streams, lifecycle policies, rollover aliases.

Not Elasticsearch. It answers the requests of `rulekit sink setup` and bulk requests to data
streams with the statuses and bodies of the public REST reference (Elasticsearch 8, OpenSearch 2),
and refuses what these would refuse: unknown keys, a data stream without a matching template,
`index` into a data stream, a policy that is replaced without its version.
"""

from __future__ import annotations

import fnmatch
import json
import ssl
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.receivers.http import HttpReceiver, Request, Response

_TEMPLATE_KEYS = {
    "index_patterns", "template", "priority", "data_stream", "_meta", "version", "composed_of",
    "allow_auto_create",
}  # fmt: skip
_TYPES = {
    "keyword", "long", "date", "ip", "match_only_text", "wildcard", "flattened", "text",
    "flat_object", "boolean",
}  # fmt: skip


class Elasticsearch(HttpReceiver):
    """The stand-in.

    Attributes:
        policies, templates, streams, aliases: What was installed.
        documents: By stream and id.
    """

    def __init__(self, *, opensearch: bool = False, context: ssl.SSLContext | None = None) -> None:
        self.opensearch = opensearch
        self.policies: dict[str, tuple[int, Any]] = {}
        self.templates: dict[str, Any] = {}
        self.streams: set[str] = set()
        self.aliases: dict[str, str] = {}
        self.documents: dict[str, dict[str, Any]] = {}
        super().__init__(self._answer, context)

    def _answer(self, request: Request) -> Response:
        parts = urlsplit(request.path)
        path = parts.path.strip("/")
        body = json.loads(request.body) if request.body and not path.endswith("_bulk") else None
        if path.startswith("_ilm/policy/") and not self.opensearch:
            return self._ilm(request, path, body)
        if path.startswith("_plugins/_ism/policies/") and self.opensearch:
            return self._ism(request, path, body, parse_qs(parts.query))
        if path.startswith("_index_template/") and request.method == "PUT":
            return self._template(path, body)
        if path.startswith("_data_stream/"):
            return self._data_stream(request, path.partition("/")[2])
        if path.startswith("_alias/") and request.method == "GET":
            name = path.partition("/")[2]
            if name not in self.aliases:
                return _json(404, {"error": f"alias [{name}] missing", "status": 404})
            return _json(200, {self.aliases[name]: {"aliases": {name: {}}}})
        if path.endswith("/_bulk") and request.method == "POST":
            return self._bulk(request, path.rpartition("/")[0])
        if request.method == "PUT" and "/" not in path:
            return self._index(path, body)
        return _json(400, {"error": {"type": "illegal_argument_exception", "reason": path}})

    def _ilm(self, request: Request, path: str, body: Any) -> Response:
        if request.method != "PUT" or set(body) != {"policy"}:
            return _bad("policy")
        phases = body["policy"].get("phases")
        if set(body["policy"]) - {"phases", "_meta"} or not isinstance(phases, dict):
            return _bad("phases")
        for name, phase in phases.items():
            if name not in ("hot", "warm", "cold", "frozen", "delete"):
                return _bad(name)
            if set(phase) - {"min_age", "actions"}:
                return _bad(str(phase))
        rollover = phases["hot"]["actions"].get("rollover", {})
        if set(rollover) - {"max_age", "max_primary_shard_size", "max_size", "max_docs"}:
            return _bad("rollover")
        self.policies[path.rpartition("/")[2]] = (0, body)
        return _json(200, {"acknowledged": True})

    def _ism(self, request: Request, path: str, body: Any, query: dict[str, list[str]]) -> Response:
        name = path.rpartition("/")[2]
        known = self.policies.get(name)
        if request.method == "GET":
            if known is None:
                return _json(404, {"error": {"type": "status_exception", "reason": "not found"}})
            return _json(200, {"_id": name, "_seq_no": known[0], "_primary_term": 1})
        if known is not None and query.get("if_seq_no") != [str(known[0])]:
            return _json(409, {"error": {"type": "version_conflict_engine_exception"}})
        policy = body.get("policy", {})
        states = {state["name"] for state in policy.get("states", ())}
        if policy.get("default_state") not in states:
            return _bad("default_state")
        for state in policy["states"]:
            if set(state) != {"name", "actions", "transitions"}:
                return _bad(str(state))
            if any(one["state_name"] not in states for one in state["transitions"]):
                return _bad("transitions")
        self.policies[name] = (0 if known is None else known[0] + 1, body)
        return _json(200 if known else 201, {"_id": name, "_version": 1})

    def _template(self, path: str, body: Any) -> Response:
        if set(body) - _TEMPLATE_KEYS or not body.get("index_patterns"):
            return _bad(str(sorted(body)))
        inner = body.get("template", {})
        if set(inner) - {"settings", "mappings", "aliases"}:
            return _bad("template")
        for kind in _kinds(inner["mappings"]["properties"]):
            elastic_only = kind in ("flattened", "wildcard", "match_only_text")
            if kind not in _TYPES or (self.opensearch and elastic_only):
                return _bad(f"No handler for type [{kind}]")
            if not self.opensearch and kind == "flat_object":
                return _bad(f"No handler for type [{kind}]")
        if "data_stream" in body and "@timestamp" not in inner["mappings"]["properties"]:
            return _bad("@timestamp")
        policy = inner["settings"].get("index.lifecycle.name")
        if policy is not None and policy not in self.policies:
            return _bad(f"policy [{policy}] does not exist")
        self.templates[path.rpartition("/")[2]] = body
        return _json(200, {"acknowledged": True})

    def _matching(self, name: str, key: str) -> bool:
        return any(
            (key in template) == (key == "data_stream")
            and any(fnmatch.fnmatchcase(name, one) for one in template["index_patterns"])
            for template in self.templates.values()
            if key != "data_stream" or "data_stream" in template
        )

    def _data_stream(self, request: Request, name: str) -> Response:
        if request.method == "GET":
            if name not in self.streams:
                return _json(404, {"error": {"type": "index_not_found_exception"}, "status": 404})
            return _json(200, {"data_streams": [{"name": name}]})
        if not self._matching(name, "data_stream"):
            return _bad(f"no matching index template found for data stream [{name}]")
        if name in self.streams:
            return _json(400, {"error": {"type": "resource_already_exists_exception"}})
        self.streams.add(name)
        return _json(200, {"acknowledged": True})

    def _index(self, path: str, body: Any) -> Response:
        for alias, options in (body or {}).get("aliases", {}).items():
            if options != {"is_write_index": True}:
                return _bad("aliases")
            self.aliases[alias] = path
        return _json(200, {"acknowledged": True, "shards_acknowledged": True, "index": path})

    def _bulk(self, request: Request, target: str) -> Response:
        if request.headers.get("content-type") not in ("application/x-ndjson", "application/json"):
            return _json(406, {"error": "Content-Type header is not supported", "status": 406})
        if not request.body.endswith(b"\n"):
            return _bad("The bulk request must be terminated by a newline [\\n]")
        if target not in self.streams and target not in self.aliases:
            return _json(404, {"error": {"type": "index_not_found_exception"}, "status": 404})
        lines = request.body.split(b"\n")[:-1]
        items = []
        for action_line, source in zip(lines[::2], lines[1::2], strict=True):
            ((action, head),) = json.loads(action_line).items()
            item: dict[str, Any] = {"_index": f".ds-{target}-000001", "_id": head["_id"]}
            known = self.documents.setdefault(target, {})
            document = json.loads(source)
            if action != "create":
                error = "only write ops with an op_type of create are allowed in data streams"
                item |= {"status": 400, "error": _error("illegal_argument_exception", error)}
            elif "@timestamp" not in document:
                item |= {"status": 400, "error": _error("document_parsing_exception", "timestamp")}
            elif head["_id"] in known:
                conflict = _error("version_conflict_engine_exception", "document already exists")
                item |= {"status": 409, "error": conflict}
            else:
                known[head["_id"]] = document
                item |= {"status": 201, "result": "created"}
            items.append({action: item})
        errors = any(next(iter(item.values()))["status"] >= 300 for item in items)
        return _json(200, {"took": 1, "errors": errors, "items": items})


def _kinds(properties: dict[str, Any]) -> list[str]:
    found = []
    for field in properties.values():
        found += _kinds(field["properties"]) if "properties" in field else [field["type"]]
    return found


def _error(kind: str, why: str) -> dict[str, str]:
    return {"type": kind, "reason": why}


def _json(status: int, body: Any) -> Response:
    return Response(status, json.dumps(body).encode(), {"content-type": "application/json"})


def _bad(why: str) -> Response:
    return _json(400, {"error": _error("illegal_argument_exception", why), "status": 400})
