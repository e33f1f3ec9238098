"""Figures that the papers report, shown in columns of their own: their users and candidates differ from ours.

The bodies of Tables 2-5 of the PULSE paper (arXiv 2510.08626) are not available; these are the figures of its prose.
"""

from dataclasses import dataclass

ALLMREC = "A-LLMRec paper (KDD 2024), Table 1"
ONE_OF_TWENTY = "1 target and 19 random items, Hit@1"
PULSE_PAPER = "PULSE paper (arXiv 2510.08626), prose"
CROSS_DOMAIN = "cross-domain, Luxury Beauty to Video Games, HR@1 of 10, quoted in the paper's prose"


@dataclass(frozen=True)
class PaperFigure:
    """One published figure."""

    system: str  # our name
    domain: str  # the paper's name
    value: float
    paper: str
    protocol: str
    beside: tuple[str, str] | None  # our (domain, corpus source) that it is comparable to


def _table(domain: str, beside: str, **values: float) -> list[PaperFigure]:
    place = (beside, "amazon-2018")
    return [PaperFigure(name, domain, value, ALLMREC, ONE_OF_TWENTY, place) for name, value in values.items()]


# fmt: off
PAPER_FIGURES = (
    *_table("Beauty", "luxury", sasrec=0.5298, morec=0.4997, ctrl=0.3963, a_llmrec=0.5809, llm_zero_shot=0.0120),
    *_table("Video Games", "games", sasrec=0.5402, morec=0.4894, ctrl=0.2354, a_llmrec=0.5282, llm_zero_shot=0.0168),
    *(
        PaperFigure(name, "Luxury Beauty to Video Games", value, PULSE_PAPER, CROSS_DOMAIN, None)
        for name, value in {"sasrec": 0.103, "morec": 0.070, "slm_sft": 0.4075, "pulse": 0.624}.items()
    ),
)
# fmt: on
