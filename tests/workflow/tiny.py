"""The smallest configuration that runs every stage, with a fake generator and tiny random models."""

from pathlib import Path
from typing import Any

from tests.workflow.tiny_models import save_encoder, save_language_model
from tests.workflow.workspace import ROOT

WORDS = [
    "Bought, oldest first",
    "The user wants a gentle cream without fragrance",
    "because",
    "value for money",
    "gift",
]
A_LLMREC = {
    "collaborative": {"dimension": 8, "epochs": 2, "evaluate_every": 1},
    "alignment": {"code_dimension": 8, "epochs": 2, "evaluate_every": 1},
    "epochs": 1,
    "dtype": "float32",
}


def tiny_config(directory: Path) -> dict[str, Any]:
    """Sixty users, every stage at its smallest; the tiny models are written into `directory`."""
    texts = WORDS + [file.read_text() for file in sorted((ROOT / "config/prompts").glob("*.j2"))]
    save_language_model(directory / "slm", texts)
    save_encoder(directory / "encoder", texts)
    return {
        "testing": True,
        "seed": 7,
        "models": {
            role: {"package": None, "path": str(directory / role), "dtype": "float32"} for role in ("slm", "encoder")
        },
        "synthetic": {"users": 60, "items": 40},
        "split": {"sample_users": {"train": 12, "validation": 6, "test": 6}},
        "sasrec": {"dimension": 8, "epochs": 2, "evaluate_every": 1, "cross_fit_folds": 2},
        "generation": {"engine": "fake"},
        "thought_space": {"epochs": 1, "batch_size": 4, "max_tokens": 32, "dtype": "float32"},
        "tree": {"branching": [2, 2]},
        "selection": {"dtype": "float32", "max_tokens": 32},
        "ranker": {"epochs": 1, "dtype": "float32", "adapted_layers": 1, "history_items": 3},
        "baselines": {
            "sasrec": {"dimension": 8, "epochs": 2, "evaluate_every": 1},
            "morec": {"dimension": 8, "epochs": 2, "evaluate_every": 1},
            "ctrl": {"dimension": 8, "epochs": 2, "evaluate_every": 1, "samples": 64, "alignment_epochs": 1},
            "a_llmrec": A_LLMREC,
            "duorec": {"dimension": 8, "epochs": 2},
            "ec4srec": {"dimension": 8, "epochs": 2},
        },
        "evaluation": {"bootstrap_samples": 200},
    }
