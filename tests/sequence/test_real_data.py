"""SASRec on real Luxury Beauty purchases: HR@1 among 10 candidates below 0.58 means it is broken."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pulse_core.data.corpus import build_corpus
from pulse_core.data.examples import make_examples, sequences_by_user, training_sequences
from pulse_core.data.settings import CorpusSettings, SplitSettings
from pulse_core.sequence.candidates import run_candidates
from pulse_core.sequence.settings import CandidateSettings, SASRecSettings
from pulse_core.sequence.states import score_candidates
from pulse_core.sequence.training import train

REAL = Path(os.environ.get("PULSE_REAL_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")) / "luxury"


@pytest.mark.skipif(not REAL.exists(), reason=f"NO REAL DATA: {REAL} is missing; set PULSE_REAL_DATA to run this test")
def test_hit_rate_on_luxury_beauty(tmp_path: Path) -> None:
    build_corpus(REAL / "reviews.jsonl.gz", REAL / "metadata.jsonl.gz", CorpusSettings(), tmp_path, "amazon-2018")
    interactions = pd.read_parquet(tmp_path / "interactions.parquet")
    user_ids = pd.read_parquet(tmp_path / "users.parquet")["user_id"].tolist()
    titles = pd.read_parquet(tmp_path / "items.parquet")["title"].tolist()
    examples = make_examples(interactions, SplitSettings(), 1, user_ids)
    sequences = list(sequences_by_user(training_sequences(interactions, examples)).values())
    model, _ = train(sequences, None, len(titles), SASRecSettings(epochs=30), 1)
    test = examples[examples["split"] == "test"]
    drawn = run_candidates(interactions, test, user_ids, titles, CandidateSettings(), 1)["candidates"].to_pylist()
    candidates = np.array(drawn)
    scores = score_candidates(model, test["history"].tolist(), candidates)
    is_target = candidates == test["target"].to_numpy()[:, None]
    best_other = np.where(is_target, -np.inf, scores).max(axis=1)
    assert ((scores * is_target).sum(axis=1) > best_other).mean() > 0.58
