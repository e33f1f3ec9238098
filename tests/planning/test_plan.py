"""Counts, seconds and misfits of a plan: hand-computed cases."""

import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from pulse_core.config import Config, load_config
from pulse_core.data.examples import SPLITS
from pulse_core.generation.requests import Message, Request, Sampling
from pulse_core.plan_settings import ShapeSettings, SizeSettings
from pulse_core.planning import domain
from pulse_core.planning.counting import PromptCounts, count_prompts
from pulse_core.planning.domain import DomainData, make_domain, placeholder_corpus, spread
from pulse_core.planning.memory import layer_parameters, parameters
from pulse_core.planning.plan import Plan, compare, make_plan
from pulse_core.planning.stages import Planner
from pulse_core.planning.table import WIDTH, plain, render
from tests.planning.test_shapes import paper_shape

ROOT = Path(__file__).resolve().parents[2]
PHI = paper_shape("microsoft/Phi-4-mini-instruct")
DISTILBERT = paper_shape("distilbert/distilbert-base-uncased")
GPUS = {"gpus": 2, "memory_gb": 24.0, "prompt_rate": 16000.0, "generation_rate": 5000.0, "training_rate": 8000.0}
GPUS |= {"encoding_rate": 8000.0, "encoder_training_rate": 2700.0}
SIZE = SizeSettings(users=1000, items=300, interactions=9000)


def request(content: str) -> Request:
    return Request((Message("user", content),), Sampling(10, 0.5, 0.9, 50), 0, 1, "")


def shop(size: SizeSettings, config: Config) -> DomainData:
    """A domain of an assumed size."""
    return make_domain("shop", size, config, placeholder_corpus(size, config), "shop: assumed", {})


def planner(size: SizeSettings = SIZE, slm: ShapeSettings = PHI, **sections: Any) -> Planner:
    """A planner with one domain of an assumed size."""
    values: dict[str, Any] = {"plan": {"hardware": GPUS, "sample": 20}, "tree": {"branching": [3, 3]}, **sections}
    config: Config = load_config({**values, "domains": {"shop": {"source": "files"}}})
    templates = {name: ROOT / getattr(config.prompts, name) for name in type(config.prompts).model_fields}
    return Planner(config, templates, slm, DISTILBERT, None, {"shop": shop(size, config)})


def row(plan: Plan, stage: str) -> Any:
    return next(row for row in plan.rows if row.stage == stage)


def test_a_shared_prefix_is_computed_once() -> None:
    requests = [request("abcdWXYZ" + "1" * 8), request("abcdWXYZ" + "2" * 8), request("abcdQQQQ" + "3" * 8)]
    # "user: " and the newline add 7 characters; two characters per token.
    counts = count_prompts(requests, None, 2.0, "transformers")
    assert (counts.tokens, counts.longest) == (3 * 23 / 2, 23 / 2)
    assert counts.shared == 10 / 2
    assert counts.computed == 3 * 23 / 2 - 2 * 10 / 2
    # vLLM also keeps what a prompt shares with the one before it.
    assert count_prompts(requests, None, 2.0, "vllm").computed == 3 * 23 / 2 - 14 / 2 - 10 / 2
    assert count_prompts([], None, 2.0, "vllm") == PromptCounts()


def test_counts_of_a_small_configuration() -> None:
    """1,000 users: a positive rationale per training user, three base rationales, four prompts of three per tree."""
    plan = make_plan(planner())
    counts = {stage: (row(plan, stage).count, row(plan, stage).texts) for stage in ("positive_rationales", "tree")}
    assert counts == {"positive_rationales": (1000, 1000), "tree": (3000 * (1 + 3), 3000 * (3 + 9))}
    assert row(plan, "base_rationales").count == row(plan, "base_rationales").texts == 3000
    assert row(plan, "tree").new_tokens == pytest.approx(36_000 * 0.8 * 48)
    assert row(plan, "select-thought_space").count == 3000 * (9 + 1)
    assert row(plan, "ranker-thought_space").count == 3000
    assert row(plan, "baseline-llm_zero_shot").count == 2000
    assert row(plan, "oracle_predictions").count == 1000


def test_without_the_leak_audit_none_of_its_stages_is_planned() -> None:
    stages = {row.stage for row in make_plan(planner(selection={"behaviour": "oracle"})).rows}
    assert not stages & {"select-thought_space_oracle", "oracle_predictions"}
    assert {"select-thought_space", "ranker-slm_sft"} <= stages


def test_longer_histories_make_longer_prompts_and_more_users_more_of_them() -> None:
    short = row(make_plan(planner(rationales={"history_items": 1})), "base_rationales")
    long = row(make_plan(planner(rationales={"history_items": 50})), "base_rationales")
    assert long.prompt_tokens > 1.1 * short.prompt_tokens
    double = SIZE.model_copy(update={"users": 2000, "interactions": 18_000})
    twice = row(make_plan(planner(double, rationales={"history_items": 50})), "base_rationales")
    assert twice.prompt_tokens == pytest.approx(2 * long.prompt_tokens)


def test_seconds_are_tokens_over_rates() -> None:
    plan = make_plan(planner())
    billions = layer_parameters(PHI) / 1e9
    tree, zero_shot = row(plan, "tree"), row(plan, "baseline-llm_zero_shot")
    seconds = billions * (tree.computed_tokens / 16000 + tree.new_tokens / 5000)
    assert tree.work_seconds == pytest.approx(seconds)
    assert zero_shot.work_seconds == pytest.approx(billions * zero_shot.prompt_tokens / 16000)
    half = row(make_plan(planner(plan={"hardware": {**GPUS, "prompt_rate": 32000.0}, "sample": 20})), zero_shot.stage)
    assert half.work_seconds == pytest.approx(zero_shot.work_seconds / 2)


def test_training_takes_every_epoch_of_the_adapted_layers() -> None:
    def seconds(**ranker: Any) -> float:
        rates = {**GPUS, "prompt_rate": 1e9}
        plan = make_plan(planner(plan={"hardware": rates, "sample": 20}, ranker=ranker))
        return row(plan, "ranker-thought_space").work_seconds

    every = seconds(adapted_layers=None, epochs=4)
    assert seconds(adapted_layers=None, epochs=8) == pytest.approx(2 * every, rel=0.01)
    assert seconds(adapted_layers=8, epochs=4) == pytest.approx(every / 4, rel=0.01)
    assert seconds(adapted_layers=None, epochs=4, gradient_checkpointing=True) == pytest.approx(1.5 * every, rel=0.01)


def test_a_gpu_too_small_is_named_with_what_to_lower() -> None:
    plan = make_plan(planner(plan={"hardware": {**GPUS, "memory_gb": 6.0}, "sample": 5}))
    lines = "\n".join(plan.misfits)
    assert "ranker-thought_space needs" in lines and "of 6: lower" in lines
    assert "ranker.gradient_checkpointing: true" in lines and "ranker.load_in_4bit: true" in lines
    assert not make_plan(planner()).misfits
    assert [line.split()[0] for line in plan.misfits][:2] == ["positive_rationales", "base_rationales"]


def test_four_bits_and_checkpointing_make_the_ranker_fit_a_smaller_gpu() -> None:
    ranker = {"head": "scalar", "adapted_layers": None, "batch_users": 4, "dtype": "bfloat16", "history_items": 50}
    small = {"hardware": {**GPUS, "memory_gb": 8.0}, "sample": 5}
    stages = {line.split()[0] for line in make_plan(planner(plan=small, ranker=ranker)).misfits}
    assert {"ranker-thought_space", "baseline-llm_zero_shot"} <= stages
    switched = {**ranker, "load_in_4bit": True, "gradient_checkpointing": True}
    stages = {line.split()[0] for line in make_plan(planner(plan=small, ranker=switched)).misfits}
    assert not stages & {"ranker-thought_space", "baseline-llm_zero_shot", "oracle_predictions"}


@pytest.mark.parametrize(
    "split",
    [
        {"sample_users": {"train": 60, "validation": None, "test": 30}},
        {"examples_per_user": 3, "sample_users": {"test": 900}},
        {"kind": "global_time"},
        {"kind": "global_time", "sample_users": {"test": 90}},
    ],
    ids=str,
)
def test_counts_from_part_of_a_placeholder_corpus_match_the_whole(
    split: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_config({"split": split})
    part = shop(SizeSettings(users=4000, items=300, interactions=36_000), config)
    assert part.sample["user"].max() < 1000
    monkeypatch.setattr(domain, "USERS", 4000)
    whole = shop(SizeSettings(users=4000, items=300, interactions=36_000), config)
    for name in SPLITS:
        limit = split.get("sample_users", {}).get(name)
        assert part.examples[name] == pytest.approx(whole.examples[name], rel=0.05)
        if split.get("kind") == "global_time":
            assert whole.examples[name] < 4000  # not everyone buys between the two dates, or after them
        if limit and split.get("examples_per_user", 1) == 1:
            assert part.examples[name] == whole.examples[name] == limit
    # Lengths are drawn, and their mean over 1,000 users has a standard error of 0.14.
    bought = placeholder_corpus(SIZE, config)["interactions"].groupby("user").size()
    assert bought.mean() == pytest.approx(9.0, abs=0.14) and bought.min() == 5


def test_a_sample_is_spread_evenly() -> None:
    frame = pd.DataFrame({"row": range(101)})
    assert spread(frame, 5)["row"].tolist() == [0, 25, 50, 75, 100]
    assert len(spread(frame, 500)) == 101


def test_corrections_come_from_work_without_start_up() -> None:
    plan = make_plan(planner(plan={"hardware": {**GPUS, "start_seconds": 10.0}, "sample": 5}))
    tree, base = row(plan, "tree"), row(plan, "base_rationales")
    measured = {"tree": {"seconds": 10.0 + 3 * tree.work_seconds}, "sasrec": {"seconds": None}}
    measured |= {"thought_space": {"seconds": 4.0}, "base_rationales": {"seconds": 10.0 + 60 * base.work_seconds}}
    comparisons = {comparison.stage: comparison for comparison in compare(plan, measured)}
    assert set(comparisons) == {"tree", "thought_space", "base_rationales"}
    assert comparisons["tree"].correction == pytest.approx(3.0) and comparisons["tree"].plausible
    # Shorter than start-up, and sixty times off: shown, not applied.
    assert not comparisons["thought_space"].plausible and not comparisons["base_rationales"].plausible


def test_a_training_of_two_processes_takes_two_gpus_for_half_the_time() -> None:
    hardware = {"hardware": {**GPUS, "start_seconds": 10.0}, "sample": 5}
    one = row(make_plan(planner(plan=hardware)), "thought_space")
    plan = make_plan(planner(plan=hardware, thought_space={"processes": 2}))
    two = row(plan, "thought_space")
    assert two.seconds == pytest.approx(one.work_seconds + 2 * 10.0)
    # hr1.json records the seconds of the job, in which all processes run.
    (compared,) = compare(plan, {"thought_space": {"seconds": one.work_seconds / 2 + 10.0}})
    assert compared.planned == pytest.approx(compared.measured) and compared.correction == pytest.approx(1.0)
    # On a CPU they share the cores.
    assert row(make_plan(planner(plan={"sample": 5}, thought_space={"processes": 2})), "thought_space").processes == 1


def test_shards_without_a_prompt_take_no_time() -> None:
    plan = make_plan(planner(generation={"shards": 6, "chunk_prompts": 700}))
    # 1,000 training examples fill two chunks, 3,000 examples five; trees are divided by example.
    assert [row(plan, stage).jobs for stage in ("positive_rationales", "base_rationales", "tree")] == [2, 5, 5]


def test_a_prompt_too_long_for_vllm_is_named_with_the_key_to_change() -> None:
    short = {"vllm": {"max_model_tokens": 400}}
    plan = make_plan(planner(generation=short))
    assert row(plan, "tree").misfit and not plan.fits(row(plan, "tree"))
    line = next(line for line in plan.misfits if line.startswith("tree of shop needs up to"))
    assert "generation.vllm.max_model_tokens is 400: raise it, or lower tree.prompt_history_items" in line
    assert not any("needs up to" in line for line in make_plan(planner()).misfits)
    assert not make_plan(planner(generation={**short, "engine": "transformers"})).misfits
    longest = int(line.removeprefix("tree of shop needs up to ").split()[0].replace(",", ""))
    for limit, fits in ((longest, True), (longest - 1, False)):
        exact = make_plan(planner(generation={"vllm": {"max_model_tokens": limit}}))
        assert exact.fits(row(exact, "tree")) == fits


def test_disk_by_hand() -> None:
    plan = make_plan(planner())
    disk = {one.stage: one.disk_bytes for one in plan.rows}
    tree = row(plan, "tree")
    assert disk["model-slm"] == 2 * parameters(PHI)  # bfloat16
    assert disk["corpus"] == 9000 * 50
    # Each text is written three times, once compressed; a row also holds keys and figures.
    assert disk["tree"] == pytest.approx(tree.new_tokens * 3.3 * 1.8 + tree.texts * 150)
    # Both encoders, and two checkpoints of each while one replaces the other.
    assert disk["thought_space"] == 2 * parameters(DISTILBERT) * 36
    assert disk["baseline-llm_zero_shot"] == 2000 * 100


def test_the_states_below_the_adapted_layers_are_kept_on_disk() -> None:
    plans = [make_plan(planner(ranker={"adapted_layers": layers})) for layers in (None, 4)]
    every, some = (row(plan, "ranker-slm_sft") for plan in plans)
    states = 2000 * some.prompt_tokens / some.count * 3072 * 2  # training and validation users, bfloat16
    adapters = (every.disk_bytes - 2000 * 100) / 32 * 4
    assert some.disk_bytes == pytest.approx(states + adapters + 2000 * 100)


def test_the_table_fits_120_columns_and_the_figures_add_up() -> None:
    plan = make_plan(planner(SizeSettings(users=5_000_000, items=100_000, interactions=90_000_000)))
    stream = io.StringIO()
    render(plan, Console(file=stream, width=WIDTH))
    lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= 120
    assert "…" not in stream.getvalue()
    figures = plain(plan)
    assert figures["gpu_seconds"] == pytest.approx(sum(s["seconds"] for s in figures["stages"] if s["on_gpu"]))
    assert figures["wall_seconds"] == pytest.approx(figures["gpu_seconds"] / 2 + figures["cpu_seconds"])
    on_cpu = {stage["stage"] for stage in figures["stages"] if not stage["on_gpu"]}
    assert on_cpu == {"model-slm", "model-encoder", "corpus", "sasrec"}


def test_a_machine_without_gpus_runs_one_stage_after_another() -> None:
    plan = make_plan(planner(plan={"hardware": {"gpus": 0}, "sample": 5}))
    assert plan.wall_seconds == plan.cpu_seconds == pytest.approx(sum(row.seconds for row in plan.rows))
    assert plan.gpu_seconds == 0 and not any(stage["on_gpu"] for stage in plain(plan)["stages"])
