"""Results of both sides: the figures of peers.json, their noise, and the printed table."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Side:
    """Result of one training: ranks of the test targets (users,), seconds per epoch, best epoch."""

    ranks: np.ndarray
    epoch_seconds: float
    best_epoch: int


def per_user(ranks: np.ndarray) -> dict[str, np.ndarray]:
    """HR@10 and NDCG@10 of each user."""
    hit = ranks <= 10
    return {"hr10": hit.astype(float), "ndcg10": np.where(hit, 1 / np.log2(1 + ranks), 0.0)}


def figures(name: str, sides: dict[str, list[Side]]) -> dict[str, float]:
    """Means over seeds by the keys of peers.json: `<dataset>_{ours,recbole}_{hr10,ndcg10,epoch_seconds}`."""
    means = {}
    for side, runs in sides.items():
        for metric in ("hr10", "ndcg10"):
            means[f"{name}_{side}_{metric}"] = float(np.mean([per_user(run.ranks)[metric].mean() for run in runs]))
        means[f"{name}_{side}_epoch_seconds"] = float(np.mean([run.epoch_seconds for run in runs]))
    return means


def noise(sides: dict[str, list[Side]], metric: str) -> float:
    """Half the 95 % interval of mean(ours - RecBole's) over test users, whose values are means over seeds."""
    means = [np.mean([per_user(run.ranks)[metric] for run in sides[side]], axis=0) for side in ("ours", "recbole")]
    difference = means[0] - means[1]
    return float(1.96 * difference.std(ddof=1) / np.sqrt(len(difference)))


def table(name: str, means: dict[str, float], noises: dict[str, float]) -> str:
    """Both sides on one data set: per metric a line with the target and whether it is met."""
    lines = [f"{name:<24} {'ours':>9} {'recbole':>9}   bar"]
    for metric, half in noises.items():
        ours, theirs = means[f"{name}_ours_{metric}"], means[f"{name}_recbole_{metric}"]
        verdict = "met" if ours >= theirs - half else "MISSED"
        lines.append(f"{metric:<24} {ours:>9.4f} {theirs:>9.4f}   >= recbole - {half:.4f} {verdict}")
    ours, theirs = means[f"{name}_ours_epoch_seconds"], means[f"{name}_recbole_epoch_seconds"]
    verdict = "met" if theirs >= 3 * ours else "MISSED"
    lines.append(f"{'epoch_seconds':<24} {ours:>9.3f} {theirs:>9.3f}   3x faster: {theirs / ours:.1f} {verdict}")
    return "\n".join(lines)
