"""Kills on a cluster: a job on its node, and a driver whose jobs keep running. Real engine, tiny model."""

from pathlib import Path

import pytest

from tests.cluster.slurm import Job, SlurmWorkspace
from tests.workflow.test_interrupted import journalled, kill_driver, unfinished, wait_for
from tests.workflow.workspace import Workspace

pytestmark = pytest.mark.cluster
RULE, TARGET = "base_rationales", "results/luxury/shards/base/1-of-1.parquet"
# A poll that finds nothing finished delays the next by ten seconds, so start early.
POLLS = ("--slurm-init-seconds-before-status-checks", "3")
# One prompt per chunk and long texts, so that a job is still writing when it is killed.
SETTINGS = {
    "generation": {"engine": "transformers", "batch_size": 4, "chunk_prompts": 1, "dtype": "float32"},
    "rationales": {"sampling": {"max_new_tokens": 64}},
}


@pytest.fixture(scope="module")
def uninterrupted(built: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A local run without interruptions."""
    workspace = built.clone(tmp_path_factory.mktemp("uninterrupted"))
    workspace.configure(SETTINGS)
    workspace.run(target=TARGET)
    return workspace


@pytest.fixture
def workspace(slurm: None, built: Workspace, tmp_path: Path) -> SlurmWorkspace:
    """The same pipeline on Slurm, not yet run."""
    workspace = SlurmWorkspace(built.clone(tmp_path / "workspace").root)
    workspace.configure(SETTINGS)
    return workspace


def check_same(workspace: Workspace, uninterrupted: Workspace, kept: dict[Path, int]) -> None:
    """Check that the result equals the uninterrupted run's and that no chunk in `kept` was rewritten."""
    assert (workspace.root / TARGET).read_bytes() == (uninterrupted.root / TARGET).read_bytes()
    assert unfinished(workspace) == []
    for file, written in kept.items():
        assert file.stat().st_mtime_ns == written, "a finished chunk was generated again"


def test_a_job_killed_on_its_node_is_retried_and_resumes_from_its_journal(
    workspace: SlurmWorkspace, built: Workspace, uninterrupted: Workspace
) -> None:
    driver = workspace.start(*POLLS, target=TARGET)
    kept = wait_for(lambda: journalled(workspace, RULE, built), driver)
    script = workspace.script_on_the_node(RULE)
    assert script is not None
    script.kill()
    assert driver.wait(timeout=180) == 0, (workspace.root / "driver.txt").read_text()[-3000:]
    assert [job.state for job in writers(workspace)] == ["FAILED", "COMPLETED"]
    check_same(workspace, uninterrupted, kept)


def test_jobs_of_a_killed_driver_run_until_the_next_call_takes_over(
    workspace: SlurmWorkspace, built: Workspace, uninterrupted: Workspace
) -> None:
    driver = workspace.start(*POLLS, target=TARGET)
    kept = wait_for(lambda: journalled(workspace, RULE, built), driver)
    kill_driver(driver)
    script = workspace.script_on_the_node(RULE)
    assert script is not None, "the Slurm job must survive its driver"
    script.suspend()  # so that it still runs when the next call has submitted its job, however slow this machine is
    driver = workspace.start(*POLLS, target=TARGET)
    wait_for(lambda: len(writers(workspace)) == 2, driver)
    script.resume()
    assert driver.wait(timeout=180) == 0, (workspace.root / "driver.txt").read_text()[-3000:]
    orphan, successor = writers(workspace)
    assert (orphan.state, successor.state) == ("FAILED", "COMPLETED")
    assert "has taken over: this job ends" in orphan.log.read_text()
    check_same(workspace, uninterrupted, kept)


def writers(workspace: SlurmWorkspace) -> list[Job]:
    """The Slurm jobs of the interrupted rule, in order of submission."""
    return [job for job in workspace.jobs() if job.rule == RULE]
