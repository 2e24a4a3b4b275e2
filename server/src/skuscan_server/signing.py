"""How a role's metadata is signed: by whom, for how long, and never in a way that its delegator would refuse."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from securesystemslib.signer import CryptoSigner, Key
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import DelegatedRole, Delegations, Metadata, Root, Snapshot, Targets, Timestamp

from skuscan.sync.repository_format import MODEL_TARGET, MODELS_ROLE
from skuscan_server.errors import PublishError

Role = TypeVar("Role", Root, Timestamp, Snapshot, Targets)


@dataclass(frozen=True)
class Lifetimes:
    """How long a signature is good for, unless the root says otherwise. Signed again when half of it is over."""

    root: timedelta = timedelta(days=365)
    models: timedelta = timedelta(days=365)  # as long as the root: its key may be offline, too
    targets: timedelta = timedelta(days=90)
    snapshot: timedelta = timedelta(days=7)
    timestamp: timedelta = timedelta(days=2)


USUAL_LIFETIMES = Lifetimes()


def delegations_to(keys: Sequence[Key]) -> Delegations:
    """What targets.json says of the role models: any one of these keys signs it, and the model alone."""
    role = DelegatedRole(MODELS_ROLE, [key.keyid for key in keys], threshold=1, terminating=True, paths=[MODEL_TARGET])
    return Delegations({key.keyid: key for key in keys}, {MODELS_ROLE: role})


def sign(signed: Role, role: str, signers: Sequence[CryptoSigner], delegators: Sequence[Root | Targets]) -> bytes:
    """Sign with every key that is here and named. Raises PublishError when a delegator is not content with that."""
    named = {keyid for delegator in delegators for keyid in delegator.get_delegated_role(role).keyids}
    metadata = Metadata(signed)
    for signer in signers:
        if signer.public_key.keyid in named:
            metadata.sign(signer, append=True)
    try:
        for delegator in delegators:
            delegator.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
    except RepositoryError as error:
        raise PublishError(f"{role} is signed by the key that the root names", "another key", str(error)) from error
    return metadata.to_bytes()
