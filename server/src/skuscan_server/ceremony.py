"""What an operator does rarely, with the offline root keys at hand: other keys for a role, other times of expiry.

A kill between any two files leaves a repository that devices accept, the old one or the new one:

 * targets, snapshot, timestamp: what the role signs, and what stands above it, is first signed by the old keys *and*
   the new ones. Then comes the root. The old root and the new one are content with every file.
 * models: a root that allows the old delegation and the new one; then targets.json with the new one, and the model
   signed by it; then a root that allows the new one only. Two files must agree here, so one root cannot do it.
 * root: one file, signed by enough old keys and enough new ones. Devices follow the chain from the root that they know.

From the last root on, no device that has seen it takes a signature of a key that is gone. What was stopped is done
again from the beginning: the keys that a killed run has made are not used.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from securesystemslib.signer import Key
from tuf.api.metadata import Delegations, Root, Snapshot, Targets

from skuscan.sync.repository_format import MODELS_ROLE, ROOT_FIELD, RootPins
from skuscan_server.keys import ONLINE_ROLES
from skuscan_server.repository import TufRepository
from skuscan_server.signing import delegations_to


class Ceremony(TufRepository):
    """The repository of one assortment, while its keys or times are changed."""

    _coming: Root | None = None  # the root that will be written when all is signed for it, too

    def root_version(self) -> int:
        """Of the newest root. Raises PublishError when there is none."""
        return self._root().version

    def expiries(self) -> dict[str, datetime]:
        """When the newest signature of each role expires; of the root alone before the first publication."""
        live = self._live()
        signed = {Root.type: self._root(), **({} if live is None else live.roles())}
        return {role: metadata.expires for role, metadata in signed.items()}

    def keys_of(self, role: str) -> list[Key]:
        """The keys that the newest root names for a role."""
        if role == MODELS_ROLE:
            delegations = self._pins().newest()
            return list(delegations.keys.values())
        root = self._root()
        return [root.keys[keyid] for keyid in root.roles[role].keyids]

    def set_keys(self, role: str, keys: Sequence[Key]) -> None:
        """Let these keys sign as a role, and no others. The files of new ones are in the folder of keys already.

        Args:
            role: "root", "models" or an online role.
            keys: At least as many as must sign.

        Raises:
            ConfigError: Too few root keys are here, or the models key is away.
            PublishError: The root keys that are here are not those that the root names.
            StoreError: Somebody else is writing; nothing was changed.
        """
        with self._locked():
            if role == MODELS_ROLE:
                self._set_models_keys(delegations_to(keys))
            else:
                self._set_keys(role, keys)

    def set_days(self, role: str, days: int) -> None:
        """Sign a role for so many days from now on, beginning at once. Raises as `set_keys` does."""
        with self._locked():
            pins = self._pins()
            if role == MODELS_ROLE:
                self._keys.signers(MODELS_ROLE)  # missed now, not when the root says what could not be done
            root = self._root_with(RootPins(pins.assortment, pins.delegations, {**pins.days, role: days}))
            if role == Root.type:
                root.expires = self._clock() + timedelta(days=days)
            self._write_root(root)
            if role != Root.type:
                self._sign_again(targets=role in (Targets.type, Snapshot.type), models=role == MODELS_ROLE)

    def _set_keys(self, role: str, keys: Sequence[Key]) -> None:
        root = self._next_root()
        for keyid in list(root.roles[role].keyids):
            root.revoke_key(keyid, role)
        for key in keys:
            root.add_key(key, role)
        self._signed_root(root)  # a key that is missing is said before anything is written
        if role in ONLINE_ROLES:
            self._coming = root
            try:
                self._sign_again(targets=role in (Targets.type, Snapshot.type))
            finally:
                self._coming = None
        self._write_root(root)

    def _set_models_keys(self, delegations: Delegations) -> None:
        pins, live = self._pins(), self._live()
        new = delegations.to_dict()
        if live is not None and live.targets.delegations is not None:
            held = live.targets.delegations.to_dict()
            self._write_root(self._root_with(RootPins(pins.assortment, [held, new], pins.days)))
            self._sign_again(targets=True, models=True)
        self._write_root(self._root_with(RootPins(pins.assortment, [new], pins.days)))

    def _root_with(self, pins: RootPins) -> Root:
        root = self._next_root()
        root.unrecognized_fields[ROOT_FIELD] = pins.to_field()
        return root

    def _sign_again(self, *, targets: bool = False, models: bool = False) -> None:
        """New signatures over what is live; a timestamp always, and a snapshot when what it names is new."""
        live = self._live()
        if live is None:
            return
        new_targets, new_models = live.targets, live.models
        if targets:
            new_targets = self._stamped(live.targets, Targets.type)
            new_targets.delegations = self._delegations()
        if models:
            new_models = self._stamped(live.models, MODELS_ROLE)
        self._write_over(live, new_targets, new_models)

    def _delegations(self) -> Delegations:
        """What targets.json will hold."""
        return self._pins().newest()

    def _delegators(self, role: str) -> list[Root | Targets]:
        """The root to come must be content, too; it alone where the old keys are lost."""
        delegators = super()._delegators(role)
        if self._coming is None or role == MODELS_ROLE:
            return delegators
        known = {keyid for delegator in delegators for keyid in delegator.get_delegated_role(role).keyids}
        is_lost = known.isdisjoint(self._keys.files(role, self._assortment))
        return [self._coming] if is_lost else [*delegators, self._coming]
