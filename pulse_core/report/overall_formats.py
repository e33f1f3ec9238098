"""The overall table as Markdown and LaTeX (booktabs), from the long table of `overall.py`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from pulse_core.report.paper_figures import ALLMREC, ONE_OF_TWENTY, PAPER_FIGURES, PaperFigure

PAPER_NOTE = (
    f"† The paper's own figures, not ours: {ALLMREC}, {ONE_OF_TWENTY}, its own users (chance .050). Never marked best; "
    "Beauty is Luxury Beauty. Figures of the PULSE paper's tables are not available."
)
ESCAPES = {character: f"\\{character}" for character in "&%_#$"}
ESCAPES |= {"▼": "$^{\\blacktriangledown}$", "▲": "$^{\\blacktriangle}$"}
ESCAPES |= {"†": "$^\\dagger$", "‡": "$^\\ddagger$", "<": "$<$", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}"}
ESCAPES |= {"\\": "\\textbackslash{}", "{": "\\{", "}": "\\}"}


@dataclass(frozen=True)
class Cell:
    """One cell: its text, and whether it is the best or second of our figures in its domain."""

    text: str
    place: Literal["best", "second"] | None = None
    after: str = ""


def share(value: float) -> str:
    """A share with three decimals and no leading zero: .447, 1.000."""
    text = f"{value:.3f}"
    return text[1:] if text.startswith("0") else text


def places(values: pd.Series) -> dict[str, Literal["best", "second"]]:
    """system -> its place; tied systems share it."""
    distinct = sorted(set(values.round(12)), reverse=True)[:2]
    names: tuple[Literal["best", "second"], ...] = ("best", "second")
    marks = dict(zip(distinct, names, strict=False))
    return {str(system): marks[value] for system, value in values.round(12).items() if value in marks}


def cells(
    table: pd.DataFrame, confidence: float, paper: Sequence[PaperFigure] = PAPER_FIGURES
) -> tuple[list[str], list[tuple[str, str, list[Cell]]]]:
    """Headings, and (group, label, cells) of each system; a paper's column follows the domain it is comparable to."""
    ours = table[table["source"] == "ours"]
    headings: list[str] = []
    columns: list[dict[str, Cell]] = []
    for domain, rows in ours.groupby("domain", sort=False):
        corpus = rows["corpus"].iloc[0]
        indexed = rows.set_index("system")
        # Never mark chance or a system that read rationales selected by the oracle.
        marks = places(indexed.loc[~indexed["oracle"].astype(bool) & (indexed.index != "chance"), "hr1"])
        headings.append(f"{domain} ({corpus})")
        compared = not indexed.loc["pulse", "oracle"]
        columns.append(
            {str(name): _cell(row, marks.get(str(name)), confidence, compared) for name, row in indexed.iterrows()}
        )
        figures = {figure.system: Cell(share(figure.value)) for figure in paper if figure.beside == (domain, corpus)}
        if figures:
            headings.append(f"{domain}: A-LLMRec paper, 1 of 20†")
            columns.append(figures)
    systems = ours.drop_duplicates("system")
    rows_of = [
        (str(row.group), str(row.label), [column.get(str(row.system), Cell("")) for column in columns])
        for row in systems.itertuples()
    ]
    return headings, rows_of


def _cell(row: pd.Series, place: Literal["best", "second"] | None, confidence: float, compared: bool) -> Cell:
    mark = ""
    # PULSE's own p_holm is NaN, which compares false.
    if compared and row["p_holm"] < 1.0 - confidence and row["difference"] != 0.0:
        mark = "▼" if row["difference"] > 0 else "▲"
    interval = "" if row["hr1_low"] == row["hr1_high"] == row["hr1"] else f" [{share(row['hr1_low'])}, "
    interval += f"{share(row['hr1_high'])}]" if interval else ""
    return Cell(share(row["hr1"]), place, mark + ("‡" if row["oracle"] else "") + interval)


def notes(table: pd.DataFrame, confidence: float, paper_shown: bool) -> list[str]:
    """What a reader needs to know before quoting a figure: corpora, protocol, marks, trials."""
    ours = table[table["source"] == "ours"]
    lines = [
        f"{domain}: {note}"
        for domain, note in ours.drop_duplicates("domain")[["domain", "note"]].itertuples(index=False)
        if note
    ]
    for domain, rows in ours.groupby("domain", sort=False):
        first = rows.iloc[0]
        lines.append(
            f"{domain}: {first['users']:.0f} sampled test users, {first['candidates']:.0f} candidates (chance "
            f"{share(1 / first['candidates'])}), the same for every system; ties count against the system."
        )
    lines.append(
        f"HR@1 with its {confidence:.0%} bootstrap interval over users. Best bold, second underlined, in each domain. "
        f"▼ worse, ▲ better than PULSE (McNemar exact; exact binomial for chance; Holm within the domain, "
        f"p < {1 - confidence:.2g}); no mark: not distinguishable from PULSE."
    )
    tried = ours.loc[ours["trials"] > 0].drop_duplicates("system")
    listed = ", ".join(f"{row.label} {row.trials:.0f}" for row in tried.itertuples())
    lines.append(f"Validation trials: {listed or 'none'}; the other systems have nothing to tune.")
    if ours["oracle"].astype(bool).any():
        lines.append(
            "‡ read rationales whose selection saw the target: not comparable, never marked, not compared with."
        )
    return [*lines, PAPER_NOTE] if paper_shown else lines


def markdown(table: pd.DataFrame, confidence: float, paper: Sequence[PaperFigure] = PAPER_FIGURES) -> str:
    """One row per system, one column per domain."""
    styles = {"best": "**{}**", "second": "<u>{}</u>", None: "{}"}
    headings, rows = cells(table, confidence, paper)
    lines = [_pipes(["group", "system", *headings]), _pipes(["---"] * (2 + len(headings)))]
    last = None
    for group, label, row in rows:
        shown = [styles[cell.place].format(cell.text) + cell.after for cell in row]
        lines.append(_pipes([group if group != last else "", label, *shown]))
        last = group
    footnotes = notes(table, confidence, any("†" in heading for heading in headings))
    return "\n".join(lines) + "\n\n" + "\n".join(f"- {note}" for note in footnotes) + "\n"


def _pipes(row: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


def tex_text(text: str) -> str:
    """Plain text with LaTeX's special characters escaped."""
    return "".join(ESCAPES.get(character, character) for character in text)


def latex(table: pd.DataFrame, confidence: float, paper: Sequence[PaperFigure] = PAPER_FIGURES) -> str:
    r"""A `table*` for a document with \usepackage{booktabs,amssymb}; the notes follow the tabular."""
    styles: dict[str | None, Callable[[str], str]] = {
        "best": "\\textbf{{{}}}".format,
        "second": "\\underline{{{}}}".format,
        None: "{}".format,
    }
    headings, rows = cells(table, confidence, paper)
    lines = ["% needs \\usepackage{booktabs,amssymb}", "\\begin{table*}", "\\centering", "\\small"]
    lines += [f"\\begin{{tabular}}{{l{'l' * len(headings)}}}", "\\toprule"]
    lines += [" & ".join(map(tex_text, ["system", *headings])) + r" \\", "\\midrule"]
    last = rows[0][0] if rows else None
    for group, label, row in rows:
        if group != last:
            lines.append("\\midrule")
        shown = [styles[cell.place](tex_text(cell.text)) + tex_text(cell.after) for cell in row]
        lines.append(" & ".join([tex_text(label), *shown]) + r" \\")
        last = group
    lines += ["\\bottomrule", "\\end{tabular}", ""]
    footnotes = notes(table, confidence, any("†" in heading for heading in headings))
    lines += [f"\\par\\footnotesize {tex_text(note)}" for note in footnotes]
    return "\n".join([*lines, "\\end{table*}"]) + "\n"


def full_ranking_markdown(table: pd.DataFrame) -> str:
    """The full-ranking table, one row per (domain, system, split)."""
    lines = [_pipes(["domain", "corpus", "system", "split", "HR@1", "HR@10", "NDCG@10", "MRR"]), _pipes(["---"] * 8)]
    for row in table.itertuples():
        figures = [f"{value:.4f}" for value in (row.hr1, row.hr10, row.ndcg10, row.mrr)]
        lines.append(_pipes([str(row.domain), str(row.corpus), str(row.label), str(row.split), *figures]))
    note = "Ranks of the target in the whole catalogue except the user's history, over all users of the split."
    if (table["corpus"] == "synthetic").any():
        note += " SYNTHETIC CORPUS where it says so: these figures say nothing about Amazon's customers."
    return "\n".join(lines) + f"\n\n{note}\n"
