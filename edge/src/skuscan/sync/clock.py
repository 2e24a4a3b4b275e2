"""How far this device's clock is from its server's. Signatures expire by the clock, so a wrong one stops updates."""

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from skuscan.store.journal import Journal

TOLERANCE = 60.0  # s; less is not told: an answer may have been long on its way
CLOCK = "clock"  # the journal's event
RIGHT = "the clock agrees with the server's again"
HISTORY = 50  # events of the journal, in which the last one of the clock is looked for
_UNITS = (("days", 86_400.0), ("hours", 3_600.0), ("minutes", 60.0))


def skew_of(headers: Mapping[str, str]) -> float | None:
    """Seconds that this clock is ahead of the server's, by an answer's Date and Age (RFC 9110 6.6.1, RFC 9111 5.1).

    None when the answer does not say.
    """
    try:
        said = parsedate_to_datetime(headers.get("Date", "")).timestamp() + int(headers.get("Age", "0"))
    except (ValueError, OverflowError):
        return None
    return time.time() - said


def told_skew(skew: float | None) -> int:
    """What a report says of it: whole seconds, 0 within the tolerance."""
    return 0 if skew is None or abs(skew) < TOLERANCE else round(skew)


def note_skew(journal: Journal, generation: int, skew: float | None) -> None:
    """Write a wrong clock into the journal, and one that is right again, once. The caller holds the store's lock."""
    if skew is None:
        return
    text = _described(skew) if told_skew(skew) else RIGHT
    last = next((event["reason"] for event in reversed(journal.last(HISTORY)) if event["event"] == CLOCK), RIGHT)
    if text != last:
        journal.note(CLOCK, generation, text)


def _described(skew: float) -> str:
    unit, seconds = next(((unit, size) for unit, size in _UNITS if abs(skew) >= 2 * size), _UNITS[-1])
    return f"the clock is {abs(skew) / seconds:.0f} {unit} {'ahead of' if skew > 0 else 'behind'} the server's"
