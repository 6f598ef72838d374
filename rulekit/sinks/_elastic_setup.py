"""What `rulekit sink setup` installs in Elasticsearch or OpenSearch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rulekit.errors import SinkError
from rulekit.sinks._http import HttpClient

if TYPE_CHECKING:
    from rulekit.sinks.elasticsearch import ElasticsearchOptions

POLICY = "rulekit-alerts"
TEMPLATE = "rulekit-alerts"

# Types of the ECS fields that are no keywords; test_elasticsearch holds them against the published
# table and against everything that the format writes.
_TYPES = {
    "date": ("@timestamp", "process.start"),
    "match_only_text": ("message",),
    "long": (
        "event.severity", "event.sequence", "process.pid", "process.vpid", "process.thread.id",
        "process.parent.pid", "process.session_leader.pid", "source.port", "destination.port",
        "http.response.status_code",
    ),
    "ip": ("source.ip", "destination.ip", "related.ip"),
    "wildcard": (
        "process.command_line", "process.parent.command_line", "url.original", "url.path",
    ),
}  # fmt: skip
_OWN_LONGS = ("rulekit.position", "rulekit.drops")
# What OpenSearch has in place of types that it lacks.
_OPENSEARCH = {"wildcard": "keyword", "match_only_text": "text", "flattened": "flat_object"}
_LONG_TEXTS = frozenset({"wildcard"})


@dataclass(frozen=True, slots=True)
class Step:
    """One request.

    Attributes:
        exists: A path to look at first: when it is there, nothing is done.
        wants_version: OpenSearch changes a policy only when told which version it replaces.
    """

    method: str
    path: str
    body: dict[str, Any] | None
    exists: str | None = None
    wants_version: bool = False


def steps(options: ElasticsearchOptions) -> list[Step]:
    """Return the requests in their order."""
    opensearch = options.flavor == "opensearch"
    found = [_opensearch_policy(options) if opensearch else _elasticsearch_policy(options)]
    found.append(Step("PUT", f"_index_template/{TEMPLATE}", index_template(options)))
    if options.data_stream:
        path = f"_data_stream/{options.index}"
        found.append(Step("PUT", path, None, exists=path))
    else:
        body = {"aliases": {options.index: {"is_write_index": True}}}
        found.append(Step("PUT", f"{options.index}-000001", body, exists=f"_alias/{options.index}"))
    return found


def apply(client: HttpClient, base: str, step: Step) -> str:
    """Send a request; return what was done."""
    import json

    if step.exists is not None:
        answer = client.request("GET", f"{base}/{step.exists}")
        if answer.status == 200:
            return "was there"
        if answer.status != 404:
            answer.raise_for_status()
    path = step.path
    if step.wants_version:
        answer = client.request("GET", f"{base}/{path}")
        if answer.status == 200:
            known = answer.json()
            path += f"?if_seq_no={known['_seq_no']}&if_primary_term={known['_primary_term']}"
        elif answer.status != 404:
            answer.raise_for_status()
    body = None if step.body is None else json.dumps(step.body).encode()
    headers = {"content-type": "application/json"}
    answer = client.request(step.method, f"{base}/{path}", body, headers)
    if answer.status >= 300:
        raise SinkError(f"{step.method} /{path}: HTTP {answer.status}: {answer.shown()}")
    return "done"


def index_template(options: ElasticsearchOptions) -> dict[str, Any]:
    """Return the index template: settings, mappings of ECS, our own fields flattened."""
    opensearch = options.flavor == "opensearch"
    settings: dict[str, Any] = {"index.number_of_replicas": options.replicas}
    settings["index.mapping.total_fields.limit"] = 2000
    if opensearch:
        if not options.data_stream:
            settings["plugins.index_state_management.rollover_alias"] = options.index
    else:
        settings["index.lifecycle.name"] = POLICY
        if not options.data_stream:
            settings["index.lifecycle.rollover_alias"] = options.index
    pattern = options.index if options.data_stream else f"{options.index}-*"
    template: dict[str, Any] = {
        "index_patterns": [pattern],
        # Above Elasticsearch's own template for logs-*-*.
        "priority": 200,
        "template": {"settings": settings, "mappings": mappings(opensearch)},
        "_meta": {"description": "alerts of rulekit", "managed_by": "rulekit"},
    }
    if options.data_stream:
        template["data_stream"] = {}
    return template


def mappings(opensearch: bool) -> dict[str, Any]:
    """Return the mappings: texts are keywords unless said otherwise."""
    properties: dict[str, Any] = {}
    for kind, names in _TYPES.items():
        shown = _OPENSEARCH.get(kind, kind) if opensearch else kind
        for name in names:
            field: dict[str, Any] = {"type": shown}
            if kind in _LONG_TEXTS and shown == "keyword":
                field["ignore_above"] = 8191
            _put(properties, name, field)
    for name in _OWN_LONGS:
        _put(properties, name, {"type": "long"})
    flat = "flat_object" if opensearch else "flattened"
    _put(properties, "rulekit.fields", {"type": flat})
    keyword = {"type": "keyword", "ignore_above": 1024}
    return {
        "date_detection": False,
        "dynamic_templates": [
            {"texts": {"match_mapping_type": "string", "mapping": keyword}},
        ],
        "properties": properties,
    }


def _put(properties: dict[str, Any], name: str, field: dict[str, Any]) -> None:
    head, _, rest = name.partition(".")
    if not rest:
        properties[head] = field
        return
    inner = properties.setdefault(head, {"properties": {}})
    _put(inner["properties"], rest, field)


def _elasticsearch_policy(options: ElasticsearchOptions) -> Step:
    rollover = {
        "max_primary_shard_size": options.rollover_size,
        "max_age": options.rollover_age,
    }
    phases = {
        "hot": {"actions": {"rollover": rollover}},
        "delete": {"min_age": options.keep, "actions": {"delete": {}}},
    }
    return Step("PUT", f"_ilm/policy/{POLICY}", {"policy": {"phases": phases}})


def _opensearch_policy(options: ElasticsearchOptions) -> Step:
    rollover = {"min_size": options.rollover_size, "min_index_age": options.rollover_age}
    pattern = f".ds-{options.index}-*" if options.data_stream else f"{options.index}-*"
    policy = {
        "description": "alerts of rulekit",
        "default_state": "hot",
        "states": [
            {
                "name": "hot",
                "actions": [{"rollover": rollover}],
                "transitions": [
                    {"state_name": "delete", "conditions": {"min_index_age": options.keep}}
                ],
            },
            {"name": "delete", "actions": [{"delete": {}}], "transitions": []},
        ],
        "ism_template": [{"index_patterns": [pattern], "priority": 200}],
    }
    path = f"_plugins/_ism/policies/{POLICY}"
    return Step("PUT", path, {"policy": policy}, wants_version=True)
