"""Losses over one output, written once for every backend of Keras; chosen by name."""

from typing import Any

from skuscan.errors import ModelError
from skuscan_models.training.losses.pairs import Loss
from skuscan_models.training.losses.softmax import NTXent, SupCon

LOSSES: dict[str, type[Loss]] = {
    "nt-xent": NTXent,
    "supcon": SupCon,
}


def build_loss(name: str, **options: Any) -> Loss:
    """A loss with its options.

    Args:
        name: A key of `LOSSES`.
        options: Fields of its class; the others keep the published values.

    Raises:
        ModelError: The name or an option is not known, or an option's value makes no sense.
    """
    if name not in LOSSES:
        raise ModelError(f"a loss is one of {', '.join(sorted(LOSSES))}", name)
    known = LOSSES[name].__dataclass_fields__
    unknown = [option for option in options if option not in known]
    if unknown:
        raise ModelError(f"options of the loss {name} are {', '.join(known)}", ", ".join(unknown))
    return LOSSES[name](**options)
