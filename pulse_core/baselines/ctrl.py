"""CTRL (Li et al. 2023, "CTRL: Connect Collaborative and Language Model for CTR Prediction") on SASRec.

A sample is a user's history and the next item. Stage 1 (section 4.2): a collaborative tower encodes its ids, a text
encoder its prompt, and a contrastive loss aligns both. Stage 2 (section 4.3): only the collaborative tower, with a new
linear output layer, is fine-tuned to rank; the encoder is no longer needed.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pulse_core.baselines.domain import Domain
from pulse_core.baselines.sasrec import SASRecBaseline
from pulse_core.baselines.settings.ctrl import CTRLSettings
from pulse_core.baselines.text_tower import TextTower, parameter_groups
from pulse_core.checkpoints import Checkpoint
from pulse_core.encoder import Encoder, Pooling
from pulse_core.seeding import derive_seed
from pulse_core.sequence.batches import pad
from pulse_core.sequence.model import SASRec
from pulse_core.training_loop import Schedule, descend, fit_epochs

RETRIEVAL_SAMPLES = 128  # validation samples on which alignment is measured


def late_interaction(left: Tensor, right: Tensor) -> Tensor:
    """sim(i, j) = sum over the sub-vectors of i of the largest inner product with a sub-vector of j (section 4.2.2).

    left (n, M, d), right (m, M, d) -> (n, m).
    """
    return torch.einsum("nad,mbd->nmab", left, right).amax(dim=3).sum(dim=2)


def alignment_loss(
    tabular: Tensor, textual: Tensor, temperature: float, kind: Literal["softmax", "bce"] = "softmax"
) -> Tensor:
    """Mean of both directions; the positive of a sample is the same sample on the other side (section 4.2.1).

    tabular, textual: sub-vectors (n, M, d). `softmax` is InfoNCE; in `bce` each similarity is a logit, and positives
    and negatives are weighted equally.
    """
    losses = []
    for similarity in (late_interaction(textual, tabular), late_interaction(tabular, textual)):
        if kind == "softmax":
            losses.append(functional.cross_entropy(similarity / temperature, torch.arange(len(similarity))))
        else:
            same = torch.eye(len(similarity), dtype=torch.bool)
            losses.append(functional.softplus(-similarity[same]).mean() + functional.softplus(similarity[~same]).mean())
    return (losses[0] + losses[1]) / 2


class Sample(NamedTuple):
    """A history and the next item."""

    history: np.ndarray
    item: int


def training_samples(sequences: Sequence[np.ndarray], count: int | None, seed: int) -> list[Sample]:
    """Prefixes of the training sequences with their next items: a random `count` of them, or all if None."""
    ends = [(row, end) for row, sequence in enumerate(sequences) for end in range(1, len(sequence))]
    drawn = np.random.default_rng(seed).permutation(len(ends))[:count]
    return [Sample(sequences[row][:end], int(sequences[row][end])) for row, end in (ends[number] for number in drawn)]


def prompts(samples: Sequence[Sample], titles: Sequence[str], encoder: Encoder, history_items: int) -> list[str]:
    """The text of each sample (section 4.1), without the oldest titles that exceed the encoder's maximum length."""
    lengths = [len(ids) for ids in encoder.tokenizer(list(titles), add_special_tokens=False)["input_ids"]]
    frame = len(encoder.tokenizer(_prompt([], ""))["input_ids"])
    texts = []
    for history, item in samples:
        shown = [int(code) for code in history[-history_items:]]
        while shown and frame + lengths[item] + sum(lengths[code] + 1 for code in shown) > encoder.max_tokens:
            del shown[0]
        texts.append(_prompt([titles[code] for code in shown], titles[item]))
    return texts


def _prompt(bought: Sequence[str], item: str) -> str:
    return f"This is a user, who has recently bought {'|'.join(bought)}. This is an item, title is {item}."


class CollaborativeTower(SASRec):
    """SASRec followed by the linear output layer of stage 2."""

    def __init__(self, item_count: int, settings: CTRLSettings) -> None:
        super().__init__(item_count, settings)
        self.output = nn.Linear(settings.dimension, settings.dimension)

    def forward(self, padded: Tensor) -> Tensor:
        return self.output(super().forward(padded))

    def of_samples(self, samples: Sequence[Sample]) -> Tensor:
        """The state of each sample's history concatenated with its item's embedding, (n, 2 dim)."""
        padded = pad([sample.history[-self.max_length :] for sample in samples])
        states = super().forward(padded)[torch.arange(len(padded)), (padded > 0).sum(dim=1) - 1]
        return torch.cat([states, self.items(torch.tensor([sample.item + 1 for sample in samples]))], dim=1)


class Alignment(nn.Module):
    """The module of stage 1: both towers with their projections into the shared space."""

    def __init__(self, tower: CollaborativeTower, text: TextTower, width: int, subspaces: int) -> None:
        super().__init__()
        self.tower, self.text, self.subspaces = tower, text, subspaces
        self.tabular = nn.Sequential(
            nn.Linear(2 * tower.items.embedding_dim, width), nn.Linear(width, subspaces * width)
        )
        self.textual = nn.Sequential(nn.Linear(text.dim, width), nn.Linear(width, subspaces * width))

    def forward(self, samples: Sequence[Sample], numbers: np.ndarray) -> tuple[Tensor, Tensor]:
        """Sub-vectors, (n, M, width) each, of the ids and of the texts of `samples[numbers]`."""
        tabular = self.tabular(self.tower.of_samples([samples[number] for number in numbers]))
        textual = self.textual(self.text(numbers).cpu())
        shape = (len(numbers), self.subspaces, -1)
        return tabular.view(shape), textual.view(shape)

    @torch.no_grad()
    def retrieval(self, samples: Sequence[Sample], numbers: np.ndarray, batch: int) -> float:
        """Share of texts whose most similar ids within a batch of samples are the right ones; chance is 1 / batch."""
        self.eval()
        hits = []
        for start in range(0, len(numbers) - batch + 1, batch):
            tabular, textual = self(samples, numbers[start : start + batch])
            hits += (late_interaction(textual, tabular).argmax(dim=1) == torch.arange(batch)).tolist()
        return float(np.mean(hits))


class CTRL(SASRecBaseline):
    """CTRL with one trial's settings, `titles` by item code and the directory of the prepared text encoder."""

    label = "CTRL, fine-tuning"
    settings: CTRLSettings
    model: CollaborativeTower

    def __init__(
        self,
        domain: Domain,
        titles: Sequence[str],
        settings: CTRLSettings,
        seed: int,
        encoder: Path,
        pooling: Pooling = "mean",
        dtype: str = "auto",
    ) -> None:
        super().__init__(domain, settings, seed)
        self.titles, self._encoder = list(titles), (encoder, settings.max_tokens, pooling, dtype)

    def new_backbone(self) -> CollaborativeTower:
        return CollaborativeTower(self.domain.item_count, self.settings)

    def fit(self, checkpoint: Checkpoint, *determined_by: object) -> dict[str, Any]:
        alignment = self.align(checkpoint.part("stage1"))
        record = super().fit(checkpoint.part("stage2"), self.titles, self._encoder[2:], *determined_by)
        return {"alignment": alignment} | record

    def align(self, checkpoint: Checkpoint) -> dict[str, Any]:
        """Stage 1: align `self.model`; returns the record for metrics.json."""
        settings, seed = self.settings, derive_seed(self.seed, "alignment")
        if not settings.alignment_epochs:
            return {}
        trained = training_samples(self.domain.sequences, settings.samples, derive_seed(seed, "samples"))
        unseen = self.domain.validation  # measures alignment, influences no choice
        drawn = np.random.default_rng(derive_seed(seed, "held out")).permutation(len(unseen))[:RETRIEVAL_SAMPLES]
        samples = [*trained, *(Sample(unseen.histories[row], int(unseen.targets[row])) for row in drawn)]
        encoder = Encoder(*self._encoder)
        texts = prompts(samples, self.titles, encoder, settings.history_items)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "weights"))
            text = TextTower(encoder, texts, settings.encoder_layers)
            network = Alignment(self.model, text, settings.projection, settings.subspaces)
        text.to(text.device)
        rest = (network.tower, network.tabular, network.textual)
        groups = parameter_groups(rest, settings.alignment_learning_rate, text, settings.encoder_learning_rate)
        optimiser = torch.optim.AdamW(groups, fused=True)
        batch = min(settings.alignment_batch, len(trained))
        steps = len(trained) // batch
        warmup = max(1, round(settings.warmup_share * steps * settings.alignment_epochs))
        peak_rates = [group["lr"] for group in optimiser.param_groups]

        def losses(number: int, generator: np.random.Generator) -> Iterator[Tensor]:
            order = generator.permutation(len(trained))
            for step in range(steps):
                for group, rate in zip(optimiser.param_groups, peak_rates, strict=True):
                    group["lr"] = rate * min(1.0, ((number - 1) * steps + step + 1) / warmup)
                tabular, textual = network(samples, order[step * batch : (step + 1) * batch])
                yield alignment_loss(tabular, textual, settings.temperature, settings.alignment_loss)

        def epoch(number: int, generator: np.random.Generator) -> list[float]:
            return descend(optimiser, losses(number, generator), "CTRL's alignment", "alignment_learning_rate")

        inputs = (self.domain.fingerprint, self.titles, text.identity, settings.model_dump())
        schedule = Schedule(settings.alignment_epochs)
        fit_epochs("CTRL, alignment", network, optimiser, epoch, None, schedule, seed, text.device, checkpoint, inputs)
        validation = np.arange(len(trained), len(samples))
        among = min(settings.alignment_batch, len(validation))
        return {"samples": len(trained), "among": among, "retrieval": network.retrieval(samples, validation, among)}
