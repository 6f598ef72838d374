"""Twenty random faults over the acknowledging sinks: nothing is lost. Two hundred: `.ci/long`."""

from __future__ import annotations

import importlib.util
import os
import random
import shutil
from pathlib import Path

from tests.faults.campaign import Campaign
from tests.faults.targets import TARGETS, KafkaTarget, OpenSearchTarget, RelpTarget

FAULTS = int(os.environ.get("RULEKIT_FAULTS", "20"))


def installed(kind: type) -> bool:
    if kind is KafkaTarget:
        return shutil.which("kcat") is not None
    if kind is RelpTarget:
        return shutil.which("/usr/sbin/rsyslogd") is not None
    if kind is OpenSearchTarget:
        return importlib.util.find_spec("osmem_server") is not None
    return True


def test_random_faults_lose_nothing(tmp_path: Path) -> None:
    seed = int(os.environ.get("RULEKIT_FAULTS_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"RULEKIT_FAULTS_SEED={seed}")
    targets = [kind for kind in TARGETS if installed(kind)]
    with Campaign(tmp_path, random.Random(seed), targets) as campaign:
        for _ in range(FAULTS):
            done = campaign.round()
            assert done.lost == 0, done
        print(campaign.outcome.table())
    assert len(campaign.outcome.rounds) == FAULTS
