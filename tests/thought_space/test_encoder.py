import logging

import numpy as np
import pytest
import torch

from pulse_core.encoder import Encoder, load_encoder, pool
from pulse_core.errors import InputError

TEXTS = ["bought soap", "likes the lamp because", "game", "bought the cream and again the tea", "game"]


def test_pooling_by_hand():
    states = torch.tensor([[[3.0, 0.0], [0.0, 3.0], [99.0, 99.0]]])
    mask = torch.tensor([[1, 1, 0]])
    torch.testing.assert_close(pool(states, mask, "mean"), torch.tensor([[0.5**0.5, 0.5**0.5]]))
    torch.testing.assert_close(pool(states, mask, "cls"), torch.tensor([[1.0, 0.0]]))


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_batched_equals_one_by_one(tiny_bert, pooling):
    encoder = Encoder(tiny_bert, 16, pooling, "float32")
    batched = encoder.encode(TEXTS, batch_size=3)
    single = np.concatenate([encoder.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(batched, single, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(batched, axis=1), 1, atol=1e-5)


def test_progress_counts_distinct_texts(tiny_bert, caplog):
    with caplog.at_level(logging.INFO, "pulse"):
        Encoder(tiny_bert, 16, "mean", "float32").encode(TEXTS, batch_size=3)
    assert "encoding: 4/4 texts" in caplog.text


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_order_and_repeats_change_no_bit(tiny_bert, dtype):
    encoder = Encoder(tiny_bert, 16, "mean", dtype)
    forward = encoder.encode(TEXTS, batch_size=2)
    backward = encoder.encode([*TEXTS[::-1], *TEXTS], batch_size=2)
    np.testing.assert_array_equal(forward, backward[:5][::-1])
    np.testing.assert_array_equal(forward[2], forward[4])


def test_no_texts(tiny_bert):
    assert Encoder(tiny_bert, 16).encode([]).shape == (0, 32)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_saved_and_loaded_gives_the_same_embeddings(tiny_bert, tmp_path, pooling):
    encoder = Encoder(tiny_bert, 6, pooling, "float32")
    encoder.save(tmp_path / "encoder")
    again = load_encoder(tmp_path / "encoder", "float32")
    assert (again.max_tokens, again.pooling) == (6, pooling)
    np.testing.assert_array_equal(encoder.encode(TEXTS), again.encode(TEXTS))


def test_sentence_transformers_reads_what_is_saved(tiny_bert, tmp_path):
    sentence_transformers = pytest.importorskip("sentence_transformers")
    encoder = Encoder(tiny_bert, 6, "cls", "float32")
    encoder.save(tmp_path / "encoder")
    theirs = sentence_transformers.SentenceTransformer(str(tmp_path / "encoder"), device="cpu")
    np.testing.assert_allclose(theirs.encode(TEXTS), encoder.encode(TEXTS), atol=1e-5)


def test_bad_directories_and_lengths_are_refused(tiny_bert, tmp_path):
    with pytest.raises(InputError, match=r"config\.json"):
        Encoder(tmp_path)
    with pytest.raises(InputError, match="max_tokens 33"):
        Encoder(tiny_bert, 33)
    with pytest.raises(InputError, match="not a saved encoder"):
        load_encoder(tiny_bert)
