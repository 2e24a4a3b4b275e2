"""Waiting for what another thread or process does, with an end to it."""

import threading
from collections.abc import Callable
from typing import TypeVar

PATIENCE = 30.0  # s
LOOK = 0.01  # s between two looks

_T = TypeVar("_T")


def wait_for(condition: Callable[[], _T], patience: float = PATIENCE) -> _T:
    """What `condition` gives, once it gives something true. Raises AssertionError after `patience` seconds."""
    pause = threading.Event()
    for _ in range(round(patience / LOOK)):
        if found := condition():
            return found
        pause.wait(LOOK)
    raise AssertionError(f"nothing within {patience:g} s")
