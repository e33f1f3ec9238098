"""The stages in which the language model writes: positive rationales, base rationales, trees."""

import math
from collections.abc import Sequence
from functools import partial

import pandas as pd

from pulse_core.generation.requests import Request
from pulse_core.keys import keys
from pulse_core.planning.counting import CountingGenerator, ForgetfulJournal, PromptCost, filler, prompt_cost
from pulse_core.planning.domain import DomainData
from pulse_core.planning.memory import PREFILL_PROMPTS, Memory, transformers_memory, vllm_memory
from pulse_core.planning.stage_plan import Planner, StagePlan
from pulse_core.rationales.prompts import PromptTemplate
from pulse_core.rationales.write import Writer, base_rationales, positive_rationales
from pulse_core.tree.grow import grow_trees

# A text lies in the journal as it is, and compressed in its shard's table and the gathered one.
TEXT_COPIES, ROW_BYTES = 1.8, 150


def writing_stages(planner: Planner, data: DomainData) -> list[StagePlan]:
    """The three stages of one domain, in the order they run."""
    config = planner.config
    make = partial(_stage, planner, data)
    rationale_limit, tree_limit = config.rationales.sampling.max_new_tokens, config.tree.sampling.max_new_tokens
    train = data.examples["train"]
    return [
        make(
            "positive_rationales",
            [_asked_positive(planner, data)],
            train / max(len(data.train_sample), 1),
            rationale_limit,
        ),
        make("base_rationales", [_asked_base(planner, data)], data.total / max(len(data.sample), 1), rationale_limit),
        make("tree", _asked_tree(planner, data), data.total / max(len(data.sample), 1), tree_limit),
    ]


def _counter(planner: Planner, data: DomainData, stage: str, limit: int) -> CountingGenerator:
    tokens = planner.answer_tokens(data, stage, limit)
    return CountingGenerator(tokens, planner.config.plan.characters_per_token)


def _writer(planner: Planner, counter: CountingGenerator) -> Writer:
    template = planner.templates["base"]  # the journal wants a directory; this one is never written to
    return Writer(counter, ForgetfulJournal(template.parent), planner.config.generation.chunk_prompts)


def _asked_positive(planner: Planner, data: DomainData) -> list[Request]:
    config = planner.config
    counter = _counter(planner, data, "positive_rationales", config.rationales.sampling.max_new_tokens)
    template, writer = PromptTemplate(planner.templates["positive"]), _writer(planner, counter)
    positive_rationales(data.train_sample, data.shop, template, config.rationales, config.seed, writer)
    return counter.asked


def _asked_base(planner: Planner, data: DomainData) -> list[Request]:
    config = planner.config
    counter = _counter(planner, data, "base_rationales", config.rationales.sampling.max_new_tokens)
    template, writer = PromptTemplate(planner.templates["base"]), _writer(planner, counter)
    base_rationales(data.sample, data.neighbours, data.shop, template, config.rationales, config.seed, writer)
    return counter.asked


def _asked_tree(planner: Planner, data: DomainData) -> list[list[Request]]:
    """The requests of each level."""
    config = planner.config
    counter = _counter(planner, data, "tree", config.tree.sampling.max_new_tokens)
    template, writer = PromptTemplate(planner.templates["tree"]), _writer(planner, counter)
    tokens = planner.answer_tokens(data, "base_rationales", config.rationales.sampling.max_new_tokens)
    text = filler(round(tokens * config.plan.characters_per_token)) + "."
    roots = pd.DataFrame(keys(data.sample), columns=["user", "split", "position"])
    roots = roots.assign(rationale=text, mean_logprob=0.0, tokens=round(tokens), seed=0)
    grow_trees(
        data.sample, roots, data.neighbours, data.shop, template, config.tree, config.rationales, config.seed, writer
    )
    levels, start = [], 0
    for depth in range(len(config.tree.branching)):
        width = len(data.sample) * math.prod(config.tree.branching[:depth])
        levels.append(counter.asked[start : start + width])
        start += width
    return levels


def _stage(
    planner: Planner, data: DomainData, name: str, lists: Sequence[Sequence[Request]], share: float, limit: int
) -> StagePlan:
    """A stage that asks `share` times as much as each of these lists."""
    config = planner.config
    generation = config.generation
    answer = planner.answer_tokens(data, name, limit)
    costs = [prompt_cost(requests, planner.slm_lengths, planner.engine).scaled(share) for requests in lists]
    requests, texts = sum(cost.requests for cost in costs), sum(cost.texts for cost in costs)
    tokens = sum(cost.tokens for cost in costs)
    computed = sum(cost.computed for cost in costs)
    if planner.engine != "vllm":  # what the prompts of a chunk begin with is computed anew for the next chunk
        chunks = [math.ceil(cost.requests / generation.chunk_prompts) for cost in costs]
        computed += sum(cost.shared * max(n - 1, 0) for cost, n in zip(costs, chunks, strict=True))
    width = planner.width(generation.dtype)
    prompt = tokens / max(requests, 1)
    memory = _memory(planner, costs, width, answer, limit)
    at_once = min(generation.batch_size, texts)
    if planner.engine == "vllm":
        at_once = min(at_once, memory.sequences or 1)
    else:
        at_once = min(at_once, generation.chunk_prompts * max(round(texts / max(requests, 1)), 1))
    seconds = planner.machine.prefill_seconds(planner.slm, width, computed, prompt / 2)
    seconds += planner.machine.decode_seconds(planner.slm, width, texts * answer, max(at_once, 1), prompt + answer / 2)
    return StagePlan(
        domain=data.name,
        name=name,
        unit="prompts",
        count=requests,
        seconds=planner.corrected(name, seconds),
        disk=texts * (TEXT_COPIES * answer * config.plan.characters_per_token + ROW_BYTES),
        memory=memory,
        jobs=generation.shards,
        start_seconds=config.plan.hardware.start_seconds,
        texts=texts,
        prompt_tokens=tokens,
        computed_tokens=computed,
        new_tokens=texts * answer,
    )


def _memory(planner: Planner, costs: Sequence[PromptCost], width: int, answer: float, limit: int) -> Memory:
    config = planner.config
    generation = config.generation
    requests, tokens = sum(cost.requests for cost in costs), sum(cost.tokens for cost in costs)
    mean = tokens / max(requests, 1) + answer
    if planner.engine == "vllm":
        return vllm_memory(
            planner.slm,
            width,
            planner.machine.capacity,
            generation.vllm.gpu_memory_share,
            generation.batch_size,
            generation.vllm.max_model_tokens,
            mean,
        )
    shared = max(cost.shared for cost in costs)
    own = max(cost.longest for cost in costs) - shared
    return transformers_memory(planner.slm, width, generation.batch_size, shared, own, limit, PREFILL_PROMPTS)
