"""The systems of the overall table, in its order. Imports no torch: the rules read it at every call."""

from dataclasses import dataclass

SEQUENTIAL, TEXT, LANGUAGE_MODEL, OURS, FLOOR = (
    "sequential, by item id",
    "sequential, with item text",
    "language model",
    "PULSE",
    "floor",
)


@dataclass(frozen=True)
class System:
    """One system: `results/<domain>/baselines/<name>/`, rule `baseline_<name>`, `workflow_scripts/baselines/<name>.py`.

    What it learns from beside the corpus, its examples and candidates is named in `needs`: `encoder` and `slm` (the
    prepared models), `reviews` (for the ranker's questions), `rationales` (those that the Thought Space selected),
    `ranker:<variant>` (the configured ranker).
    `reads` are other sections of the configuration that its script is given, whole or in part (`ranker:epochs,dtype`).
    `section` under `baselines` in the configuration tunes it, where it has one; systems that share a section differ by
    nothing but what they need, and start from one seed.
    """

    name: str
    label: str
    group: str
    needs: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    section: str = ""

    @property
    def gpu(self) -> bool:
        """Whether its rule asks for an accelerator: whoever runs a pre-trained model does."""
        return bool(self.needs)


SYSTEMS = (
    System("sasrec", "SASRec", SEQUENTIAL, section="sasrec"),
    System("duorec", "DuoRec", SEQUENTIAL, section="duorec"),
    System("ec4srec", "EC4SRec", SEQUENTIAL, section="ec4srec"),
    System("morec", "MoRec", TEXT, ("encoder",), ("thought_space:pooling,dtype",), section="morec"),
    System("ctrl", "CTRL", TEXT, ("encoder",), ("thought_space:pooling,dtype",), section="ctrl"),
    System(
        "a_llmrec",
        "A-LLMRec",
        LANGUAGE_MODEL,
        ("encoder", "slm"),
        ("thought_space:pooling,dtype",),
        "a_llmrec",
    ),
    System(
        "a_llmrec_reason",
        "A-LLMRec + Reason",
        LANGUAGE_MODEL,
        ("encoder", "slm", "rationales"),
        ("thought_space:pooling,dtype",),
        "a_llmrec",
    ),
    System(
        "untrained_slm",
        "LLM zero-shot",
        LANGUAGE_MODEL,
        ("slm", "reviews"),
        ("ranker:history_items,title_chars,max_tokens,batch_users,dtype,attention,load_in_4bit",),
    ),
    System("slm_sft", "SLM + SFT", LANGUAGE_MODEL, ("slm", "reviews", "ranker:no_reason"), ("ranker",), "ranker"),
    System("pulse", "PULSE", OURS, ("slm", "reviews", "rationales", "ranker:thought_space"), ("ranker",), "ranker"),
    System("popularity", "Popularity", FLOOR),
    System("item_knn", "item-kNN", FLOOR, section="item_knn"),
    System("brand_repeat", "brand repeat", FLOOR),
)
