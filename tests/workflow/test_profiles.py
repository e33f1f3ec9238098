"""The resources that profiles/slurm requests, read from dry runs without Slurm; tests/cluster submits the jobs."""

import re

import pytest

from pulse_core.systems import SYSTEMS
from tests.workflow.workspace import TARGET, Workspace

pytestmark = pytest.mark.workflow
GPU_RULES = {
    *("positive_rationales", "base_rationales", "tree", "thought_space", "select", "ranker"),
    *("oracle_predictions", "baseline_llm_zero_shot"),
}

Job = tuple[str, dict[str, str], dict[str, str]]  # rule, wildcards, resources


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A checkout with the default configuration, where nothing has run."""
    return Workspace.create(tmp_path_factory.mktemp("plain"), {})


def jobs_of(output: str) -> list[Job]:
    """The jobs of a dry run."""
    matches = re.findall(r"^rule (\w+):\n((?: +\S.*\n)+)", output, re.MULTILINE)
    listed = [(rule, dict(re.findall(r"^ +(\w+): (.*)$", lines, re.MULTILINE))) for rule, lines in matches]
    return [(rule, _pairs(job.get("wildcards", "")), _pairs(job["resources"])) for rule, job in listed]


def _pairs(text: str) -> dict[str, str]:
    """`a=1, b=2` as a mapping."""
    return dict(item.split("=", 1) for item in text.split(", ") if item)


def requested(workspace: Workspace, *arguments: str, target: str = TARGET) -> dict[str, dict[str, str]]:
    """The requested resources by rule."""
    output = workspace.run("-n", "--profile", "profiles/slurm", *arguments, target=target)
    return {rule: resources for rule, _, resources in jobs_of(output)}


def test_only_generation_encoders_and_rankers_request_a_gpu(plain: Workspace) -> None:
    rules = requested(plain)
    assert {rule for rule, resources in rules.items() if "gpu" in resources} == GPU_RULES
    assert rules.keys() >= {"corpus", "sasrec", "neighbours", "gather_tree", "hr1"}
    for rule, resources in rules.items():
        assert resources["slurm_partition"] == ("gpu" if rule in GPU_RULES else "cpu"), rule
        assert resources["nodes"] == "1" and int(resources["mem_mb"]) and int(resources["runtime"]), rule


def test_systems_of_the_overall_table_that_run_a_model_request_a_gpu(plain: Workspace) -> None:
    rules = requested(plain, target="results/tables/overall.csv")
    for system in SYSTEMS:
        resources = rules[f"baseline_{system.name}"]
        assert ("gpu" in resources) == system.gpu, system.name
        assert resources["slurm_partition"] == ("gpu" if system.gpu else "cpu"), system.name


def test_site_settings_reach_every_job(plain: Workspace) -> None:
    """With the profile's account, GPU model and QoS uncommented, as a user would."""
    profile = plain.root / "profiles/slurm/config.yaml"
    text = profile.read_text()
    for key in ("slurm_account", "qos", "gpu_model", "constraint"):
        text, count = re.subn(rf"# ({key}:)", r"\1", text)
        assert count
    profile.write_text(text)
    for rule, resources in requested(plain).items():
        assert resources["slurm_account"] == "your-account" and resources["qos"] == "normal", rule
        gpu = [resources.get(key) for key in ("gpu_model", "constraint")]
        assert gpu == (["a100", "gpu80gb"] if rule in GPU_RULES else [None, None]), rule
