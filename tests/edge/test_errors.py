"""Errors cross processes: workers raise them, and the command line prints them."""

import pickle

import pytest

from skuscan.errors import PictureError, SkuscanError
from skuscan.store.budget import OverBudgetError


@pytest.mark.parametrize(
    "error",
    [
        SkuscanError("a rule", "something else"),
        PictureError("a picture is one", "words", "give a picture"),
        OverBudgetError(1_000_000, "2 MB"),  # its own arguments are others
    ],
)
def test_an_error_of_another_process_says_the_same(error: SkuscanError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)
