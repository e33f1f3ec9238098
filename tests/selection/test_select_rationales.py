import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from pulse_core.artifacts import write_table
from pulse_core.errors import InputError
from pulse_core.selection.scorers import AgreementScorer, LikelihoodScorer, make_scorer
from pulse_core.selection.select import (
    SELECTED_SCHEMA,
    select_rationales,
    selected_table,
)
from pulse_core.selection.settings import SelectionSettings


class WordEncoder:
    """Normalised counts of a few words, so that agreement can be computed by hand."""

    words = ("soap", "lamp", "game")

    def __init__(self):
        self.seen = []

    def encode(self, texts, batch_size=64):
        self.seen.append(list(texts))
        counts = np.array([[text.split().count(word) for word in self.words] for text in texts], dtype=np.float32)
        return counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1e-9)


def tree_of(key, texts, logprobs, first_leaf=1):
    """A tree of the root (node 0) and these leaves."""
    rows = [(*key, 0, -1, 0, "the base rationale soap soap", -0.01, False)]
    rows += [
        (*key, first_leaf + index, 0, 1, text, logprob, True)
        for index, (text, logprob) in enumerate(zip(texts, logprobs, strict=True))
    ]
    columns = ["user", "split", "position", "node", "parent", "depth", "rationale", "mean_logprob", "is_leaf"]
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture
def tree():
    return pd.concat(
        [
            tree_of((1, "test", 4), ["lamp", "soap lamp", "soap", "game"], [-1.0, -2.0, -3.0, -0.5]),
            tree_of((0, "train", 2), ["game", "lamp", "lamp"], [-1.0, -0.2, -0.2]),
            tree_of((0, "test", 3), ["soap"], [-1.0]),
        ],
        ignore_index=True,
    )


BEHAVIOUR = {(1, "test", 4): "soap", (0, "train", 2): "lamp", (0, "test", 3): "game"}


def agreement():
    return AgreementScorer("thought_space", WordEncoder(), WordEncoder())


def test_the_leaf_that_agrees_best_wins(tree):
    selected = select_rationales(tree, BEHAVIOUR, agreement())
    assert selected[["user", "split", "position", "node", "rationale"]].to_numpy().tolist() == [
        [0, "test", 3, 1, "soap"],
        [0, "train", 2, 2, "lamp"],  # nodes 2 and 3 tie: the lower number wins
        [1, "test", 4, 3, "soap"],  # never the root, although its likelihood and words are the best
    ]
    assert selected["score"].tolist() == pytest.approx([0.0, 1.0, 1.0])
    runners = selected["runners_up"].iloc[2]
    assert [runner["node"] for runner in runners] == [2, 1, 4]
    assert [runner["score"] for runner in runners] == pytest.approx([0.5**0.5, 0, 0])
    assert runners[0]["rationale"] == "soap lamp"
    assert selected["runners_up"].iloc[0] == []


def test_likelihood_takes_the_most_likely_leaf_and_reads_no_behaviour(tree):
    selected = select_rationales(tree, {}, LikelihoodScorer())
    assert selected["node"].tolist() == [1, 2, 4]
    assert set(selected["scorer"]) == {"likelihood"}


def test_the_order_of_rows_changes_nothing(tree):
    plain = select_rationales(tree, BEHAVIOUR, agreement())
    for seed in range(5):
        shuffled = tree.sample(frac=1, random_state=seed).reset_index(drop=True)
        pd.testing.assert_frame_equal(plain, select_rationales(shuffled, BEHAVIOUR, agreement()))


def test_each_encoder_reads_only_its_texts_and_only_leaves(tree):
    scorer = agreement()
    select_rationales(tree, BEHAVIOUR, scorer)
    assert not any("base" in text for text in scorer.rationale_encoder.seen[0])
    assert set(scorer.history_encoder.seen[0]) == set(BEHAVIOUR.values())


def test_blank_leaves_are_skipped_unless_all_are_blank():
    tree = pd.concat(
        [
            tree_of((0, "test", 1), [" ", "game"], [-0.1, -5.0]),
            tree_of((1, "test", 1), ["", "  "], [-0.2, -0.1]),
        ]
    )
    selected = select_rationales(tree, {}, LikelihoodScorer())
    assert selected["node"].tolist() == [2, 2]
    assert selected["rationale"].tolist() == ["game", "  "]


def test_a_lone_base_rationale_is_its_own_leaf():
    tree = tree_of((0, "test", 1), [], []).assign(is_leaf=True)
    assert select_rationales(tree, {}, LikelihoodScorer())["node"].tolist() == [0]


def test_what_cannot_be_selected_is_refused_by_key(tree):
    with pytest.raises(InputError, match=r"no behaviour text.*\(1, 'test', 4\)"):
        select_rationales(tree, {k: v for k, v in BEHAVIOUR.items() if k[0] == 0}, agreement())
    with pytest.raises(InputError, match=r"likelihood gives .*\(0, 'test', 3, 1\)"):
        select_rationales(tree.assign(mean_logprob=np.nan), {}, LikelihoodScorer())


def test_the_artifact_contains_the_selection(tree, tmp_path):
    selected = select_rationales(tree, BEHAVIOUR, agreement())
    write_table(tmp_path / "selected.parquet", selected_table(selected, "history"))
    table = pq.read_table(tmp_path / "selected.parquet")
    assert table.schema.equals(SELECTED_SCHEMA)
    assert table.column("runners_up").to_pylist()[2][0] == {
        "node": 2,
        "score": pytest.approx(0.5**0.5),
        "rationale": "soap lamp",
    }


def test_scorers_by_name(tmp_path):
    settings = SelectionSettings()
    assert make_scorer("likelihood", settings).name == "likelihood"
    with pytest.raises(InputError, match="no scorer 'bm25'"):
        make_scorer("bm25", settings)
    with pytest.raises(InputError, match="sbert needs"):
        make_scorer("sbert", settings)
    with pytest.raises(InputError, match=r"config\.json|no saved encoder"):
        make_scorer("thought_space", settings, tmp_path)
