"""The whole workflow on a real Slurm: same bytes as a local run, each job with the resources of rule and profile."""

import itertools
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.slurm import PROFILE, Job, SlurmWorkspace
from tests.workflow.test_interrupted import figures, tables
from tests.workflow.test_profiles import GPU_RULES
from tests.workflow.workspace import Workspace

pytestmark = pytest.mark.cluster
SHARDS = 3
SCATTERED = ("positive_rationales", "base_rationales", "tree")
CPU_RULES = {
    *("synthetic_raw", "corpus", "examples", "model", "sasrec", "candidates", "neighbours"),
    *("gather_positive", "gather_base", "gather_tree", "hr1"),
    *("baseline_popularity", "baseline_brand_repeat", "baseline_sasrec"),
}


@pytest.fixture(scope="module")
def clustered(
    slurm: None, built: Workspace, config: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> SlurmWorkspace:
    """A workspace where the whole pipeline has run through profiles/slurm, with more shards than GPUs."""
    root = tmp_path_factory.mktemp("clustered")
    workspace = SlurmWorkspace(Workspace.create(root, config, code=built.root).root)
    workspace.configure({"generation": {"shards": SHARDS}})
    workspace.run()
    return workspace


@pytest.fixture(scope="module")
def jobs(clustered: SlurmWorkspace) -> list[Job]:
    """All jobs of that run."""
    return clustered.jobs()


def gpu_jobs(jobs: list[Job]) -> list[Job]:
    """Jobs whose rule requests a GPU."""
    return [job for job in jobs if job.rule in GPU_RULES]


def overlap(one: Job, other: Job) -> bool:
    """Whether both ran at the same time."""
    return max(one.started, other.started) < min(one.ended, other.ended)


def test_the_results_equal_those_of_a_local_run(clustered: SlurmWorkspace, built: Workspace) -> None:
    made, wanted = (
        {name: content for name, content in tables(workspace).items() if "/shards/" not in name}
        for workspace in (clustered, built)
    )
    assert made.keys() == wanted.keys()
    for name, content in wanted.items():
        assert made[name] == content, name
    assert figures(clustered) == figures(built)
    assert Workspace(clustered.root).stale() == set(), "nothing is left for a local run to do"


def test_every_rule_ran_as_a_job_and_only_some_with_a_gpu(jobs: list[Job]) -> None:
    assert {job.state for job in jobs} == {"COMPLETED"}
    assert {job.rule for job in jobs} == GPU_RULES | CPU_RULES
    assert {(job.rule, job.gpus) for job in jobs} == {
        *((rule, "gres:gpu:1") for rule in GPU_RULES),
        *((rule, "") for rule in CPU_RULES),
    }


def test_partition_memory_and_time_are_those_of_the_profile(clustered: SlurmWorkspace, jobs: list[Job]) -> None:
    profile = yaml.safe_load((clustered.root / PROFILE / "config.yaml").read_text())
    default, per_rule = profile["default-resources"], profile["set-resources"]
    assert per_rule.keys() >= GPU_RULES
    for job in jobs:
        requested = {**default, **per_rule.get(job.rule, {})}
        assert (job.partition, job.minutes, job.nodes) == (requested["slurm_partition"], requested["runtime"], 1), job
        if "mem_mb" in per_rule.get(job.rule, {}):  # other rules compute their memory, a training per process
            assert job.memory_mb == requested["mem_mb"], job
    assert {job.partition for job in gpu_jobs(jobs)} == {"gpu"}


def test_two_gpu_jobs_run_at_once_and_a_third_waits(jobs: list[Job]) -> None:
    on_gpus = gpu_jobs(jobs)
    running = {
        job.number: [other for other in on_gpus if other.started <= job.started < other.ended] for job in on_gpus
    }
    assert max(len(others) for others in running.values()) == 2
    writing = sorted((job for job in jobs if job.rule == "positive_rationales"), key=lambda job: job.started)
    first, second, third = writing
    assert overlap(first, second)
    assert third.submitted < min(first.ended, second.ended) <= third.started


def test_jobs_that_run_at_once_see_different_devices(clustered: SlurmWorkspace, jobs: list[Job]) -> None:
    seen = {}
    for job in jobs:
        if job.rule in SCATTERED:
            shard = job.wildcards.removeprefix("luxury_")
            seen[job] = devices_of(clustered.root / f"logs/luxury/{job.rule}-{shard}.log")
    assert len(seen) == len(SCATTERED) * SHARDS
    assert {*itertools.chain.from_iterable(seen.values())} == {"0", "1"}
    for one, other in itertools.combinations(seen, 2):
        assert len(seen[one]) == 1
        assert not overlap(one, other) or seen[one] != seen[other], (one, other)


def test_no_other_job_uses_a_device(clustered: SlurmWorkspace) -> None:
    for log in ("corpus", "examples", "sasrec", "candidates", "neighbours", "gather_tree", "baseline-sasrec", "hr1"):
        assert devices_of(clustered.root / f"logs/luxury/{log}.log") == []


def devices_of(log: Path) -> list[str]:
    """The devices named in a job's log."""
    text = log.read_text()
    assert " done" in text
    return re.findall(r"uses device (\S+)", text)
