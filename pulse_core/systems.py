"""Every system that is measured: its name, label and place in the tables, and what it reads.

The names are those of the PULSE paper's Table 3. Imports no torch: every Snakemake call loads this module.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SEQUENTIAL, TEXT = "sequential, by item id", "sequential, with item text"
LANGUAGE_MODEL, OURS, FLOOR = "language model", "PULSE", "floor"


@dataclass(frozen=True)
class System:
    """A system: rule `baseline_<name>`, `workflow_scripts/baselines/<name>.py`, `results/<domain>/baselines/<name>/`.

    Every system reads the corpus, the examples and the candidates; the fields below name what else it reads.
    """

    name: str
    label: str  # its name in tables, sentences and documentation
    group: str
    encoder: bool = False  # the prepared text encoder
    slm: bool = False  # the prepared language model
    reviews: bool = False  # review texts, for the ranker's prompts
    rationales: bool = False  # those that the Thought Space selected
    # The ranker variant that it tunes: what the ranker is trained with. The configured ranker is its trial `{}`.
    variant: str | None = None
    # Configuration section -> the keys its script is given; no keys: the whole section.
    reads: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    # The section under `baselines` that tunes it; None: nothing to tune. Systems that share a section share its seed
    # and differ only in what they read.
    section: str | None = None

    @property
    def gpu(self) -> bool:
        """Whether its rule asks for an accelerator: it runs a pre-trained model."""
        return self.encoder or self.slm


_ENCODER: dict[str, Any] = {"encoder": True, "reads": {"thought_space": ("pooling", "dtype")}}
_A_LLMREC: dict[str, Any] = {"slm": True, "section": "a_llmrec", **_ENCODER}
_RANKER: dict[str, Any] = {"slm": True, "reviews": True, "reads": {"ranker": ()}, "section": "ranker"}
_ZERO_SHOT = ("history_items", "title_chars", "max_tokens", "batch_users", "dtype", "attention", "load_in_4bit")

SYSTEMS = (
    System("sasrec", "SASRec", SEQUENTIAL, section="sasrec"),
    System("duorec", "DuoRec", SEQUENTIAL, section="duorec"),
    System("ec4srec", "EC4SRec", SEQUENTIAL, section="ec4srec"),
    System("morec", "MoRec", TEXT, section="morec", **_ENCODER),
    System("ctrl", "CTRL", TEXT, section="ctrl", **_ENCODER),
    System("a_llmrec", "A-LLMRec", LANGUAGE_MODEL, **_A_LLMREC),
    System("a_llmrec_reason", "A-LLMRec + Reason", LANGUAGE_MODEL, rationales=True, **_A_LLMREC),
    System("llm_zero_shot", "LLM zero-shot", LANGUAGE_MODEL, slm=True, reviews=True, reads={"ranker": _ZERO_SHOT}),
    System("slm_sft", "SLM + SFT", LANGUAGE_MODEL, variant="slm_sft", **_RANKER),
    System("pulse", "PULSE", OURS, rationales=True, variant="thought_space", **_RANKER),
    System("popularity", "popularity", FLOOR),
    System("item_knn", "item-kNN", FLOOR, section="item_knn"),
    System("brand_repeat", "brand repeat", FLOOR),
)
CHANCE = System("chance", "chance", FLOOR)  # exact, so no rule makes it
BY_NAME = {system.name: system for system in (*SYSTEMS, CHANCE)}
PULSE = BY_NAME["pulse"]
# The systems of hr1.json, in the order of its summary.
_HR1 = ("pulse", "slm_sft", "sasrec", "llm_zero_shot", "brand_repeat", "popularity")
HR1_SYSTEMS = tuple(BY_NAME[name] for name in _HR1)


def label(name: str) -> str:
    """The label of a system; of one that is not in this table, its name in words."""
    return BY_NAME[name].label if name in BY_NAME else name.replace("_", " ")
