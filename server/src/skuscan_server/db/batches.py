"""Lists cut to what one SQL statement takes."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

QUERY_KEYS = 500  # keys in one SQL `IN`: below every database's limit of parameters

Item = TypeVar("Item")


def batched(items: Iterable[Item], size: int = QUERY_KEYS) -> Iterator[list[Item]]:
    """The items in lists of at most `size`."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
