import pytest

from skuscan_models.training.config import Stage, TrainingConfig
from skuscan_models.training.schedule import Schedule

CONFIG = TrainingConfig("a", stages=(Stage(64, 100),), learning_rate=1e-3, warm_up=0.1, last_rate=0.02)
RATES = [Schedule(CONFIG).rate(step) for step in range(CONFIG.steps)]


def test_the_rate_grows_to_the_greatest_in_the_warm_up() -> None:
    assert RATES[:10] == pytest.approx([1e-4 * (step + 1) for step in range(10)])


def test_it_falls_from_there_on() -> None:
    assert max(RATES) == RATES[9] == RATES[10]
    assert RATES[10:] == sorted(RATES[10:], reverse=True)


def test_it_ends_near_the_last_rate() -> None:
    assert RATES[-1] == pytest.approx(CONFIG.last_rate * CONFIG.learning_rate, rel=0.02)


@pytest.mark.parametrize("steps", [1, 2])
def test_the_shortest_runs_have_a_rate(steps: int) -> None:
    schedule = Schedule(TrainingConfig("a", stages=(Stage(64, steps),)))
    assert all(schedule.rate(step) > 0 for step in range(steps))
