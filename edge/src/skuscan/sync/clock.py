"""Whether this device's clock is right. Signatures expire by the clock, so a wrong one stops updates.

Two things tell of a wrong clock: how far it is from what the server says, and the time floor, the latest time that was
seen signed. The floor tells without a server, too, but only of a clock that is behind.
"""

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path

from skuscan.errors import StoreError
from skuscan.store.checked_json import read_checked
from skuscan.store.journal import Journal

TIME_FLOOR_FILE = "time_floor"  # beside the metadata
TOLERANCE = 60.0  # s; less is not told: an answer may have been long on its way
CLOCK = "clock"  # the journal's event
RIGHT = "the clock agrees with the server's again"
BEHIND = "the clock is behind a time that was seen signed: expiry is judged by that time"
HISTORY = 50  # events of the journal, in which the last one of the clock is looked for
_UNITS = (("days", 86_400.0), ("hours", 3_600.0), ("minutes", 60.0))


def time_floor(folder: Path) -> float:
    """The latest signed time seen, unix seconds; 0 when none is known. A damaged one would stop all updates.

    Args:
        folder: The device's copy of the metadata.
    """
    try:
        return float(read_checked(folder / TIME_FLOOR_FILE)["unix_s"])
    except StoreError:
        return 0.0


def skew_of(headers: Mapping[str, str]) -> float | None:
    """Seconds that this clock is ahead of the server's, by an answer's Date and Age (RFC 9110 6.6.1, RFC 9111 5.1).

    None when the answer does not say.
    """
    try:
        said = parsedate_to_datetime(headers.get("Date", "")).timestamp() + int(headers.get("Age", "0"))
    except (ValueError, OverflowError):
        return None
    return time.time() - said


def seconds_behind(floor: float) -> float:
    """Seconds that this clock is at least behind, by the time floor; 0 within the tolerance."""
    behind = floor - time.time()
    return behind if behind > TOLERANCE else 0.0


def told_skew(skew: float | None, floor: float) -> int:
    """What a report says of it: whole seconds ahead of the server, or of the floor; 0 within the tolerance."""
    return -round(seconds_behind(floor)) if skew is None or abs(skew) < TOLERANCE else round(skew)


def note_skew(journal: Journal, generation: int, skew: float | None, floor: float) -> None:
    """Write a wrong clock into the journal, and one that is right again, once. The caller holds the store's lock."""
    if skew is not None and abs(skew) >= TOLERANCE:
        text = _described(skew)
    elif seconds_behind(floor):
        text = BEHIND
    elif skew is not None:
        text = RIGHT
    else:
        return  # nobody says
    last = next((event["reason"] for event in reversed(journal.last(HISTORY)) if event["event"] == CLOCK), RIGHT)
    if text != last:
        journal.note(CLOCK, generation, text)


def _described(skew: float) -> str:
    unit, seconds = next(((unit, size) for unit, size in _UNITS if abs(skew) >= 2 * size), _UNITS[-1])
    return f"the clock is {abs(skew) / seconds:.0f} {unit} {'ahead of' if skew > 0 else 'behind'} the server's"
