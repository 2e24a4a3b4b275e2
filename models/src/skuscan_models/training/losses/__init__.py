"""Losses over one output, written once for every backend of Keras; chosen by name.

All but ArcFace and CosFace read embeddings, (n, 256) unit rows, and nothing but the cosines of their pairs: such a loss
can also be given a memory of earlier batches (`memory.MemoryBank`). ArcFace and CosFace read the cosines that a
`proxies.ProxyCosines` layer puts behind the embeddings.
"""

from typing import Any

from skuscan.errors import ModelError
from skuscan_models.training.losses.circle import Circle
from skuscan_models.training.losses.margins import Contrastive, Triplet
from skuscan_models.training.losses.pairs import Loss
from skuscan_models.training.losses.proxies import ArcFace, CosFace
from skuscan_models.training.losses.softmax import NTXent, SupCon

LOSSES: dict[str, type[Loss]] = {
    "arcface": ArcFace,
    "circle": Circle,
    "contrastive": Contrastive,
    "cosface": CosFace,
    "nt-xent": NTXent,
    "supcon": SupCon,
    "triplet": Triplet,
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
