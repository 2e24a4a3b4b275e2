"""How often a device may ask."""

from hypothesis import given
from hypothesis import strategies as st

from skuscan_server.access import rate
from skuscan_server.access.rate import RateLimit
from skuscan_server.errors import RateError

RATE, BURST = 2.0, 3


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def is_taken(limit: RateLimit, device: str = "a") -> bool:
    try:
        limit.check(device)
    except RateError:
        return False
    return True


@given(st.lists(st.floats(0.0, 2.0), max_size=60))
def test_no_span_of_time_holds_more_than_the_burst_and_its_share_of_the_rate(pauses: list[float]) -> None:
    clock = Clock()
    limit = RateLimit(RATE, BURST, clock)
    taken: list[float] = []
    for pause in pauses:
        clock.now += pause
        if is_taken(limit):
            taken.append(clock.now)
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            assert last - first + 1 <= BURST + (taken[last] - taken[first]) * RATE + 1e-6


def test_who_waits_as_long_as_was_said_is_taken() -> None:
    clock = Clock()
    limit = RateLimit(RATE, BURST, clock)
    assert [is_taken(limit) for _ in range(BURST + 1)] == [True] * BURST + [False]
    try:
        limit.check("a")
    except RateError as error:
        clock.now += error.retry_after
    assert is_taken(limit)
    assert not is_taken(limit)


def test_one_device_s_haste_is_not_another_s() -> None:
    limit = RateLimit(RATE, BURST, Clock())
    for _ in range(BURST + 1):
        is_taken(limit, "a")
    assert is_taken(limit, "b")


def test_times_that_are_over_are_not_kept_for_ever() -> None:
    clock = Clock()
    limit = RateLimit(RATE, BURST, clock)
    for number in range(3 * rate.MOST_DEVICES):
        clock.now += 1.0
        limit.check(str(number))
    assert len(limit._due) <= rate.MOST_DEVICES
