"""Planted training examples and a tiny BERT with random weights: no downloads, milliseconds to build."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from pulse_core.thought_space.examples import TrainingExample

TOPICS = ["soap", "lamp", "game", "cream", "card", "brush", "tea", "rope", "drum", "kite", "vase", "wool"]
WORDS = [*TOPICS, *(f"why{topic}" for topic in TOPICS), "bought", "needs", "because", "again", "the", "likes", "wants"]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """With matrices this small, threads only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def planted() -> Callable[..., list[TrainingExample]]:
    return _planted


def _planted(users: int, domain: str = "luxury") -> list[TrainingExample]:
    """Each user's history and rationale name the same topic, in vocabularies that share no topic word."""
    draw = random.Random(domain)
    examples = []
    for user in range(users):
        topic, other = draw.sample(TOPICS, 2)
        history = f"bought the {topic} {draw.choice(['again', 'likes'])} {topic} {other}"
        rationale = f"{draw.choice(['needs', 'wants'])} {draw.choice(['because', 'the'])} why{topic} why{other}"
        examples.append(TrainingExample(f"{domain}{user}", f"{history} wants {topic}", history, rationale, domain))
    return examples


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    vocabulary = {word: index for index, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])]
    )
    path = tmp_path_factory.mktemp("tiny_bert")
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(path)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=32,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertModel(config).save_pretrained(path)
    return path
