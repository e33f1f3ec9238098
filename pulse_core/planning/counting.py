"""Texts that the stages would read, and their tokens: by the model's tokenizer for prompts, or from characters."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pulse_core.config import Config
from pulse_core.generation.requests import Request, common_prefix
from pulse_core.keys import KEY, keys
from pulse_core.planning.domain import DomainData
from pulse_core.ranking.questions import make_questions, prefix_text
from pulse_core.rationales.prompts import PromptTemplate
from pulse_core.rationales.write import base_requests, positive_requests
from pulse_core.texts import behaviour_texts
from pulse_core.tree.grow import contexts_of, node_request

Tokenise = Callable[[Request], list[int]]


def sample_requests(
    data: DomainData, config: Config, templates: Mapping[str, Path], rationale: str
) -> dict[str, list[list[Request]]]:
    """Stage -> lists of its requests for the sampled examples: one per level of a tree, otherwise one.

    Nodes of a tree refine `rationale`, and begin differently, as real ones do.
    """
    shop, settings = data.shop, config.rationales
    positive, base, tree = (PromptTemplate(templates[name]) for name in ("positive", "base", "tree"))
    neighbours = dict(zip(keys(data.sample), data.sample["neighbours"], strict=True))
    contexts = contexts_of(data.sample, neighbours, shop, config.tree, settings)
    level, levels = [{**dict(zip(KEY, key, strict=True)), "node": 0} for key in contexts], []
    for width in config.tree.branching:
        nodes = [{**node, "rationale": f"{number} {rationale}"} for number, node in enumerate(level)]
        levels.append([node_request(tree, contexts, node, config.tree, config.seed, width) for node in nodes])
        level = [node for node in level for _ in range(width)]
    return {
        "positive_rationales": [positive_requests(data.train_sample, shop, positive, settings, config.seed)],
        "base_rationales": [base_requests(data.sample, neighbours, shop, base, settings, config.seed)],
        "tree": levels,
    }


@dataclass(frozen=True)
class PromptCounts:
    """Tokens of the prompts of a list of requests."""

    tokens: float = 0.0
    computed: float = 0.0  # prompt tokens that the engine's prefix cache does not hold
    shared: float = 0.0  # length of the prefix that all prompts have in common
    longest: float = 0.0


def count_prompts(
    requests: Sequence[Request], tokenise: Tokenise | None, characters_per_token: float, engine: str
) -> PromptCounts:
    """Count the prompts of one list. The prefix that all share is computed once; vLLM's cache also holds what a prompt
    shares with the one before it (siblings of a tree)."""
    if not requests:
        return PromptCounts()
    prompts = [(tokenise or _characters)(request) for request in requests]
    size = 1.0 if tokenise else characters_per_token
    shared = common_prefix(prompts)
    cached = [shared] * (len(prompts) - 1)
    if engine == "vllm":
        cached = [common_prefix(pair) for pair in itertools.pairwise(prompts)]
    lengths = [len(prompt) for prompt in prompts]
    computed = sum(lengths) - sum(cached)
    return PromptCounts(sum(lengths) / size, computed / size, shared / size, max(lengths) / size)


def _characters(request: Request) -> str:
    """A prompt without any model's chat format."""
    return "\n".join([*(f"{turn.role}: {turn.content}" for turn in request.messages), request.answer_start])


def behaviour_tokens(data: DomainData, config: Config) -> float:
    """Mean length of a behaviour text."""
    texts = behaviour_texts(data.sample, data.shop, config.rationales, with_target=False).values()
    lengths = [len(text) / config.plan.characters_per_token for text in texts]
    return float(np.mean([min(length, config.thought_space.max_tokens) for length in lengths]))


def question_tokens(data: DomainData, config: Config, rationale: str | None) -> float:
    """Mean length of a packed question with this rationale."""
    size, longest, lengths = config.plan.characters_per_token, config.ranker.max_tokens, []
    rationales = dict.fromkeys(keys(data.sample), rationale) if rationale else None
    for question in make_questions(data.sample, rationales, data.shop, config.ranker):
        titles = [(len(title) + 2) / size for title in question.candidates]
        prefix = len(prefix_text(question.history, question.rationale)) / size
        lengths.append(min(prefix, longest - max(titles)) + sum(titles))
    return float(np.mean(lengths))
