"""What a user reads when something is missing or misspelt, before any work starts."""

import os
import shutil
from pathlib import Path

import pytest

from tests.workflow.workspace import ROOT, Workspace

pytestmark = pytest.mark.workflow
PRESETS = sorted(file.name for file in (ROOT / "config").glob("*.yaml"))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A checkout with the default configuration, where nothing has run."""
    return Workspace.create(tmp_path_factory.mktemp("plain"), {})


def test_the_command_of_the_readme_resolves(plain: Workspace) -> None:
    assert {"synthetic_raw", "tree", "ranker", "hr1"} <= plain.stale()


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_resolves_where_its_raw_files_are(plain: Workspace, tmp_path: Path, preset: str) -> None:
    for domain in ("luxury", "pantry", "games", "gift_cards"):
        (tmp_path / domain).mkdir()
        for name in ("reviews", "metadata"):
            (tmp_path / domain / f"{name}.jsonl").write_text("{}\n")
    assert "hr1" in plain.stale("--configfile", f"config/{preset}", "--config", f"raw_dir={tmp_path}")


def test_missing_raw_files_are_named_with_download_page_and_path(plain: Workspace) -> None:
    output = plain.run("-n", "--configfile", "config/amazon-small.yaml", fails=True)
    path = str(plain.root / "resources/raw/luxury/reviews.jsonl.gz")
    for part in ("Luxury_Beauty", "https://", path, "snakemake --cores 1 download"):
        assert part in output
    assert "MissingInputException" not in output


def test_a_target_of_an_unknown_domain_lists_the_configured_ones(plain: Workspace) -> None:
    output = plain.run("-n", target="results/gift_cards/hr1.json", fails=True)
    assert "no domain 'gift_cards' is configured, there are luxury" in output
    assert "MissingRuleException" not in output


@pytest.mark.parametrize(
    ("target", "nearest"),
    [
        ("results/luxury/rankers/x/predictions.parquet", "results/luxury/rankers/slm_sft/predictions.parquet"),
        ("results/luxury", "results/luxury/hr1.json"),
        ("results/luxury/hr1.jsn", "results/luxury/hr1.json"),
    ],
)
def test_an_unknown_target_suggests_the_nearest(plain: Workspace, target: str, nearest: str) -> None:
    message = plain.run("-n", target=target, fails=True)
    assert f"{target}: no rule makes this" in message and f"\n  {nearest}\n" in message
    assert "MissingRuleException" not in message and "Traceback" not in message


def test_a_file_that_no_rule_makes_is_no_target_though_it_exists(plain: Workspace) -> None:
    left_over = plain.root / "results/gone/hr1.json"
    left_over.parent.mkdir(parents=True)
    left_over.write_text("{}")
    message = plain.run("-n", target="results/gone/hr1.json", fails=True)
    shutil.rmtree(left_over.parent)
    assert "no domain 'gone' is configured" in message and "MissingRuleException" not in message


@pytest.mark.parametrize(
    ("target", "value", "line"),
    [
        ("results/luxury/selected/distilbert.parquet", "seed=1", "models.distilbert is null, but this run needs it"),
        ("results/luxury/hr1.json", "prompts.base=nowhere.j2", "prompts.base: nowhere.j2 does not exist"),
        ("results/luxury/hr1.json", "prompts.base=config", "prompts.base: config is not a file"),
        ("results/mine/hr1.json", "domains={mine: null}", "domains.mine is null, which removes the domain"),
    ],
)
def test_what_is_missing_is_named_without_a_traceback(plain: Workspace, target: str, value: str, line: str) -> None:
    message = plain.run("-n", "--config", value, target=target, fails=True)
    assert f"{line}" in message and "Traceback" not in message and ".py" not in message.split("snakemake: ")[-1]


@pytest.mark.parametrize("domain", ["shop", "luxury"])
def test_a_custom_domain_says_where_its_files_go(plain: Workspace, domain: str) -> None:
    custom = ["--config", f"domains={{{domain}: {{source: files}}}}"]
    output = plain.run("-n", *custom, target=f"results/{domain}/hr1.json", fails=True)
    assert str(plain.root / f"resources/raw/{domain}/reviews.jsonl.gz") in output
    assert "https://" not in output and "download" not in output.lower()


def test_raw_files_of_the_checkout_are_found_from_another_working_directory(plain: Workspace, tmp_path: Path) -> None:
    domain = plain.root / "data/luxury"
    domain.mkdir(parents=True)
    for name in ("reviews", "metadata"):
        (domain / f"{name}.jsonl").write_text("{}\n")
    elsewhere = ["--configfile", "config/amazon-small.yaml", "--directory", str(tmp_path)]
    assert "corpus" in plain.stale(*elsewhere, "--config", "raw_dir=data")
    assert str(tmp_path / "resources/raw/luxury") in plain.run("-n", *elsewhere, fails=True)


def test_values_on_the_command_line_are_typed_as_in_a_file(plain: Workspace) -> None:
    plain.run("-n", "--config", "ranker={epochs: 1, learning_rate: 1e-4, adapted_layers: null}", "testing=true")
    output = plain.run("-n", "--config", "ranker.epochs=one", "ranker.lora_r=two", fails=True)
    assert "ranker.epochs: got 'one', expected a whole number" in output
    assert "ranker.lora_r: got 'two', expected a whole number" in output


def test_a_misspelt_key_ends_the_call_before_any_job(plain: Workspace) -> None:
    output = plain.run("--config", "ranker={learning_rat: 1}", fails=True)
    assert "did you mean ranker.learning_rate?" in output and "Traceback (most recent call last)" not in output


def test_the_fake_engine_is_refused_outside_tests(plain: Workspace) -> None:
    assert "testing: true" in plain.run("-n", "--config", "generation={engine: fake}", fails=True)


def test_a_bad_raw_file_ends_in_one_line_that_names_it(plain: Workspace, tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    for name in ("reviews", "metadata"):
        (tmp_path / "shop" / f"{name}.jsonl").write_text("not json\n" * 20)
    values = ["--config", "domains={shop: {source: files}}", f"raw_dir={tmp_path}"]
    output = plain.run(*values, target="results/shop/corpus/statistics.json", fails=True)
    assert "ERROR corpus:" in output and "reviews.jsonl" in output and "Traceback" not in output
    assert not list((plain.root / "results/shop").rglob("*.parquet"))


def test_only_one_driver_at_a_time(plain: Workspace) -> None:
    lock = plain.root / ".snakemake/driver.lock"
    lock.parent.mkdir(exist_ok=True)
    import fcntl

    with lock.open("w") as lock_file:
        lock_file.write(f"{os.getpid()}\n")
        lock_file.flush()
        fcntl.flock(lock_file, fcntl.LOCK_EX)
        output = plain.run(target="resources/synthetic/luxury/truth.parquet", fails=True)
    assert f"process {os.getpid()} is running this workflow" in output
    plain.run(target="resources/synthetic/luxury/truth.parquet")


def test_the_workflow_is_linted(plain: Workspace) -> None:
    assert "in a good condition" in plain.run("--lint")
