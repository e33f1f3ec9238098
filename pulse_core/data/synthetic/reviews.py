"""Synthetic reviews: varied texts about the driver that was met or missed, in agreement with the rating."""

from pulse_core.data.synthetic.vocabulary import REVIEW_FRAMES, Driver

RATINGS = {True: (5, 5, 5, 5, 5, 5, 5, 4, 4, 4), False: (3, 3, 3, 3, 2, 2, 2, 1, 1, 1)}  # by whether the driver was met
SILENT = 0.06  # share of reviews that give no reason
DRAWS = 12  # random numbers per review: the first determines the rating, the others the wording


def upper_first(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]


def write_review(
    brand: str, kind: str, driver: Driver, second: Driver | None, met: bool, draws: list[int]
) -> tuple[str, str]:
    """(summary, text) of one review in plain text; `second`: another driver that mattered, from its `draws`."""
    frames = REVIEW_FRAMES["met" if met else "missed"]
    need = driver.needs[draws[1] % len(driver.needs)]

    def say(part: str, draw: int, clause: str = "") -> str:
        frame = frames[part][draw % len(frames[part])]
        return frame.format(kind=kind.lower(), brand=brand, need=need, clause=clause, Clause=upper_first(clause))

    summary = upper_first(say("summary", draws[2]))
    if draws[3] % 1000 < SILENT * 1000:
        return "", say("silent", draws[4])
    clauses = driver.met if met else driver.missed
    reason = say("reason", draws[4], clauses[draws[5] % len(clauses)])
    also = ""
    if second is not None and draws[8] % 3 == 0:
        also = say("also", draws[9], second.met[draws[10] % len(second.met)])
    shape = draws[11] % 10  # real reviews are short or long, and come to the point early or late
    opening = say("opening", draws[6]) if shape >= 6 else ""
    closing = say("closing", draws[7]) if shape in (3, 4, 5, 8, 9) else ""
    return summary, " ".join(part for part in (opening, reason, also if shape >= 3 else "", closing) if part)
