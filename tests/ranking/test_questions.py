"""Examples as questions to the ranker."""

from pathlib import Path

import pandas as pd
import pytest

from pulse_core.ranking.model import Ranker
from pulse_core.ranking.questions import Question, make_questions, pack
from pulse_core.ranking.settings import RankerSettings
from pulse_core.ranking.training import score
from pulse_core.texts import Shop, shorten
from tests.workflow.tiny_models import save_language_model

START = "Velvet Matte Long Lasting Liquid Lipstick Shade Number"
TITLES = [f"{START} Seven, Rose", f"{START} Eight, Plum", "Oat Soap Bar", "Mint Balm for Lips and Hands", "Nail File"]


def questions(candidates: list[int]) -> list[Question]:
    example = {"user": [0], "split": ["test"], "position": [1]}
    shop = Shop(pd.DataFrame({"item": range(len(TITLES)), "title": TITLES}), {})
    examples = pd.DataFrame({**example, "history": [[4]], "target": [candidates[0]], "candidates": [candidates]})
    return make_questions(examples, None, shop, RankerSettings())


def test_candidates_whose_titles_are_cut_to_the_same_text_do_not_tie(tmp_path: Path) -> None:
    assert shorten(TITLES[0], 48) == shorten(TITLES[1], 48)
    twins = questions([0, 1, 2])
    assert twins[0].candidates == (f"{START} Seven", f"{START} Eight", "Oat Soap Bar")
    save_language_model(tmp_path, TITLES)
    first, second, _ = score(Ranker(tmp_path, RankerSettings(dtype="float32"), 1), twins, "test")[0]
    assert first != second


def test_other_candidates_are_cut_as_before() -> None:
    assert questions([0, 2, 3])[0].candidates == tuple(shorten(TITLES[item], 48) for item in (0, 2, 3))


@pytest.mark.parametrize("first", [[], [7]])
def test_the_prefix_starts_as_the_model_expects(first: list[int]) -> None:
    def tokenizer(text: str, add_special_tokens: bool = True) -> dict[str, list[int]]:
        return {"input_ids": (first if add_special_tokens else []) + [ord(letter) for letter in text]}

    packed = pack(Question(("Soap",), None, ("Balm",)), tokenizer, 512)
    assert packed.prefix[: len(first) + 1] == [*first, ord("B")]
    assert packed.candidates == [[ord(letter) for letter in " Balm\n"]]
