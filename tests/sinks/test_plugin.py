"""The example plug-in, installed as its users would install it: it has a name, and it delivers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.receivers.http import HttpReceiver, Request, Response

ROOT = Path(__file__).resolve().parent.parent.parent
CAPTURE = ROOT / "rulesets" / "captures" / "attack-host.scap.gz"
RULES = ROOT / "rulesets" / "persistence" / "rules.yaml"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the plug-in, for PYTHONPATH."""
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copytree(ROOT / "examples" / "rulekit-slack", folder / "source")
    options = ["--no-deps", "--no-build-isolation", "--target", folder / "site"]
    command = [sys.executable, "-m", "pip", "install", "-q", *options, folder / "source"]
    subprocess.run(list(map(str, command)), check=True)
    return folder / "site"


def rulekit(site: Path, *args: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(ROOT), str(site)])
    return subprocess.run(
        [sys.executable, "-m", "rulekit", *map(str, args)],
        env={**os.environ, "PYTHONPATH": paths, **environ},
        capture_output=True,
        text=True,
    )


def slack(request: Request) -> Response:
    """Answer as Slack's documentation of incoming webhooks says."""
    body = json.loads(request.body)
    blocks = body.get("blocks", [])
    if request.headers["content-type"].partition(";")[0] != "application/json":
        return Response(400, b"invalid_payload")
    if not isinstance(body.get("text"), str) or not 0 < len(blocks) <= 50:
        return Response(400, b"no_text")
    for block in blocks:
        text = block["text"]
        if block["type"] != "section" or text["type"] != "mrkdwn" or len(text["text"]) > 3000:
            return Response(400, b"invalid_blocks")
    return Response(200, b"ok")


def test_the_plugin_is_listed_and_part_of_the_schema(installed: Path) -> None:
    listed = rulekit(installed, "sink", "list").stdout
    assert "slack          Posts alerts to a Slack channel" in listed
    assert "(rulekit_slack:SlackFormatter)" in listed
    schema = json.loads(rulekit(installed, "config", "schema").stdout)
    assert schema["$defs"]["sink.slack"]["required"] == ["type", "webhook"]


def test_the_plugin_delivers(installed: Path, tmp_path: Path) -> None:
    config = tmp_path / "rulekit.yaml"
    config.write_text(
        f"rules: [{RULES}]\nspool: {{memory: true}}\n"
        "sinks: {chat: {type: slack, webhook: {env: HOOK}, format: {type: slack, tags: false}}}\n"
    )
    with HttpReceiver(slack) as receiver:
        url = f"{receiver.url}/services/T0/B0/secret"
        done = rulekit(installed, "run", "-c", config, "-e", CAPTURE, HOOK=url)
        assert done.returncode == 0, done.stderr
        blocks = [one for r in receiver.requests for one in json.loads(r.body)["blocks"]]
        assert len(blocks) == 6
        assert "*Warning*: Scheduled job written" in "".join(one["text"]["text"] for one in blocks)
    done = rulekit(installed, "sink", "test", "-c", config, HOOK=url)
    assert done.returncode == 1
    assert "secret" not in done.stdout + done.stderr
    assert "chat: Slack: " in done.stdout
