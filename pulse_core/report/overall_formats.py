"""The overall table as Markdown and LaTeX (booktabs), from the long table of `overall.py`."""

from collections.abc import Callable, Iterable

import pandas as pd

from pulse_core.report.paper_figures import ALLMREC, ONE_OF_TWENTY, PAPER_FIGURES

PAPER_NOTE = (
    f"† The paper's own figures, not ours: {ALLMREC}, {ONE_OF_TWENTY}, its own users (chance .050). Never marked best; "
    "Beauty is Luxury Beauty. Figures of the PULSE paper's tables are not available."
)
ESCAPES = {character: f"\\{character}" for character in "&%_#$"}
ESCAPES |= {"▼": "$^{\\blacktriangledown}$", "▲": "$^{\\blacktriangle}$"}
ESCAPES |= {"†": "$^\\dagger$", "‡": "$^\\ddagger$", "<": "$<$", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}"}
ESCAPES |= {"\\": "\\textbackslash{}", "{": "\\{", "}": "\\}"}


def share(value: float) -> str:
    """A share with three decimals and no leading zero: .447, 1.000."""
    text = f"{value:.3f}"
    return text[1:] if text.startswith("0") else text


def _grid(
    table: pd.DataFrame, confidence: float, best: str, second: str, escape: Callable[[str], str]
) -> tuple[list[str], list[list[str]]]:
    """Headings, and each system's group, label and cells; a paper's column follows the domain it is comparable to.

    Args:
        best, second: %-formats of the best and the second figure of ours in each domain; tied systems share them.
    """
    ours = table[table["source"] == "ours"]
    columns: dict[str, dict[str, str]] = {}
    for domain, rows in ours.groupby("domain", sort=False):
        corpus, indexed = rows["corpus"].iloc[0], rows.set_index("system")
        # Never mark chance or a system that read rationales selected by the oracle.
        ranked = indexed.loc[~indexed["oracle"].astype(bool) & (indexed.index != "chance"), "hr1"].round(12)
        styles = dict(zip(sorted(set(ranked), reverse=True), (best, second), strict=False))
        compared = not indexed.loc["pulse", "oracle"]
        columns[f"{domain} ({corpus})"] = {
            str(name): styles.get(ranked.get(name), "%s") % share(row["hr1"])
            + escape(_marks_and_interval(row, confidence, compared))
            for name, row in indexed.iterrows()
        }
        figures = {figure.system: share(figure.value) for figure in PAPER_FIGURES if figure.beside == (domain, corpus)}
        if figures:
            columns[f"{domain}: A-LLMRec paper, 1 of 20†"] = figures
    systems = ours.drop_duplicates("system")[["system", "group", "label"]].itertuples(index=False)
    return [escape(heading) for heading in columns], [
        [escape(group), escape(label), *(column.get(name, "") for column in columns.values())]
        for name, group, label in systems
    ]


def _marks_and_interval(row: pd.Series, confidence: float, compared: bool) -> str:
    text = "‡" if row["oracle"] else ""
    # PULSE's own p_holm is NaN, which compares false.
    if compared and row["p_holm"] < 1.0 - confidence and row["difference"] != 0.0:
        text = ("▼" if row["difference"] > 0 else "▲") + text
    exact = row["hr1_low"] == row["hr1_high"] == row["hr1"]
    return text if exact else f"{text} [{share(row['hr1_low'])}, {share(row['hr1_high'])}]"


def notes(table: pd.DataFrame, confidence: float) -> list[str]:
    """What a reader needs to know before quoting a figure: corpora, protocol, marks, trials."""
    ours = table[table["source"] == "ours"]
    domains = ours.drop_duplicates("domain")
    lines = [f"{row.domain}: {row.note}" for row in domains.itertuples() if row.note]
    lines += [
        f"{row.domain}: {row.users:.0f} sampled test users, {row.candidates:.0f} candidates (chance "
        f"{share(1 / row.candidates)}), the same for every system; ties count against the system."
        for row in domains.itertuples()
    ]
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
    shown = set(zip(ours["domain"], ours["corpus"], strict=True))
    return [*lines, PAPER_NOTE] if any(figure.beside in shown for figure in PAPER_FIGURES) else lines


def markdown(table: pd.DataFrame, confidence: float) -> str:
    """One row per system, one column per domain."""
    headings, rows = _grid(table, confidence, "**%s**", "<u>%s</u>", lambda text: text.replace("|", "\\|"))
    lines = [_pipes(["group", "system", *headings]), _pipes(["---"] * (2 + len(headings)))]
    last = None
    for group, *row in rows:
        lines.append(_pipes([group if group != last else "", *row]))
        last = group
    return "\n".join(lines) + "\n\n" + "\n".join(f"- {note}" for note in notes(table, confidence)) + "\n"


def _pipes(row: Iterable[str]) -> str:
    return "| " + " | ".join(row) + " |"


def tex_text(text: str) -> str:
    """Plain text with LaTeX's special characters escaped."""
    return "".join(ESCAPES.get(character, character) for character in text)


def latex(table: pd.DataFrame, confidence: float) -> str:
    r"""A `table*` for a document with \usepackage{booktabs,amssymb}; the notes follow the tabular."""
    headings, rows = _grid(table, confidence, "\\textbf{%s}", "\\underline{%s}", tex_text)
    lines = ["% needs \\usepackage{booktabs,amssymb}", "\\begin{table*}", "\\centering", "\\small"]
    lines += [f"\\begin{{tabular}}{{l{'l' * len(headings)}}}", "\\toprule"]
    lines += [" & ".join(["system", *headings]) + r" \\"]
    last = None
    for group, *row in rows:
        if group != last:
            lines.append("\\midrule")
        lines.append(" & ".join(row) + r" \\")
        last = group
    lines += ["\\bottomrule", "\\end{tabular}", ""]
    lines += [f"\\par\\footnotesize {tex_text(note)}" for note in notes(table, confidence)]
    return "\n".join([*lines, "\\end{table*}"]) + "\n"


def full_ranking_markdown(table: pd.DataFrame) -> str:
    """The full-ranking table, one row per (domain, system, split)."""
    lines = [_pipes(["domain", "corpus", "system", "split", "HR@1", "HR@10", "NDCG@10", "MRR"]), _pipes(["---"] * 8)]
    for row in table.itertuples():
        figures = [f"{value:.4f}" for value in (row.hr1, row.hr10, row.ndcg10, row.mrr)]
        lines.append(_pipes([row.domain, row.corpus, row.label, row.split, *figures]))
    note = "Ranks of the target in the whole catalogue except the user's history, over all users of the split."
    if (table["corpus"] == "synthetic").any():
        note += " SYNTHETIC CORPUS where it says so: these figures say nothing about Amazon's customers."
    return "\n".join(lines) + f"\n\n{note}\n"
