"""The stages in which the language model writes: positive rationales, base rationales, trees.

Their prompts are those that the stages themselves would ask, of a sample of examples.
"""

import math
from collections.abc import Sequence

from pulse_core.generation.requests import Request
from pulse_core.keys import KEY
from pulse_core.planning.counting import PromptCost, prompt_cost
from pulse_core.planning.domain import DomainData
from pulse_core.planning.memory import Memory, transformers_memory, vllm_memory
from pulse_core.planning.shapes import forward_operations
from pulse_core.planning.stage_plan import Planner, StagePlan, planned_engine
from pulse_core.rationales.prompts import PromptTemplate
from pulse_core.rationales.write import base_requests, positive_requests
from pulse_core.tree.grow import contexts_of, node_request

# A text lies in the journal as it is, and compressed in its shard's table and the gathered one.
TEXT_COPIES, ROW_BYTES = 1.8, 150


def writing_stages(planner: Planner, data: DomainData) -> list[StagePlan]:
    """The three stages of one domain, in the order they run."""
    config = planner.config
    positive, base = (PromptTemplate(planner.templates[name]) for name in ("positive", "base"))
    why = positive_requests(data.train_sample, data.shop, positive, config.rationales, config.seed)
    next_ = base_requests(data.sample, data.neighbours, data.shop, base, config.rationales, config.seed)
    train, sampled = data.examples["train"], len(data.sample)
    return [
        _stage(planner, data, "positive_rationales", [why], train, len(data.train_sample)),
        _stage(planner, data, "base_rationales", [next_], data.total, sampled),
        _stage(planner, data, "tree", _tree_requests(planner, data), data.total, sampled),
    ]


def _tree_requests(planner: Planner, data: DomainData) -> list[list[Request]]:
    """The requests of each level, over parents that begin differently, as real ones do."""
    config, template = planner.config, PromptTemplate(planner.templates["tree"])
    contexts = contexts_of(data.sample, data.neighbours, data.shop, config.tree, config.rationales)
    text = planner.answer(data, "base_rationales")
    level = [{**dict(zip(KEY, key, strict=True)), "node": 0} for key in contexts]
    levels = []
    for width in config.tree.branching:
        nodes = [{**node, "rationale": f"{number} {text}"} for number, node in enumerate(level)]
        levels.append([node_request(template, contexts, node, config.tree, config.seed, width) for node in nodes])
        level = [node for node in level for _ in range(width)]
    return levels


def _stage(
    planner: Planner, data: DomainData, name: str, lists: Sequence[Sequence[Request]], examples: int, sampled: int
) -> StagePlan:
    """A stage that writes for so many `examples`; these lists are what it asks for the `sampled` ones of them."""
    config, generation, shape = planner.config, planner.config.generation, planner.slm
    engine, answer = planned_engine(config), planner.answer_tokens(data, name)
    costs = [prompt_cost(each, planner.slm_lengths, engine).scaled(examples / sampled) for each in lists]
    requests, texts = sum(cost.requests for cost in costs), sum(cost.texts for cost in costs)
    tokens = sum(cost.tokens for cost in costs)
    computed = sum(cost.computed(generation.chunk_prompts) for cost in costs)
    width, prompt = planner.width(generation.dtype), tokens / requests
    memory = _memory(planner, costs, width, prompt + answer)
    at_once = min(generation.batch_size, texts, generation.chunk_prompts * texts / requests)
    if memory.sequences is not None:
        at_once = min(at_once, max(memory.sequences, 1))
    seconds = planner.machine.seconds(forward_operations(shape, computed, prompt / 2), width)
    seconds += planner.machine.decode_seconds(shape, width, texts * answer, at_once, prompt + answer / 2)
    blocks = math.ceil(examples / generation.chunk_prompts)  # shards take turns at them
    return planner.stage(
        data,
        name,
        "prompts",
        requests,
        seconds,
        disk=texts * (TEXT_COPIES * answer * config.plan.characters_per_token + ROW_BYTES),
        memory=memory,
        jobs=min(generation.shards, blocks),
        texts=texts,
        prompt_tokens=tokens,
        computed_tokens=computed,
        new_tokens=texts * answer,
        misfit=_misfit(planner, name, costs) if engine == "vllm" else "",
    )


def _memory(planner: Planner, costs: Sequence[PromptCost], width: int, mean: float) -> Memory:
    """Of sequences of `mean` tokens, answers included."""
    generation = planner.config.generation
    if planned_engine(planner.config) == "vllm":
        return vllm_memory(planner.slm, generation, width, planner.machine.capacity, mean)
    shared = max(cost.shared for cost in costs)
    own = max(cost.longest for cost in costs) - shared
    return transformers_memory(planner.slm, width, generation.batch_size, shared, own)


def _misfit(planner: Planner, name: str, costs: Sequence[PromptCost]) -> str:
    """What to change where the sample's longest prompt leaves no room for its answer in vLLM's limit."""
    limit = planner.config.generation.vllm.max_model_tokens
    longest = math.ceil(max(cost.longest for cost in costs)) + planner.limit(name)
    if longest <= limit:
        return ""
    items = "tree.prompt_history_items" if name == "tree" else "rationales.history_items"
    return (
        f"asks for up to {longest:,} tokens, prompt and answer together, but generation.vllm.max_model_tokens is "
        f"{limit:,}: raise it, or lower {items} or rationales.title_chars"
    )
