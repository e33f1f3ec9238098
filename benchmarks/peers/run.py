"""`make bench-peers`: RecBole's SASRec and ours side by side, as a table and as benchmarks/peers.json.

Both sides have the same sequences and training targets, softmax loss over all items, model size, dropout, learning
rate, epochs, optimiser steps per epoch (hence mean targets per step), threads and validation epochs, and keep their
best weights. The sides run in turn, and our evaluator ranks with the scores of both.
`python -m benchmarks.peers.run luxury --epochs 5` runs less, and writes nothing.
"""

import argparse
import json
import math
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.peers import data
from benchmarks.peers.data import MAX_LENGTH, Peers
from benchmarks.peers.figures import Side, figures, noise, per_user, table
from pulse_core.errors import InputError
from pulse_core.sequence.settings import SASRecSettings
from pulse_core.sequence.states import full_ranks, ranking_metrics, ranks_by_product
from pulse_core.sequence.training import train

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "peers.json"
PYTHON = ROOT / ".venv-peers" / "bin" / "python"


@dataclass(frozen=True)
class Plan:
    """How both sides train on a data set."""

    read: Callable[[Path], Peers]
    epochs: int
    evaluate_every: int
    seeds: int


PLANS = {
    "luxury": Plan(data.luxury, epochs=30, evaluate_every=5, seeds=1),
    "beauty": Plan(data.beauty, epochs=20, evaluate_every=4, seeds=1),
}


def settings_of(plan: Plan) -> SASRecSettings:
    """Our settings, from which RecBole's follow. Widths, heads and dropout are RecBole's defaults, users per step ours.

    The validation interval divides the epochs, because only our training always validates after the last epoch.
    """
    return SASRecSettings(
        dimension=64, blocks=2, heads=2, dropout=0.5, max_length=MAX_LENGTH, loss="ce", learning_rate=3e-3,
        batch_size=256, epochs=plan.epochs, patience=plan.epochs,
        evaluate_every=math.gcd(plan.epochs, plan.evaluate_every),
    )  # fmt: skip


def samples_a_step(peers: Peers, settings: SASRecSettings) -> int:
    """RecBole's batch size, in targets where ours is in users, chosen to give as many steps per epoch."""
    steps = -(-len(peers.sequences) // settings.batch_size)
    return -(-peers.training_targets() // steps)


def recbole_config(peers: Peers, settings: SASRecSettings, seed: int, folder: Path) -> dict[str, Any]:
    """RecBole's configuration for the same training; its feed-forward layer is as wide as the SASRec paper's."""
    return {
        "data_path": str(folder),
        "use_gpu": False,
        "show_progress": False,
        "seed": seed,
        "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
        "eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "full", "group_by": "user"},
        "metrics": ["Hit", "NDCG"],
        "topk": [10],
        "valid_metric": "NDCG@10",
        "metric_decimal_place": 6,
        "MAX_ITEM_LIST_LENGTH": settings.max_length,
        "loss_type": "CE",
        "train_neg_sample_args": None,
        "hidden_size": settings.dimension,
        "inner_size": settings.dimension,
        "n_layers": settings.blocks,
        "n_heads": settings.heads,
        "hidden_dropout_prob": settings.dropout,
        "attn_dropout_prob": settings.dropout,
        "learning_rate": settings.learning_rate,
        "train_batch_size": samples_a_step(peers, settings),
        "epochs": settings.epochs,
        "eval_step": settings.evaluate_every,
        "stopping_step": settings.epochs,
    }


def ours(peers: Peers, settings: SASRecSettings, seed: int) -> Side:
    """Our training, with the weights of the best validation."""
    model, training = train(peers.training(), peers.validation(), peers.item_count, settings, seed)
    return Side(full_ranks(model, *peers.test()), training.epoch_seconds, training.best_epoch)


def recbole(peers: Peers, settings: SASRecSettings, seed: int, threads: int) -> Side:
    """RecBole's training, in its environment and a temporary directory; refuses a split that differs from ours."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        data.write_atomic(peers, folder)
        job = {
            "dataset": peers.name,
            "threads": threads,
            "config": recbole_config(peers, settings, seed, folder),
            "out": str(folder / "out.npz"),
        }
        (folder / "job.json").write_text(json.dumps(job))
        side = Path(__file__).with_name("recbole_side.py")
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONWARNINGS": "ignore"}
        environment.pop("PYTHONPATH", None)
        command = [str(PYTHON), str(side), str(folder / "job.json")]
        subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True)
        with np.load(folder / "out.npz") as file:
            output = dict(file)
    histories, targets = peers.test()
    if not np.array_equal(output["targets"], targets) or int(output["samples"]) != peers.training_targets():
        raise RuntimeError(f"RecBole split {peers.name} differently: its test targets or training samples differ")
    ranks = ranks_by_product(output["states"], output["item_vectors"], histories, targets)
    check_evaluators(output, targets)
    return Side(ranks, float(output["epoch_seconds"]), int(output["best_epoch"]))


def check_evaluators(output: dict[str, np.ndarray], targets: np.ndarray) -> None:
    """Print whether RecBole's evaluator and ours agree; its sequential evaluation does not mask the history."""
    unmasked = [np.zeros(0, dtype=np.int64)] * len(targets)
    ours = ranking_metrics(ranks_by_product(output["states"], output["item_vectors"], unmasked, targets))
    pairs = [(float(output["own_hr10"]), ours["hr10"]), (float(output["own_ndcg10"]), ours["ndcg10"])]
    verdict = "agree" if all(abs(theirs - mine) < 1e-4 for theirs, mine in pairs) else "DISAGREE"
    written = "; ".join(
        f"{name} {theirs:.4f} / {mine:.4f}" for name, (theirs, mine) in zip(("HR", "NDCG"), pairs, strict=True)
    )
    print(f"  evaluators on RecBole's model, history not masked, RecBole's / ours: {written}: {verdict}", flush=True)


def compare(plan: Plan, peers: Peers, threads: int) -> dict[str, list[Side]]:
    """Train both sides once per seed, in turn, and print progress."""
    settings, started = settings_of(plan), time.monotonic()
    print(
        f"{peers.name}: {len(peers.sequences)} users, {peers.item_count} items, {peers.training_targets()} training "
        f"targets; {plan.epochs} epochs, {plan.seeds} seeds, {threads} threads; a step is {settings.batch_size} users "
        f"or {samples_a_step(peers, settings)} of RecBole's samples",
        flush=True,
    )
    sides: dict[str, list[Side]] = {"ours": [], "recbole": []}
    for seed in range(1, plan.seeds + 1):
        sides["ours"].append(ours(peers, settings, seed))
        sides["recbole"].append(recbole(peers, settings, seed, threads))
        for name, runs in sides.items():
            metrics = ", ".join(f"{metric} {values.mean():.4f}" for metric, values in per_user(runs[-1].ranks).items())
            print(f"  seed {seed}: {name} {metrics}, best epoch {runs[-1].best_epoch}", flush=True)
        print(f"  {time.monotonic() - started:.0f} s so far", flush=True)
    return sides


def main(arguments: Sequence[str] | None = None) -> None:
    """Train both sides on the chosen data sets, print, and add the figures to those of earlier calls."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("datasets", nargs="*", help=f"any of {', '.join(PLANS)} (default: all)")
    parser.add_argument("--epochs", type=int, help="epochs for every data set, instead of its default")
    parser.add_argument("--seeds", type=int, help="trainings per side, instead of the default")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1), help="torch threads on both sides")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.datasets) - set(PLANS):
        raise InputError(f"no data set {', '.join(sorted(unknown))}: known: {', '.join(PLANS)}")
    if not PYTHON.exists():
        raise InputError(f"{PYTHON} does not exist: `make setup-peers` installs RecBole there")
    folder = data.place()
    torch.set_num_threads(chosen.threads)
    for name in chosen.datasets or PLANS:
        overrides = {key: value for key in ("epochs", "seeds") if (value := getattr(chosen, key)) is not None}
        plan = replace(PLANS[name], **overrides)
        peers = plan.read(folder)
        sides = compare(plan, peers, chosen.threads)
        means = figures(name, sides)
        if not overrides:
            known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
            RESULTS.write_text(json.dumps(dict(sorted((known | means).items())), indent=2) + "\n")
        print(table(name, means, {metric: noise(sides, metric) for metric in ("hr10", "ndcg10")}) + "\n", flush=True)


if __name__ == "__main__":
    main()
