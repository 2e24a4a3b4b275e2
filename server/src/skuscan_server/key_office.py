"""The operator's key commands, over all assortments: which keys there are, new ones, keys that are taken away.

Root and models keys are the retailer's, and change in every assortment; online keys are an assortment's own.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from securesystemslib.signer import Key

from skuscan.errors import ConfigError
from skuscan.store.durable import DISK
from skuscan.sync.repository_format import MODELS_ROLE
from skuscan_server.ceremony import Ceremony
from skuscan_server.keys import ONLINE_ROLES, ROOT_ROLE, ROOT_THRESHOLD, KeyFolder

SHARED_ROLES = (ROOT_ROLE, MODELS_ROLE)
ROLES = (*SHARED_ROLES, *ONLINE_ROLES)
LEAST_DAYS = {"timestamp": 2}  # signed daily: a shorter one would expire between two signings
MOST_DAYS = 3_650


@dataclass(frozen=True)
class KeyStatus:
    """A key that a root names, or a file that none does.

    Attributes:
        role: What it signs.
        owner: Whose it is; empty: the retailer's.
        assortments: Whose roots name it; none: it counts for nothing.
        keyid: As in the roots.
        file: Where it is; None: not here.
    """

    role: str
    owner: str
    assortments: tuple[str, ...]
    keyid: str
    file: Path | None


@dataclass(frozen=True)
class Outcome:
    """What a command did.

    Attributes:
        made: Files of new keys.
        removed: Files of keys that count no more, removed.
        to_destroy: Files of root keys that count no more: every copy is the operator's to destroy.
        roots: The version of each assortment's newest root.
    """

    roots: Mapping[str, int]
    made: list[Path] = field(default_factory=list)
    removed: list[Path] = field(default_factory=list)
    to_destroy: list[Path] = field(default_factory=list)


class KeyOffice:
    """Changes keys.

    Args:
        keys: Where they are.
        repositories: Of every assortment, by its name.
    """

    def __init__(self, keys: KeyFolder, repositories: Mapping[str, Ceremony]) -> None:
        self._keys = keys
        self._repositories = repositories

    def survey(self) -> list[KeyStatus]:
        """Every key, by role."""
        found: list[KeyStatus] = []
        for role in SHARED_ROLES:
            found += self._survey(role, "", self._repositories)
        for assortment in self._repositories:
            for role in ONLINE_ROLES:
                found += self._survey(role, assortment, [assortment])
        return found

    def expiries(self) -> dict[str, dict[str, datetime]]:
        """When each role's live signature expires, by assortment; root alone before the first publication."""
        return {name: repository.expiries() for name, repository in self._repositories.items()}

    def rotate(self, role: str, assortment: str = "") -> Outcome:
        """Replace every key of a role by a new one.

        Args:
            role: Of `ROLES`.
            assortment: Whose; empty: of all. Root and models keys are always those of all.

        Raises:
            ConfigError: A key is away, or the role is shared and an assortment was named.
            PublishError: The keys that are here are not those that the roots name.
        """
        return self._change(role, assortment, keep=False, new=0)

    def add(self, role: str, assortment: str = "") -> Outcome:
        """Give a role one key more. Raises as `rotate` does."""
        return self._change(role, assortment, keep=True, new=1)

    def revoke(self, keyid: str) -> Outcome:
        """Take a key out of every role and every assortment. The beginning of its id is enough.

        Raises:
            ConfigError: No root names it, or several; or too few keys would be left.
        """
        status = self._find(keyid)
        left = {
            name: [key for key in self._repositories[name].keys_of(status.role) if key.keyid != status.keyid]
            for name in status.assortments
        }
        least = ROOT_THRESHOLD if status.role == ROOT_ROLE else 1
        if min(map(len, left.values())) < least:
            raise ConfigError(
                f"the role {status.role} keeps {least} keys at least",
                f"the revocation of {status.keyid}",
                f"replace it: skuscan-server keys rotate {status.role}",
            )
        self._keys.root_signers()
        for name, keys in left.items():
            self._repositories[name].set_keys(status.role, keys)
        return self._retired(status.role, status.assortments)

    def expiry(self, role: str, days: int, assortment: str = "") -> Outcome:
        """Sign a role for so many days from now on. Raises ConfigError, PublishError."""
        least = LEAST_DAYS.get(role, 1)
        if not least <= days <= MOST_DAYS:
            raise ConfigError(f"{role} is signed for {least} to {MOST_DAYS} days", str(days))
        names = self._names(assortment)
        self._keys.root_signers()
        for name in names:
            self._repositories[name].set_days(role, days)
        return Outcome({name: self._repositories[name].root_version() for name in names})

    def _change(self, role: str, assortment: str, *, keep: bool, new: int) -> Outcome:
        """Make `new` keys for a role, or as many as it has; the old ones stay beside them or go."""
        if role in SHARED_ROLES and assortment:
            raise ConfigError(f"{role} keys are those of all assortments", assortment, "leave --assortment out")
        names = self._names(assortment)
        self._keys.root_signers()  # missed before a key is made
        made: list[Path] = []
        for group in [names] if role in SHARED_ROLES else [[name] for name in names]:
            owner = "" if role in SHARED_ROLES else group[0]
            count = new or max(len(self._repositories[name].keys_of(role)) for name in group)
            fresh: list[Key] = [self._keys.create(role, owner).public_key for _ in range(count)]
            files = self._keys.files(role, owner)
            made += [files[key.keyid] for key in fresh]
            for name in group:
                old = self._repositories[name].keys_of(role) if keep else []
                self._repositories[name].set_keys(role, [*old, *fresh])
        return replace(self._retired(role, names), made=made)

    def _retired(self, role: str, names: Collection[str]) -> Outcome:
        """Remove the files of keys that no root names any more; of root keys, only say them."""
        unnamed = [
            status
            for status in self.survey()
            if status.role == role and status.file is not None and not status.assortments
        ]
        files = [status.file for status in unnamed if status.file is not None]
        if role != ROOT_ROLE:
            for file in files:
                DISK.remove(file)
        roots = {name: self._repositories[name].root_version() for name in names}
        return Outcome(roots, to_destroy=files) if role == ROOT_ROLE else Outcome(roots, removed=files)

    def _survey(self, role: str, owner: str, names: Collection[str]) -> list[KeyStatus]:
        files = self._keys.files(role, owner)
        named: dict[str, list[str]] = {keyid: [] for keyid in files}
        for name in names:
            for key in self._repositories[name].keys_of(role):
                named.setdefault(key.keyid, []).append(name)
        return [KeyStatus(role, owner, tuple(users), keyid, files.get(keyid)) for keyid, users in named.items()]

    def _find(self, keyid: str) -> KeyStatus:
        found = [status for status in self.survey() if status.assortments and status.keyid.startswith(keyid)]
        if len(found) != 1:
            raise ConfigError(
                "a key's id, or its beginning, fits one key that a root names",
                f"{keyid!r}, which fits {len(found)}",
                "see skuscan-server keys show",
            )
        return found[0]

    def _names(self, assortment: str) -> list[str]:
        if assortment and assortment not in self._repositories:
            raise ConfigError("the assortment is known", assortment)
        return [assortment] if assortment else list(self._repositories)
