"""RecBole's SASRec, in RecBole's environment: `python recbole_side.py job.json` with job.json from `run.py`.

Imports nothing from this project. RecBole reads the atomic file, splits it, and trains and validates with its own
trainer and evaluator. The output has its model's states of the test histories and its item vectors, so that any
evaluator can rank with its scores. Runs in a temporary directory, for RecBole's logs and data.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.model.sequential_recommender import SASRec
from recbole.trainer import Trainer
from recbole.utils import init_seed


class TimedTrainer(Trainer):
    """RecBole's trainer, with the seconds of each training epoch."""

    def __init__(self, config: Config, model: SASRec) -> None:
        super().__init__(config, model)
        self.seconds: list[float] = []

    def _train_epoch(self, *args: Any, **kwargs: Any) -> Any:
        started = time.perf_counter()
        loss = super()._train_epoch(*args, **kwargs)
        self.seconds.append(time.perf_counter() - started)
        return loss


def main(job: dict[str, Any]) -> None:
    """Train, keep the weights of the best validation, write `job["out"]` (npz)."""
    torch.set_num_threads(job["threads"])
    config = Config(model="SASRec", dataset=job["dataset"], config_dict=job["config"])
    init_seed(config["seed"], config["reproducibility"])
    dataset = create_dataset(config)
    train_data, validation_data, test_data = data_preparation(config, dataset)
    model = SASRec(config, train_data.dataset)
    trainer = TimedTrainer(config, model)
    best: dict[str, Any] = {"score": -1.0}

    def keep_best(epoch: int, score: float) -> None:
        print(
            f"recbole epoch {epoch + 1}: NDCG@10 {score:.4f}, {trainer.seconds[-1]:.1f} s", file=sys.stderr, flush=True
        )
        if score > best["score"]:
            weights = {name: value.clone() for name, value in model.state_dict().items()}
            best.update(score=score, epoch=epoch + 1, weights=weights)

    # saved=False: newer torch refuses the way RecBole 1.2.1 loads its checkpoints
    trainer.fit(train_data, validation_data, verbose=False, saved=False, callback_fn=keep_best)
    model.load_state_dict(best["weights"])
    metrics = trainer.evaluate(test_data, load_best_model=False)

    users, states, targets = [], [], []
    with torch.inference_mode():
        for batch in test_data:
            interaction = batch[0]
            states.append(model(interaction[model.ITEM_SEQ], interaction[model.ITEM_SEQ_LEN]))
            users.append(interaction[model.USER_ID])
            targets.append(interaction[model.POS_ITEM_ID])
    user_codes = codes(dataset, model.USER_ID)[torch.cat(users).numpy()]
    item_codes = codes(dataset, model.ITEM_ID)
    order = np.argsort(user_codes)
    vectors = np.empty((len(item_codes) - 1, model.hidden_size), dtype=np.float32)
    vectors[item_codes[1:]] = model.item_embedding.weight.detach().numpy()[1:]
    np.savez(
        job["out"],
        states=torch.cat(states).numpy()[order],
        targets=item_codes[torch.cat(targets).numpy()][order],
        item_vectors=vectors,
        samples=len(train_data.dataset),
        steps=len(train_data),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        best_epoch=best["epoch"],
        epoch_seconds=np.mean(trainer.seconds),
        own_hr10=metrics["hit@10"],
        own_ndcg10=metrics["ndcg@10"],
    )


def codes(dataset: Any, field: str) -> np.ndarray:
    """Our codes by RecBole's id of a field; -1 for its padding."""
    return np.array([-1, *(int(token) for token in dataset.field2id_token[field][1:])])


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
