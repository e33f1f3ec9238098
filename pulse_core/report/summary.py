"""The summary of a run: HR@1 of all systems, one user from history to ranking, and the files to open next."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from rich import box
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from pulse_core.errors import InputError
from pulse_core.keys import KEY
from pulse_core.systems import CHANCE, HR1_SYSTEMS, label

ORDER = [*(system.name for system in HR1_SYSTEMS), CHANCE.name]
HISTORY_SHOWN = 8
WIDTH = 100  # columns


@dataclass(frozen=True)
class ShownExample:
    """What is shown of one test user."""

    user_id: str
    chosen_how: str
    history: list[str]
    rationales: list[tuple[str, float]]
    """Text and score of the selected rationale and, if there is one, of the runner-up."""
    ranking: list[tuple[str, float, bool]]
    """Title, score and whether it is the target of each candidate, best first."""


def shown_example(
    examples: pd.DataFrame, items: pd.DataFrame, users: pd.DataFrame, selected: pd.DataFrame, predictions: pd.DataFrame
) -> ShownExample:
    """The first sampled test user by user id, whatever the outcome, so as not to pick a success.

    Args:
        examples: (user, split, position, history, target, sampled); user codes rank the user ids.
        selected: (user, split, position, rationale, score, runners_up: list of {node, score, rationale}).
        predictions: PULSE's (user, split, candidates, scores).

    Raises:
        InputError: no sampled test user.
    """
    tested = examples[(examples["split"] == "test") & examples["sampled"].astype(bool)].sort_values(KEY)
    if tested.empty:
        raise InputError("examples: no sampled test user to show; sample more users or relax the filter")
    example = tested.iloc[0]
    choice = selected[(selected[KEY] == tuple(example[KEY])).all(axis=1)].iloc[0]
    ranked = predictions[(predictions["user"] == example["user"]) & (predictions["split"] == "test")].iloc[0]
    titles = items.set_index("item")["title"].to_dict()
    target = int(example["target"])
    # Ties count against the model: the target comes last among equal scores.
    scored = zip(ranked["candidates"], ranked["scores"], strict=True)
    order = sorted((-float(score), int(item) == target, int(item)) for item, score in scored)
    runners_up = sorted(choice["runners_up"], key=lambda runner: -float(runner["score"]))
    return ShownExample(
        user_id=str(users.set_index("user")["user_id"][example["user"]]),
        chosen_how=f"the first of the {len(tested)} evaluated test users by id, whatever the outcome",
        history=[str(titles[int(item)]) for item in example["history"]],
        rationales=[(str(chosen["rationale"]), float(chosen["score"])) for chosen in (choice, *runners_up[:1])],
        ranking=[(str(titles[item]), -minus, is_target) for minus, is_target, item in order],
    )


def render(hr1: Mapping[str, Any], example: ShownExample | None = None, files: Mapping[str, str] | None = None) -> str:
    """The summary of an hr1.json as plain text; `files` (path -> description) are its last lines."""
    written = io.StringIO()
    console = Console(file=written, width=WIDTH, color_system=None, force_terminal=False, highlight=False)
    if hr1["notice"]:
        console.print(Panel(Text(hr1["notice"]), box=box.DOUBLE, title="READ THIS FIRST"))
    protocol, users = hr1["protocol"], hr1["systems"]["pulse"]["users"]
    candidates = f"{protocol['candidate_count']} candidates ({protocol['candidate_strategy']})"
    console.print(Text(f"{hr1['domain']}: HR@1 of {candidates}, {users} test users, corpus: {hr1['corpus']}"))
    names = [name for name in ORDER if name in hr1["systems"]] + sorted(set(hr1["systems"]) - set(ORDER))
    console.print(_figures(hr1, names))
    for name in names:
        if name != "pulse":
            console.print(Text("  " + hr1["comparisons"][name]["sentence"]))
    if hr1.get("why_recall"):
        console.print(Text(_why(hr1["why_recall"])))
    if example is not None:
        _show(console, example)
    if files:
        console.print(Text("\nWhere to look next"))
        column = max(map(len, files))
        for file, description in files.items():
            console.print(Text(f"  {file:<{column}}  {description}"))
    return "\n".join(line.rstrip() for line in written.getvalue().splitlines()) + "\n"


def _figures(hr1: Mapping[str, Any], names: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("system")
    for heading in ("HR@1", f"{hr1['protocol']['confidence']:.0%} interval", "MRR", "NDCG@10"):
        table.add_column(heading, justify="right")
    table.add_column("PULSE is")
    for name in names:
        system = hr1["systems"][name]
        hits = system["hr1"]
        table.add_row(
            label(name) + (" (ORACLE)" if system["oracle"] else ""),
            f"{hits['value']:.3f}",
            "exact" if name == "chance" else f"{hits['low']:.3f} - {hits['high']:.3f}",
            f"{system['mrr']['value']:.3f}",
            f"{system['ndcg10']['value']:.3f}",
            "" if name == "pulse" else hr1["comparisons"][name]["hr1"]["verdict"],
        )
    return table


def _why(recall: Mapping[str, Any]) -> str:
    gap, selected = recall["selected_less_random_leaf"], recall["selected"]
    random, base, best, other = (
        f"{recall[name]['value']:.3f}" for name in ("random_leaf", "base", "best_leaf", "selected_other_driver")
    )
    return (
        f"\nRationales that name the planted reason of the purchase ({recall['examples']} examples): selected "
        f"{selected['value']:.3f} [{selected['low']:.3f}, {selected['high']:.3f}], random leaf {random}, base {base}, "
        f"best leaf {best}, another purchase's reason {other}. "
        f"Selected against random leaf: {gap['verdict']} ({gap['difference']:+.3f}, p = {gap['p_value']:.2g})."
    )


def _show(console: Console, example: ShownExample) -> None:
    console.print(Text(f"\nOne user, {example.user_id} ({example.chosen_how})"))
    hidden = len(example.history) - HISTORY_SHOWN
    console.print(Text("History, oldest first" + (f" ({hidden} earlier items left out)" if hidden > 0 else "")))
    for title in example.history[-HISTORY_SHOWN:]:
        console.print(Text(f"  - {title}"), no_wrap=True, overflow="ellipsis")
    for name, (text, score) in zip(("Selected rationale", "Runner-up"), example.rationales, strict=False):
        console.print(Text(f"{name}, score {score:.3f}\n  {text}"))
    rank = 1 + [is_target for _, _, is_target in example.ranking].index(True)
    ordinal = {1: "1st", 2: "2nd", 3: "3rd"}.get(rank, f"{rank}th")
    console.print(Text(f"Ranking of the candidates (the target came {ordinal})"))
    for place, (title, score, is_target) in enumerate(example.ranking, start=1):
        line = f"{'bought >>' if is_target else '':>9} {place:2d}. {score:8.3f}  {title}"
        console.print(Text(line), no_wrap=True, overflow="ellipsis")
