"""Several captures in one run: the alerts of each, in order, whoever is done first."""

from __future__ import annotations

from pathlib import Path

import pytest

RULES = "rulesets/credential_access/rules.yaml"
ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = "rulesets/captures"
CAPTURES = [f"{FOLDER}/{name}.scap.gz" for name in ("attack-host", "tiny-host", "attack-docker")]


def alone(cli, capture: str, *more: str) -> str:  # type: ignore[no-untyped-def]
    done = cli("run", "-r", RULES, "-e", capture, "-q", *more)
    assert done.returncode == 0
    return str(done.stdout)


@pytest.mark.parametrize("jobs", ["1", "2", "8"])
def test_alerts_come_in_the_order_of_captures(cli, jobs: str) -> None:
    expected = "".join(alone(cli, capture) for capture in CAPTURES)
    assert expected.count("\n") > 8
    arguments = [argument for capture in CAPTURES for argument in ("-e", capture)]
    done = cli("run", "-r", RULES, *arguments, "-j", jobs)
    assert done.returncode == 0
    assert done.stdout == expected
    heads = [line for line in done.stderr.splitlines() if " events in " in line]
    assert [line.split(":")[0] for line in heads] == CAPTURES


def test_a_damaged_capture_spoils_no_other(cli, tmp_path: Path) -> None:
    broken = tmp_path / "broken.scap.gz"
    whole = (ROOT / CAPTURES[0]).read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    done = cli("run", "-r", RULES, "-q", "-e", broken, "-e", CAPTURES[2], "-j", "2")
    assert done.returncode == 2
    assert done.stdout.endswith(alone(cli, CAPTURES[2]))
    assert str(broken) in done.stderr
    assert "1 problem in 2 captures" in done.stderr
    missing = cli("run", "-r", RULES, "-q", "-e", "/none.scap", "-e", CAPTURES[2])
    assert missing.returncode == 2
    assert missing.stdout == alone(cli, CAPTURES[2])


def test_what_does_not_go_together_is_refused(cli) -> None:
    for arguments, message in (
        (("-e", "-"), "standard input"),
        (("-e", f"{FOLDER}/attack-audit.jsonl"), "has events of k8s_audit"),
        (("-e", CAPTURES[1], "-j", "0"), "is no number of captures"),
        (("-e", CAPTURES[1], "--follow"), "for one log"),
    ):
        done = cli("run", "-r", RULES, "-e", CAPTURES[0], *arguments)
        assert done.returncode == 2
        assert message in done.stderr


def test_a_full_disk_ends_the_run(cli) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    arguments = [argument for capture in CAPTURES for argument in ("-e", capture)]
    done = cli("run", "-r", RULES, *arguments, "-o", "/dev/full")
    assert done.returncode == 2
    assert "no space left" in done.stderr
