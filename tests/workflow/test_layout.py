"""The map of results/: rules and scripts take their paths from it."""

import re
from pathlib import Path

from workflow_scripts.wiring import layout

ROOT = Path(__file__).resolve().parents[2]
SPELLED = re.compile(r"""f?["'](?:results|resources)/[^"'\s]*\{|["'][\w/{}]+\.(?:parquet|safetensors)["']""")


def test_no_rule_or_script_spells_out_a_path_of_the_map() -> None:
    files = [ROOT / "Snakefile", *ROOT.glob("rules/*.smk"), *ROOT.glob("workflow_scripts/**/*.py")]
    code = {file: file.read_text(encoding="utf-8") for file in files if file.name != "layout.py"}
    assert {str(file): SPELLED.findall(text) for file, text in code.items() if SPELLED.search(text)} == {}


def test_filling_keeps_the_other_wildcards() -> None:
    assert layout.fill(layout.SELECTED, scorer="sbert") == "results/{domain}/selected/sbert.parquet"
    assert layout.of_domain(layout.SELECTED) == "selected/{scorer}.parquet"
