"""Counting, time and the plan as a whole: cases worked by hand."""

import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from pulse_core.config import Config, load_config
from pulse_core.data.examples import SPLITS
from pulse_core.generation.requests import Message, Request, Sampling
from pulse_core.plan_settings import HardwareSettings, ShapeSettings, SizeSettings
from pulse_core.planning import domain
from pulse_core.planning.calibrate import Comparison, compare, corrections, doubts
from pulse_core.planning.counting import Lengths, prompt_cost
from pulse_core.planning.domain import DomainData, made_up_corpus, make_domain, sequence_lengths, spread
from pulse_core.planning.plan import Plan, make_plan
from pulse_core.planning.rates import Machine
from pulse_core.planning.shapes import forward_operations, parameters
from pulse_core.planning.stage_plan import Planner
from pulse_core.planning.table import WIDTH, plain, render
from tests.planning.test_shapes import paper_shape

ROOT = Path(__file__).resolve().parents[2]
PHI = paper_shape("microsoft/Phi-4-mini-instruct")
DISTILBERT = paper_shape("distilbert/distilbert-base-uncased")
CARDS = {"gpus": 2, "memory_gb": 24.0, "tflops": 71.0, "tflops_float32": 35.6, "bandwidth_gb": 936.0}
SIZE = SizeSettings(users=1000, items=300, interactions=9000)


def ask(content: str, samples: int = 1) -> Request:
    return Request((Message("user", content),), Sampling(10, 0.5, 0.9, 50), 0, samples, "")


def shop(size: SizeSettings, config: Config) -> DomainData:
    """A domain of an assumed size."""
    return make_domain("shop", size, config, made_up_corpus(size, config), None, ("shop: assumed",), {})


def planner(size: SizeSettings = SIZE, slm: ShapeSettings = PHI, **sections: Any) -> Planner:
    """One domain of an assumed size."""
    values: dict[str, Any] = {"plan": {"hardware": CARDS, "sample": 20}, "tree": {"branching": [3, 3]}, **sections}
    config: Config = load_config({**values, "domains": {"shop": {"source": "files"}}})
    return Planner(
        config=config,
        templates={name: ROOT / getattr(config.prompts, name) for name in type(config.prompts).model_fields},
        slm=slm,
        encoder=DISTILBERT,
        slm_lengths=Lengths(size=4.0),
        encoder_lengths=Lengths(size=4.0),
        domains={"shop": shop(size, config)},
    )


def row(plan: Plan, name: str) -> Any:
    return next(each for each in plan.rows if each.name == name)


def test_every_prompt_is_counted_and_what_prompts_share_is_computed_once_a_chunk() -> None:
    requests = [ask("abcdWXYZ" + "1" * 8), ask("abcdWXYZ" + "2" * 8, 3), ask("abcdQQQQ" + "3" * 8)]
    # "user: " and a line's end make 7 more characters; two characters a token.
    cost = prompt_cost(requests, Lengths(size=2.0), "transformers")
    assert (cost.requests, cost.texts, cost.tokens, cost.longest) == (3, 5, 3 * 23 / 2, 23 / 2)
    assert cost.shared == 10 / 2
    assert cost.computed(3) == 3 * 23 / 2 - 2 * 10 / 2
    assert cost.computed(2) == 3 * 23 / 2 - 10 / 2
    assert cost.scaled(10.0).computed(2) == 30 * 13 / 2 + 15 * 10 / 2


def test_vllm_keeps_whole_blocks_of_what_the_prompt_before_has() -> None:
    siblings = [ask("h" * 100 + "a" * 20), ask("h" * 100 + "b" * 20), ask("x" * 120)]
    cost = prompt_cost(siblings, Lengths(), "vllm")
    # 106 characters in common are 6 blocks of 16; the 6 of "user: " are none.
    assert cost.computed(3) == 3 * 127 - 6 * 16
    assert prompt_cost(siblings, Lengths(), "transformers").computed(3) == 3 * 127 - 2 * 6
    # The engine empties its cache before each chunk, so the instructions of all prompts are computed for each.
    strangers = [ask("h" * 100 + letter * 20) for letter in "abcd"]
    assert prompt_cost(strangers, Lengths(), "vllm").computed(2) == 4 * 127 - 2 * 6 * 16


def test_no_prompt_costs_nothing() -> None:
    assert prompt_cost([], Lengths(), "vllm").scaled(3.0).computed(64) == 0


def test_counts_of_a_small_configuration() -> None:
    """1,000 users, everyone: one rationale a training user, three base rationales, four prompts of three in a tree."""
    plan = make_plan(planner())
    counts = {
        name: (row(plan, name).count, row(plan, name).texts) for name in ("positive_rationales", "base_rationales")
    }
    assert counts == {"positive_rationales": (1000, 1000), "base_rationales": (3000, 3000)}
    tree = row(plan, "tree")
    assert (tree.count, tree.texts) == (3000 * (1 + 3), 3000 * (3 + 9))
    assert tree.new_tokens == pytest.approx(36_000 * 0.8 * 48)
    assert row(plan, "select-thought_space").count == 3000 * (9 + 1)
    assert row(plan, "ranker-thought_space").count == 3000
    assert row(plan, "baseline-llm_zero_shot").count == 2000
    assert row(plan, "oracle_predictions").count == 1000


def test_without_the_leak_audit_nothing_of_it_is_planned() -> None:
    names = {each.name for each in make_plan(planner(selection={"behaviour": "oracle"})).rows}
    assert not names & {"select-thought_space_oracle", "oracle_predictions"}
    assert {"select-thought_space", "ranker-slm_sft"} <= names


def test_longer_histories_make_longer_prompts_and_more_users_more_of_them() -> None:
    short = row(make_plan(planner(rationales={"history_items": 1})), "base_rationales")
    long = row(make_plan(planner(rationales={"history_items": 50})), "base_rationales")
    assert long.prompt_tokens > 1.1 * short.prompt_tokens
    double = SIZE.model_copy(update={"users": 2000, "interactions": 18_000})
    twice = row(make_plan(planner(double, rationales={"history_items": 50})), "base_rationales")
    assert twice.prompt_tokens == pytest.approx(2 * long.prompt_tokens)


def test_seconds_of_a_step_by_hand() -> None:
    machine = Machine(HardwareSettings(**CARDS, compute_share=0.5, bandwidth_share=0.5))
    weights = parameters(PHI)
    # 100 steps of 64 sequences: weights and 64 caches of 1,000 tokens are read, 64 tokens multiplied.
    read = 2 * weights + 64 * 1000 * 131_072
    work = forward_operations(PHI, 64, 1000) + 64 * 2 * 200_064 * 3072
    expected = 100 * (read / (0.5 * 936e9) + work / (0.5 * 71e12))
    assert machine.decode_seconds(PHI, 2, 6400, 64, 1000) == pytest.approx(expected)
    assert machine.seconds(35.6e12, 4) == pytest.approx(2.0)


def test_a_card_too_small_is_named_with_what_to_lower() -> None:
    plan = make_plan(planner(plan={"hardware": {**CARDS, "memory_gb": 6.0}, "sample": 5}))
    told = "\n".join(plan.misfits)
    assert "ranker-thought_space wants" in told and "of 6: lower" in told
    assert "ranker.gradient_checkpointing: true" in told and "ranker.load_in_4bit: true" in told
    assert not make_plan(planner()).misfits
    assert [line.split()[0] for line in plan.misfits][:2] == ["positive_rationales", "base_rationales"]  # as they run


def test_four_bits_and_checkpointing_make_the_ranker_fit_a_smaller_card() -> None:
    ranker = {"adapted_layers": None, "batch_users": 4, "dtype": "bfloat16", "history_items": 50}
    small = {"hardware": {**CARDS, "memory_gb": 8.0}, "sample": 5}
    names = [line.split()[0] for line in make_plan(planner(plan=small, ranker=ranker)).misfits]
    assert "ranker-thought_space" in names
    switched = {**ranker, "load_in_4bit": True, "gradient_checkpointing": True}
    names = [line.split()[0] for line in make_plan(planner(plan=small, ranker=switched)).misfits]
    assert "ranker-thought_space" not in names and "baseline-llm_zero_shot" in names  # that one reads full weights


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
def test_a_part_of_a_made_up_corpus_counts_as_all_of_it_would(
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
            assert whole.examples[name] < 4000  # not everyone buys between the two dates, nor after them
        if limit and split.get("examples_per_user", 1) == 1:
            assert part.examples[name] == whole.examples[name] == limit
    lengths = sequence_lengths(SIZE, 5, SIZE.users)
    assert lengths.mean() == pytest.approx(9.0, abs=0.1) and lengths.min() == 5


def test_a_sample_is_spread_evenly() -> None:
    frame = pd.DataFrame({"row": range(101)})
    assert spread(frame, 5)["row"].tolist() == [0, 25, 50, 75, 100]
    assert len(spread(frame, 500)) == 101


def test_corrections_come_from_work_without_starts() -> None:
    plan = make_plan(planner(plan={"hardware": {**CARDS, "start_seconds": 10.0}, "sample": 5}))
    tree = row(plan, "tree")
    real = {"tree": {"seconds": 10.0 + 3 * tree.seconds}, "sasrec": {"seconds": None}}
    found = compare(plan, {**real, "thought_space": {"seconds": 4.0}})
    assert {each.stage for each in found} == {"tree", "thought_space"}
    assert corrections(found) == {"tree": pytest.approx(3.0)}
    assert "too short" in doubts(found)[0] and "thought_space" in doubts(found)[0]
    assert corrections([Comparison("tree", 1.0, 99.0, 60.0)]) == {}
    assert "60" not in doubts([Comparison("tree", 1.0, 99.0, 60.0)])[0]
    assert "another machine" in doubts([Comparison("tree", 1.0, 99.0, 60.0)])[0]


def test_a_training_of_two_processes_takes_two_cards_for_half_the_time() -> None:
    hardware = {"hardware": {**CARDS, "start_seconds": 10.0}, "sample": 5}
    one = row(make_plan(planner(plan=hardware)), "thought_space")
    plan = make_plan(planner(plan=hardware, thought_space={"processes": 2}))
    two = row(plan, "thought_space")
    assert two.total_seconds == pytest.approx(one.seconds + 2 * 10.0)
    assert two.job_seconds == pytest.approx(one.seconds / 2 + 10.0)
    # hr1.json tells the seconds of the job, which are those of each process.
    found = compare(plan, {"thought_space": {"seconds": two.job_seconds}})
    assert found[0].planned == found[0].real and corrections(found) == {"thought_space": pytest.approx(1.0)}
    # Without cards they share the cores of one machine.
    assert row(make_plan(planner(plan={"sample": 5}, thought_space={"processes": 2})), "thought_space").processes == 1


def test_shards_without_a_prompt_take_no_time() -> None:
    writing = {"shards": 6, "chunk_prompts": 700}
    plan = make_plan(planner(generation=writing))
    # 1,000 training examples are two blocks, 3,000 examples five; trees are shared out by example.
    stages = ("positive_rationales", "base_rationales", "tree")
    assert [row(plan, name).jobs for name in stages] == [2, 5, 5]


def test_a_prompt_too_long_for_vllm_is_named_with_the_key_to_change() -> None:
    short = {"vllm": {"max_model_tokens": 400}}
    plan = make_plan(planner(generation=short))
    assert row(plan, "tree").misfit and not plan.fits(row(plan, "tree"))
    told = next(line for line in plan.misfits if line.startswith("tree of shop asks for up to"))
    assert "generation.vllm.max_model_tokens is 400: raise it, or lower tree.prompt_history_items" in told
    assert not any("asks for" in line for line in make_plan(planner()).misfits)
    assert not make_plan(planner(generation={**short, "engine": "transformers"})).misfits
    longest = int(told.removeprefix("tree of shop asks for up to ").split()[0].replace(",", ""))
    for limit, fits in ((longest, True), (longest - 1, False)):
        exact = make_plan(planner(generation={"vllm": {"max_model_tokens": limit}}))
        assert exact.fits(row(exact, "tree")) == fits


def test_what_the_frozen_layers_make_is_kept_on_the_disk() -> None:
    plans = [make_plan(planner(ranker={"adapted_layers": layers})) for layers in (None, 4)]
    every, some = (row(plan, "ranker-slm_sft") for plan in plans)
    kept = 2000 * some.prompt_tokens / some.count * 3072 * 2  # training and validation users, bfloat16
    adapters = (every.disk - 2000 * 100) / 32 * 4
    assert some.disk == pytest.approx(kept + adapters + 2000 * 100)


def test_the_table_fits_120_columns_and_says_what_the_figures_say() -> None:
    plan = make_plan(planner(SizeSettings(users=5_000_000, items=100_000, interactions=90_000_000)))
    stream = io.StringIO()
    render(plan, Console(file=stream, width=WIDTH))
    lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= 120
    assert "…" not in stream.getvalue()
    told = plain(plan)
    assert told["card_seconds"] == pytest.approx(sum(s["seconds"] for s in told["stages"] if s["on"] == "card"))
    assert told["wall_seconds"] == pytest.approx(told["card_seconds"] / 2 + told["cpu_seconds"])
    assert {stage["stage"] for stage in told["stages"] if stage["on"] == "cpu"} == {
        "model-slm",
        "model-encoder",
        "corpus",
        "sasrec",
    }


def test_a_machine_without_cards_does_one_thing_after_the_other() -> None:
    plan = make_plan(planner(plan={"hardware": {"gpus": 0}, "sample": 5}))
    assert plan.wall_seconds == plan.cpu_seconds == pytest.approx(sum(each.total_seconds for each in plan.rows))
    assert plan.card_seconds == 0 and {stage["on"] for stage in plain(plan)["stages"]} == {"cpu"}
