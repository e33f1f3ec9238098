"""`--resources gpu=2` on one machine: two shards at once, each on a device of its own, and the bytes of one shard.

The devices are names and the engine is fake, so neither job loads a model; all else is a local run as any.
"""

import datetime
import re
from pathlib import Path

import pytest

from tests.workflow.workspace import Workspace

pytestmark = pytest.mark.workflow
TABLE = "results/luxury/rationales/positive.parquet"
# Laid behind the engine: a job goes on only when jobs on two devices have come so far, and gives up after a minute.
MEETING = """

import os
import time
from pathlib import Path

_alone = FakeGenerator.generate


def _together(self, requests):
    met = Path("met")
    met.mkdir(exist_ok=True)
    (met / os.environ["CUDA_VISIBLE_DEVICES"]).touch()
    deadline = time.monotonic() + 60
    while len(list(met.iterdir())) < 2:
        assert time.monotonic() < deadline, "no job on another device came"
        time.sleep(0.05)
    return _alone(self, requests)


FakeGenerator.generate = _together
"""


def told(log: Path) -> tuple[str, datetime.datetime, datetime.datetime]:
    """The device of a job, when it got it and when it was done."""
    text = log.read_text()
    line = r"^(\S+ \S+) INFO rule positive_rationales"
    held = re.search(rf"{line} uses device (\S+)$", text, re.MULTILINE)
    done = re.search(rf"{line} done$", text, re.MULTILINE)
    assert held and done, text
    start, end = (datetime.datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S,%f") for found in (held, done))
    return held[2], start, end


def test_two_shards_run_at_once_on_two_devices_and_give_the_bytes_of_one(
    built: Workspace, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # leases of this run alone
    workspace.edit("pulse_core/generation/fake_engine.py", MEETING)
    workspace.configure({"generation": {"shards": 2, "chunk_prompts": 4}})  # twelve examples: both shards have some
    workspace.run(target=TABLE)
    logs = [workspace.root / f"logs/luxury/positive_rationales-{number}-of-2.log" for number in (1, 2)]
    (device, start, end), (other, later, last) = map(told, logs)
    assert {device, other} == {"0", "1"}
    assert max(start, later) < min(end, last)
    assert (workspace.root / TABLE).read_bytes() == (built.root / TABLE).read_bytes()
