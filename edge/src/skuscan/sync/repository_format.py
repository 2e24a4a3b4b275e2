"""What a skuscan repository adds to TUF, for the server that writes it and the device that reads it.

Plain TUF leaves two gaps that matter here, and a field of the root, signed by the offline keys, closes both:

- All assortments of a retailer share root keys, so a root of another assortment would pass as this one's next version.
  The field names the assortment.
- The role `targets` is online and says who may sign as `models`, so its thief could name a key of his own. The field
  names the keys of `models`, and the delegation in targets.json must equal it.

The timestamp says when it was signed, so that a device whose clock was reset still knows how late it is at least.
"""

import copy
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tuf.api.metadata import Delegations, Root

MANIFEST_TARGET = "manifest"  # in the role targets
MODEL_TARGET = "model"  # in the role models, nowhere else
MODELS_ROLE = "models"
GENERATION_FIELD = "generation"  # custom field of the target `manifest`: the manifest's own number
SIGNED_AT_FIELD = "x-skuscan-signed-at"  # of timestamp.json; unix time in seconds
ROOT_FIELD = "x-skuscan"  # of root.json
ETAG_DIGITS = 16
EVENTS_PATH = "/api/v1/events"  # of the server: new generations are told there


def etag_of(data: bytes) -> str:
    """How the file that changes is named in HTTP. Short, since every poll says it; what is trusted is the signature."""
    return hashlib.sha256(data).hexdigest()[:ETAG_DIGITS]


@dataclass(frozen=True)
class RootPins:
    """What only the offline root may say.

    Attributes:
        assortment: Whose repository this is.
        delegations: The delegations that targets.json may hold, as JSON; the one to come is the last.
        days: For how long roles are signed, where that is not the usual time.
    """

    assortment: str
    delegations: Sequence[Mapping[str, Any]]
    days: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls, root: Root) -> "RootPins":
        """The pins of a verified root. Raises ValueError when it has none."""
        pins = root.unrecognized_fields.get(ROOT_FIELD)
        if not isinstance(pins, dict) or not isinstance(pins.get("delegations"), list) or not pins["delegations"]:
            raise ValueError(f"no field {ROOT_FIELD} with delegations")
        return cls(str(pins.get("assortment")), pins["delegations"], pins.get("days", {}))

    def allow(self, delegations: Delegations | None) -> bool:
        """Whether targets.json may hold this."""
        return delegations is not None and delegations.to_dict() in self.delegations

    def newest(self) -> Delegations:
        """The last delegation, as python-tuf has it."""
        return Delegations.from_dict(copy.deepcopy(dict(self.delegations[-1])))  # from_dict empties what it is given

    def to_field(self) -> dict[str, Any]:
        """The value of `ROOT_FIELD`."""
        return {"assortment": self.assortment, "delegations": list(self.delegations), "days": dict(self.days)}


def published_target_name(target: str, sha256_hex: str) -> str:
    """The name of a target's file under consistent snapshots (TUF 6.2)."""
    return f"{sha256_hex}.{target}"
