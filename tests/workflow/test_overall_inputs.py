"""Rule overall's script: each domain's tables come from the inputs that the rule names."""

from pathlib import Path
from types import SimpleNamespace

import pandas as pd

from pulse_core.artifacts import write_json
from workflow_scripts.overall import read_domains

DOMAINS, SYSTEMS = ["games", "luxury"], ["sasrec", "pulse"]


def test_each_domain_gets_its_own_inputs(tmp_path: Path) -> None:
    def table(name: str, **columns: list) -> str:
        file = tmp_path / f"{name}.parquet"
        pd.DataFrame(columns).to_parquet(file)
        return str(file)

    def figures(name: str) -> str:
        write_json(tmp_path / f"{name}.json", {"name": name})
        return str(tmp_path / f"{name}.json")

    pairs = [f"{domain}-{system}" for domain in DOMAINS for system in SYSTEMS]  # as Snakemake's expand orders them
    job = SimpleNamespace(
        input=SimpleNamespace(
            examples=[table(f"{domain}-examples", domain=[domain]) for domain in DOMAINS],
            candidates=[table(f"{domain}-candidates", domain=[domain]) for domain in DOMAINS],
            statistics=[figures(domain) for domain in DOMAINS],
            base=[table("base-games", model=["fake"]), table("base-luxury", model=["fake", "fake"])],
            predictions=[table(pair, pair=[pair]) for pair in pairs],
            metrics=[figures(pair) for pair in pairs],
        ),
        params=SimpleNamespace(domains=DOMAINS, systems=SYSTEMS, behaviour="history"),
    )
    for domain, results in zip(DOMAINS, read_domains(job), strict=True):
        assert results.domain == results.statistics["name"] == results.examples["domain"][0]
        assert results.candidates["domain"][0] == domain
        for system in SYSTEMS:
            assert results.predictions[system]["pair"][0] == f"{domain}-{system}" == results.metrics[system]["name"]
            assert results.files[system].endswith(f"{domain}-{system}.parquet")
