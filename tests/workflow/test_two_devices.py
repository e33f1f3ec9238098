"""`--resources gpu=2` on one machine: two shards run at once on separate devices and write the bytes of one shard.

The devices are only names and the engine is fake, so no job loads a model; the rest is an ordinary local run.
"""

import datetime
import re
from pathlib import Path

import pytest

from tests.workflow.workspace import Workspace

pytestmark = pytest.mark.workflow
TABLE = "results/luxury/rationales/positive.parquet"
# Appended to the engine: a job continues once jobs on two devices have got here, and gives up after a minute.
MEETING = """

import os
import time
from pathlib import Path

_generate = FakeGenerator.generate


def _generate_together(self, requests):
    met = Path("met")
    met.mkdir(exist_ok=True)
    (met / os.environ["CUDA_VISIBLE_DEVICES"]).touch()
    deadline = time.monotonic() + 60
    while len(list(met.iterdir())) < 2:
        assert time.monotonic() < deadline, "no job on another device started"
        time.sleep(0.05)
    return _generate(self, requests)


FakeGenerator.generate = _generate_together
"""


def device_and_times(log: Path) -> tuple[str, datetime.datetime, datetime.datetime]:
    """A job's device, and when the job took it and finished."""
    text = log.read_text()
    line = r"^(\S+ \S+) INFO rule positive_rationales"
    taken = re.search(rf"{line} uses device (\S+)$", text, re.MULTILINE)
    done = re.search(rf"{line} done$", text, re.MULTILINE)
    assert taken and done, text
    start, end = (datetime.datetime.strptime(match[1], "%Y-%m-%d %H:%M:%S,%f") for match in (taken, done))
    return taken[2], start, end


def test_two_shards_run_at_once_on_two_devices_and_give_the_bytes_of_one(
    built: Workspace, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # leases of this run only
    workspace.edit("pulse_core/generation/fake_engine.py", MEETING)
    workspace.configure({"generation": {"shards": 2, "chunk_prompts": 4}})  # twelve examples, some in each shard
    workspace.run(target=TABLE)
    logs = [workspace.root / f"logs/luxury/positive_rationales-{number}-of-2.log" for number in (1, 2)]
    (device, start, end), (other_device, other_start, other_end) = map(device_and_times, logs)
    assert {device, other_device} == {"0", "1"}
    assert max(start, other_start) < min(end, other_end)
    assert (workspace.root / TABLE).read_bytes() == (built.root / TABLE).read_bytes()
