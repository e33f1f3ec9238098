"""Templates render to conversations; completions become rationales."""

import re
from pathlib import Path

import pytest

from pulse_core.errors import InputError
from pulse_core.generation.requests import Completion, Request, Sampling
from pulse_core.rationales.prompts import PromptTemplate, tidy

PROMPTS = Path(__file__).parents[2] / "config" / "prompts"


def template(tmp_path: Path, text: str) -> PromptTemplate:
    file = tmp_path / "prompt.j2"
    file.write_text(text)
    return PromptTemplate(file)


def test_turns_and_the_answers_first_words(tmp_path: Path) -> None:
    messages, start = template(tmp_path, "### system\nBe brief.\n### user\n{{ a }}\n### assistant\nLooks for\n").render(
        a="x"
    )
    assert [(m.role, m.content) for m in messages] == [("system", "Be brief."), ("user", "x")]
    assert start == "Looks for"


def test_mistakes_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"prompt\.j2.*'b' is undefined.*has a"):
        template(tmp_path, "### user\n{{ b }}").render(a="x")
    with pytest.raises(InputError, match=r"prompt\.j2:2"):
        template(tmp_path, "### user\n{{ a")
    with pytest.raises(InputError, match="### user"):
        template(tmp_path, "no turns at all").render()


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("{{ history + 1 }}", "can only concatenate list"),
        ("{{ 1/0 }}", "division by zero"),
        ("{% include 'x.j2' %}", "templates cannot include or import others, such as x.j2"),
        ("{{ history[0].a.b }}", "'str object' has no attribute 'a'; this prompt has history"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "maximum recursion depth exceeded"),
    ],
)
def test_a_template_that_fails_is_named_in_one_line(tmp_path: Path, code: str, reason: str) -> None:
    with pytest.raises(InputError, match=rf"^\S*prompt\.j2:2: {re.escape(reason)}[^\n]*$"):
        template(tmp_path, f"### user\n{code}").render(history=["a"])


def test_a_file_that_is_not_a_template_is_named(tmp_path: Path) -> None:
    (tmp_path / "prompt.j2").write_bytes(b"PAR1\xff\x00")
    with pytest.raises(InputError, match=r"prompt\.j2: not a prompt template in UTF-8"):
        PromptTemplate(tmp_path / "prompt.j2")
    with pytest.raises(InputError, match=r"missing\.j2: No such file"):
        PromptTemplate(tmp_path / "missing.j2")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("positive", {"history": ["a"], "target": "b", "stars": 5.0, "review": "good"}),
        ("positive", {"history": ["a"], "target": "b", "stars": None, "review": ""}),
        ("base", {"history": ["a"], "similar": []}),
        ("base", {"history": ["a"], "similar": ["b"]}),
        ("tree_refine", {"history": ["a"], "similar": ["b"], "rationale": "Looks for c."}),
    ],
)
def test_the_projects_templates_render(name: str, values: dict) -> None:
    messages, start = PromptTemplate(PROMPTS / f"{name}.j2").render(**values)
    assert messages[0].role == "system" and messages[-1].role == "user" and start
    assert "a" in messages[-1].content


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("", ""),
        ("Mint Balm, last Oat Soap: looks for soft skin.", "First Mint Balm, last Oat Soap: looks for soft skin."),
        ("Mint Balm: looks for soft skin. Also, she would", "First Mint Balm: looks for soft skin."),
        ("Mint Balm: looks for soft skin at a fair price, so", "First Mint Balm: looks for soft skin at a fair price."),
        ("Mint Balm: looks for soft and", "First Mint Balm: looks for soft."),
        ("Mint Balm: looks for a 3.4 oz size\n", "First Mint Balm: looks for a 3.4 oz size."),
    ],
)
def test_tidy_of_a_text_cut_at_the_token_limit(written: str, kept: str) -> None:
    assert tidy(request(), Completion(written, -1.0, 9)) == kept


def test_tidy_keeps_all_of_a_finished_text() -> None:
    written = "Mint Balm: looks for soft, gentle skin care"
    assert tidy(request(), Completion(written, -1.0, 8)) == f"First {written}."


def request() -> Request:
    """A request for at most nine tokens whose answer starts with "First"."""
    return Request((), Sampling(max_new_tokens=9, temperature=0.5, top_p=0.9, top_k=50), 0, answer_start="First")
