import dataclasses
from typing import Any

import pytest

from skuscan.errors import ModelError
from skuscan_models.training.config import CLEAN_SOURCES, RUNS, Stage, TrainingConfig, ViewOptions, run

CONFIG = TrainingConfig("a", stages=(Stage(64, 3), Stage(96, 2)))


def another(value: Any) -> Any:
    """A value of the same kind that is not the same."""
    if isinstance(value, ViewOptions):
        return dataclasses.replace(value, hard=value.hard / 2)
    if isinstance(value, dict):
        return {name: amount * 2 for name, amount in value.items()}
    if isinstance(value, tuple):
        return value[:1]
    return f"{value}-2" if isinstance(value, str) else value + 1


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(TrainingConfig)])
def test_a_change_of_any_field_changes_the_digest(name: str) -> None:
    changed = dataclasses.replace(CONFIG, **{name: another(getattr(CONFIG, name))})
    assert changed.digest() != CONFIG.digest()


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(ViewOptions)])
def test_so_does_a_change_of_any_view_option(name: str) -> None:
    views = dataclasses.replace(CONFIG.views, **{name: another(getattr(CONFIG.views, name))})
    assert dataclasses.replace(CONFIG, views=views).digest() != CONFIG.digest()


def test_equal_configs_have_equal_digests() -> None:
    assert dataclasses.replace(CONFIG).digest() == CONFIG.digest()


def test_sizes_change_at_the_first_step_of_a_stage() -> None:
    assert [CONFIG.stage_at(step).size for step in range(7)] == [64, 64, 64, 96, 96, 96, 96]
    assert CONFIG.steps == 5


def test_the_clean_run_has_sources_with_a_licence_only() -> None:
    assert set(RUNS["clean"].pairs) <= set(CLEAN_SOURCES)


def test_a_run_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(ModelError, match="one of all, clean; received dirty"):
        run("dirty")
