"""The paper's preset, too large to run in a test: it resolves, and profiles/slurm requests enough for its jobs."""

import json
from pathlib import Path

import pytest

from tests.workflow.test_profiles import GPU_RULES, Job, jobs_of, requested
from tests.workflow.workspace import Workspace
from workflow_scripts.cli.pulse import main

pytestmark = pytest.mark.workflow
PRESET = "config/paper.yaml"
OVERLAYS = ("--configfile", PRESET, "tiny.yaml")  # tiny.yaml only says where the raw files are
DOMAINS = ("luxury", "pantry", "games")
HEADROOM = 1.5  # minimum ratio of a job's time limit to its planned time


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A checkout where nothing has run, with stubs as raw files of the paper's domains."""
    raw = tmp_path_factory.mktemp("raw")
    for domain in DOMAINS:
        (raw / domain).mkdir()
        for name in ("reviews", "metadata"):
            (raw / domain / f"{name}.jsonl").write_text("{}\n")
    return Workspace.create(tmp_path_factory.mktemp("paper"), {"raw_dir": str(raw)})


def test_it_resolves_from_raw_files_to_hr1_in_every_domain(paper: Workspace) -> None:
    jobs = jobs_of(paper.run("-n", *OVERLAYS, target="all"))
    of_domain = {
        domain: sorted(rule for rule, wildcards, _ in jobs if wildcards.get("domain") == domain) for domain in DOMAINS
    }
    rules = of_domain["luxury"]
    assert of_domain == dict.fromkeys(DOMAINS, rules)
    assert {rule for rule, *_ in jobs} == {"all", "model", *rules}
    assert {*rules} >= {*GPU_RULES, "corpus", "sasrec", "hr1"} and "synthetic_raw" not in rules
    assert rules.count("tree") == 2, "one job per shard"
    assert rules.count("ranker") == 2, "PULSE and the ranker without rationales"
    assert prepared(jobs) == {"microsoft", "distilbert"}


def test_every_job_on_slurm_has_time_and_memory_for_what_is_planned(paper: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    assert main(["plan", "--configfile", str(paper.root / PRESET), "--json", str(file)]) == 0
    stages = json.loads(file.read_text())["stages"]
    assert {rule_of(stage["stage"]) for stage in stages} == {*GPU_RULES, "model", "corpus", "sasrec"}
    limits = requested(paper, *OVERLAYS, target="all")
    for stage in stages:
        limit, name = limits[rule_of(stage["stage"])], (stage["domain"], stage["stage"])
        assert float(limit["runtime"]) * 60 >= HEADROOM * stage["seconds"] / stage["jobs"], name
        # What is in GPU memory passes through host memory; preparing a model takes both copies.
        needed = stage["disk_bytes"] if stage["domain"] == "models" else sum(stage["memory_bytes"].values())
        assert float(limit["mem_mb"]) * 1e6 >= needed, name


def rule_of(stage: str) -> str:
    """The rule of a planned stage such as `ranker-slm_sft` or `baseline-llm_zero_shot`."""
    family, _, name = stage.partition("-")
    return f"baseline_{name}" if family == "baseline" else family


def test_its_models_can_be_prepared_before_jobs_run(paper: Workspace) -> None:
    """The step on a login node when compute nodes have no network: every configured model, and nothing else."""
    jobs = jobs_of(paper.run("-n", *OVERLAYS, target="models"))
    assert {rule for rule, *_ in jobs} == {"model", "models"}
    assert prepared(jobs) == {"microsoft", "distilbert", "gt"}


def prepared(jobs: list[Job]) -> set[str]:
    """Publishers of the models that the jobs prepare: the first part of their directories' names."""
    return {wildcards["model"].split("-")[0] for rule, wildcards, _ in jobs if rule == "model"}


def test_a_job_without_network_says_what_to_do(paper: Workspace) -> None:
    nowhere = "models.slm={package: null, hub: a/b, revision: c}"
    text = paper.run("--config", nowhere, target="resources/models/a-b-c-bfloat16-causal/model.safetensors", fails=True)
    assert "cannot load a/b@c:bfloat16" in text and "`snakemake --cores 2 models`" in text
