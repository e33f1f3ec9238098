"""Synthetic reviews: varied texts about the driver that was met or missed, in agreement with the rating."""

from dataclasses import dataclass

import numpy as np

from pulse_core.data.synthetic.vocabulary import Driver

RATINGS_MET = np.array([5, 5, 5, 5, 5, 5, 5, 4, 4, 4], dtype=np.int64)
RATINGS_MISSED = np.array([3, 3, 3, 3, 2, 2, 2, 1, 1, 1], dtype=np.int64)
SILENT = 0.06
"""Share of reviews that give no reason."""
DRAWS = 12
"""Random numbers per review (a row of `draw_choices`)."""

MET_FRAMES = (
    "{Met}.", "{Met}!", "What I like most is that {met}.", "Best of all, {met}.", "I can confirm that {met}.",
    "I bought it because I wanted {need}, and {met}.", "I always look for {need} and {met}.",
    "For me it had to be {need}; {met}.", "I was after {need} and this is it: {met}.",
    "I chose it over the others for one reason: {met}.", "If you want {need}, this is for you. {Met}.",
    "I had been searching for {need} for months. {Met}.", "{Met}, which is why I bought it.",
    "Finally {need}. {Met}.", "My main reason was {need}, and {met}.",
)  # fmt: skip
MISSED_FRAMES = (
    "{Missed}.", "Sadly, {missed}.", "I bought it because I wanted {need}, but {missed}.", "Disappointed: {missed}.",
    "I was promised {need}, but {missed}.", "I only chose it because I need {need}. {Missed}.", "Sorry, but {missed}.",
    "I hoped for {need} and {missed}.", "My problem is that {missed}.", "{Missed}, so it goes back.",
    "I looked for {need}. Unfortunately {missed}.",
)  # fmt: skip
ALSO_FRAMES = (
    "Also, {met}.", "And {met}.", "It helps that {met}.", "A nice extra: {met}.", "On top of that, {met}.",
    "Besides, {met}.",
)  # fmt: skip
OPENINGS_MET = (
    "Love this {kind}.", "This is my third {kind} from {brand}.", "Very happy with it.", "Great {kind}.", "Wow.",
    "I am picky about this sort of thing.", "{brand} never lets me down.", "Arrived on Tuesday, well wrapped.",
    "I had read mixed opinions, but I'm glad I tried it.", "My first order from {brand}.", "Exactly as shown.",
    "I've used it for a month now.", "Two weeks in and no complaints.", "A neighbor told me about this {kind}.",
)  # fmt: skip
OPENINGS_MISSED = (
    "I wanted to like this {kind}.", "Not for me.", "I expected more from {brand}.", "Hmm.", "Where do I start?",
    "I've had better.", "I don't get the hype about {brand}.", "Tried it for a week.", "It looked fine in the photos.",
)  # fmt: skip
CLOSINGS_MET = (
    "Will buy again.", "Highly recommended.", "Five stars from me.", "I've already ordered another.",
    "You won't regret it.", "Shipping took a while, but that's on the carrier.", "My husband uses it too.",
    "Keep it up, {brand}!", "Would be perfect in a larger box.", "A keeper.", "Don't hesitate.", "Thanks!",
)  # fmt: skip
CLOSINGS_MISSED = (
    "I won't buy it again.", "Back it goes.", "Save yourself the trouble.", "I gave the rest away.",
    "Not again, {brand}.", "Maybe it works for others.", "I'm looking for another {kind} now.", "Two weeks wasted.",
)  # fmt: skip
SILENT_MET = (
    "Just what I ordered.", "Good {kind}, thanks.", "Love it!", "Great product, arrived in time.", "As described.",
    "I like it.", "Nice.", "OK", "My second one. Happy with it.", "Works for me & my sister.",
)  # fmt: skip
SILENT_MISSED = ("Not what I expected.", "Meh.", "It's OK, I guess.", "Did not work for me.", "Returned it.")
SUMMARIES_MET = (
    "Finally {need}", "Love it", "Five Stars", "Great if you want {need}", "Just what I wanted", "{need}, at last",
    "Great {kind}", "Very pleased", "Another winner from {brand}", "Will order again",
)  # fmt: skip
SUMMARIES_MISSED = (
    "Not {need}", "Disappointed", "Two Stars", "Don't believe the label", "I wanted {need}, this is not it", "Meh",
    "Not for me", "One Star", "Expected more from {brand}",
)  # fmt: skip


@dataclass(frozen=True)
class Subject:
    """Subject of a review: the item's brand and kind, the driver of the purchase, and perhaps a second one."""

    brand: str
    kind: str
    driver: Driver
    second: Driver | None
    met: bool


def draw_choices(rows: int, rng: np.random.Generator) -> list[list[int]]:
    """(rows, DRAWS) non-negative random numbers that determine rating and wording."""
    return rng.integers(0, 1 << 30, size=(rows, DRAWS)).tolist()


def rating(met: bool, draws: list[int]) -> float:
    """Four or five stars if the driver was met, else one to three."""
    table = RATINGS_MET if met else RATINGS_MISSED
    return float(table[draws[0] % len(table)])


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def write_review(subject: Subject, draws: list[int]) -> tuple[str, str]:
    """(summary, text) of one review in plain text; `draws`: one row of `draw_choices`."""
    met, driver = subject.met, subject.driver

    def say(frames: tuple[str, ...], draw: int, clause: str = "") -> str:
        return frames[draw % len(frames)].format(
            kind=subject.kind.lower(), brand=subject.brand, need=driver.needs[draws[1] % len(driver.needs)],
            met=clause, missed=clause, Met=_upper(clause), Missed=_upper(clause),
        )  # fmt: skip

    summary = _upper(say(SUMMARIES_MET if met else SUMMARIES_MISSED, draws[2]))
    if draws[3] % 1000 < SILENT * 1000:
        return "", say(SILENT_MET if met else SILENT_MISSED, draws[4])
    clauses = driver.met if met else driver.missed
    reason = say(MET_FRAMES if met else MISSED_FRAMES, draws[4], clauses[draws[5] % len(clauses)])
    opening = say(OPENINGS_MET if met else OPENINGS_MISSED, draws[6])
    closing = say(CLOSINGS_MET if met else CLOSINGS_MISSED, draws[7])
    also = ""
    if subject.second is not None and draws[8] % 3 == 0:
        also = say(ALSO_FRAMES if met else ("At least {met}.", "To be fair, {met}."), draws[9],
                   subject.second.met[draws[10] % len(subject.second.met)])  # fmt: skip
    shape = draws[11] % 10  # real reviews are short or long, and come to the point early or late
    early, late = (opening if shape >= 6 else ""), (closing if shape in (3, 4, 5, 8, 9) else "")
    return summary, " ".join(part for part in (early, reason, also if shape >= 3 else "", late) if part)
