"""``rulekit k8s admission`` under a real client."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from rulekit.alert import Alert
from rulekit.engine.library import load
from rulekit.engine.pipeline import Engine
from rulekit.server.admission import AdmissionWebhook
from rulekit.server.plan import ServerPlan
from tests.kubernetes.standards import RULES, cases, pod, wrap
from tests.server.conftest import Server
from tests.waiting import wait_until

Start = Callable[..., Server]


def review(obj: Any, operation: str = "CREATE", **members: Any) -> dict[str, Any]:
    kind = obj.get("kind", "Pod") if isinstance(obj, dict) else "Pod"
    return {
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": "", "version": "v1", "kind": kind},
            "resource": {"group": "", "version": "v1", "resource": f"{kind.lower()}s"},
            "name": "web",
            "namespace": "shop",
            "operation": operation,
            "userInfo": {"username": "alice", "groups": ["system:authenticated"]},
            "object": obj,
            "oldObject": None,
            "dryRun": False,
            "options": {"kind": "CreateOptions"},
            **members,
        },
    }


def bad_pod() -> dict[str, Any]:
    inner = pod()
    inner["spec"]["hostPID"] = True
    del inner["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"]
    return wrap("Pod", inner)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "alerts"


@pytest.fixture
def start(server: Start, out: Path) -> Start:
    def begin(*args: object) -> Server:
        return server("k8s", "admission", "-o", out, "--listen", "127.0.0.1:0", *args)

    return begin


def answer_of(running: Server, body: object) -> dict[str, Any]:
    status, answer = running.post(body)
    assert status == 200, answer
    assert (answer["apiVersion"], answer["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    found: dict[str, Any] = answer["response"]
    return found


def test_answers(start: Start, out: Path) -> None:
    running = start()
    uid = review({})["request"]["uid"]
    assert answer_of(running, review(wrap("Pod", pod()))) == {
        "uid": uid, "allowed": True, "auditAnnotations": {"verdict": "allow"},
    }  # fmt: skip

    denied = answer_of(running, review(bad_pod()))
    assert (denied["uid"], denied["allowed"]) == (uid, False)
    assert denied["status"]["code"] == 403
    assert denied["status"]["message"] == (
        "rulekit: Pod in the namespaces of its node (user=alice kind=Pod name=web namespace=shop"
        " network=unset pid=true ipc=unset)"
    )
    (warning,) = denied["warnings"]
    assert warning.startswith("rulekit: Container that can change its own file system (user=alice")
    assert denied["auditAnnotations"] == {
        "verdict": "deny",
        "rules": "Pod in the namespaces of its node, Container that can change its own file system",
    }

    inner = pod()
    inner["spec"]["containers"][0]["securityContext"]["runAsUser"] = 0
    warned = answer_of(running, review(wrap("Deployment", inner), "UPDATE"))
    assert warned["allowed"] is True
    assert "Container with the user id of root" in warned["warnings"][0]

    # An object that is removed has none.
    assert answer_of(running, review(None, "DELETE", oldObject=bad_pod()))["allowed"] is True
    alerts_before = _alerts(out, 3)
    # Nothing happens because of a dry run; the answer is the same.
    assert answer_of(running, review(bad_pod(), dryRun=True)) == denied
    assert running.stop() == 0
    assert _alerts(out, 3) == alerts_before
    assert {"5 requests", "  answers allow: 2", "  answers deny: 2", "  answers warn: 1"} <= set(
        running.told
    )


def _alerts(out: Path, at_least: int) -> list[str]:
    wait_until(lambda: len(out.read_text().splitlines()) >= at_least)
    return out.read_text().splitlines()


def test_what_is_no_review(start: Start) -> None:
    running = start()
    for body in (
        b"", b"{", b"[]", b"7", {"kind": "Pod"}, {"kind": "AdmissionReview"},
        {**review({}), "apiVersion": "admission.k8s.io/v1beta1"},
        {**review({}), "request": {}}, {**review({}), "request": None},
        review({}, "EAT"), {**review({}), "request": {"uid": 7}},
    ):  # fmt: skip
        status, answer = running.post(body)
        assert status == 400, body
        assert answer["error"]
    assert answer_of(running, review(wrap("Pod", pod())))["allowed"] is True
    assert running.stop() == 0


def test_odd_objects_are_no_trouble(start: Start) -> None:
    running = start()
    for obj in (
        None,
        7,
        "x",
        [],
        {},
        {"kind": "Pod"},
        {"kind": "Pod", "spec": {"containers": [7]}},
    ):
        answer_of(running, review(obj))
    assert answer_of(running, review(bad_pod(), userInfo=None))["allowed"] is False
    assert answer_of(running, review(bad_pod(), subResource="status"))["allowed"] is True
    assert running.stop() == 0


def test_too_many_warnings_are_cut(server: Start, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "- required_plugin_versions: [{name: k8saudit, version: 0.7.0}]\n"
        + "".join(
            f"- rule: Rule {i}\n  desc: d\n  condition: pod.kind exists\n"
            f"  output: {'é' * 300}\n  priority: INFO\n  source: k8s_audit\n"
            for i in range(40)
        )
    )
    running = server(
        "k8s", "admission", "-r", rules, "-o", tmp_path / "out", "--listen", "127.0.0.1:0"
    )
    warnings = answer_of(running, review(wrap("Pod", pod())))["warnings"]
    assert all(len(warning) <= 256 for warning in warnings)
    assert sum(len(warning.encode()) for warning in warnings) <= 4096
    assert warnings[-1] == f"rulekit: {40 - len(warnings) + 1} more warnings"


@pytest.mark.parametrize("fail_open", [True, False])
def test_what_cannot_be_evaluated(server: Start, tmp_path: Path, fail_open: bool) -> None:
    # JSON that the reader of reviews passes on and the evaluator does not take.
    code = (
        "import sys\n"
        "from rulekit.engine import judge\n"
        "judge.Judge._judge = lambda *args: 1 / 0\n"
        "from rulekit.cli.main import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    options = ["--fail-open"] if fail_open else []
    running = server(
        "k8s", "admission", "-o", tmp_path / "out", "--listen", "127.0.0.1:0", *options, code=code
    )  # fmt: skip
    answer = answer_of(running, review(wrap("Pod", pod())))
    assert answer["allowed"] is fail_open
    assert "ZeroDivisionError" in answer["auditAnnotations"]["problem"]
    text = answer["warnings"][0] if fail_open else answer["status"]["message"]
    assert "could not be evaluated" in text
    assert running.stop() == 0
    assert "  not evaluated: 1" in running.told


def test_the_standards_through_admission(start: Start) -> None:
    table = list(cases())
    engine = Engine(load(RULES), source="k8s_audit")
    webhook = AdmissionWebhook(engine, ServerPlan("127.0.0.1", 0, "/validate"))
    running = start()
    wrong = []
    for i, case in enumerate(table):
        body = json.dumps(review(case.object)).encode()
        answer = webhook.review(body)["response"]
        if i % 29 == 0:  # and over HTTP
            assert answer_of(running, body) == answer
        fired = answer["auditAnnotations"].get("rules", "").split(", ")
        if (case.rule in fired) == case.ok:
            wrong.append(str(case))
        if not case.ok and case.level == "baseline":
            assert not answer["allowed"], str(case)
            assert case.rule in answer["status"]["message"], str(case)
    webhook.close()
    assert not wrong, f"{len(wrong)} of {len(table)}: {wrong[:5]}"
    assert running.stop() == 0


def test_the_reviews_of_an_api_server(start: Start, shared: Path) -> None:
    running = start()
    host = running.url.removesuffix("/validate")
    allowed = []
    path = shared / "captures" / "k8s_audit" / "genuine" / "admission-reviews.jsonl"
    for line in path.read_text().splitlines():
        stored = json.loads(line)
        body = json.dumps(stored["body"], separators=(",", ":")).encode()
        headers = {k: v for k, v in stored["headers"].items() if k != "Content-Length"}
        response = running.pool.request("POST", host + stored["path"], body=body, headers=headers)
        assert response.status == 200
        answer = json.loads(response.data)["response"]
        request = stored["body"]["request"]
        assert answer["uid"] == request["uid"]
        allowed.append((request["operation"], request["name"], answer["allowed"]))
    assert running.stop() == 0
    assert len(allowed) == 11
    assert ("CREATE", "web", True) in allowed  # baseline; it is warned about
    assert ("CREATE", "priv", False) in allowed
    assert ("CREATE", "hostpath", False) in allowed
    assert ("CREATE", "creds", True) in allowed


def test_alerts_that_nobody_takes_are_bounded_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rulekit.server.admission._MAX_UNDELIVERED", 3)
    goes_on = threading.Event()
    taken: list[int] = []

    def deliver(alerts: Sequence[Alert]) -> None:
        goes_on.wait(30)
        taken.append(len(alerts))
        if len(taken) == 3:
            raise OSError(28, "No space left on device")

    said: list[str] = []
    engine = Engine(load(RULES), source="k8s_audit", matching="all")
    webhook = AdmissionWebhook(engine, ServerPlan("", 0, "/"), deliver, tell=said.append)
    body = json.dumps(review(bad_pod())).encode()
    for _ in range(5):
        assert webhook.review(body)["response"]["allowed"] is False
    goes_on.set()
    webhook.close()
    assert len(taken) == 3
    assert webhook.counters["alerts lost"] == 3 * taken[0], "two had no place, one failed"
    assert said == ["alerts are lost: too many alerts wait to be delivered"]
