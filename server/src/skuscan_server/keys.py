"""The signing keys: Ed25519, a PEM file each, readable by their owner only.

    keys/offline/root-1.pem root-2.pem root-3.pem    any two sign a root; keep them off the server
    keys/models.pem                                  signs models; may be kept off the server, too
    keys/online/<assortment>/targets.pem snapshot.pem timestamp.pem

A key that was moved away is only missed when something must be signed with it, and the error says where to put it.
"""

from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import CryptoSigner

from skuscan.bundle.manifest import check_assortment
from skuscan.errors import ConfigError
from skuscan.store.durable import DISK, PRIVATE_MODE

ROOT_KEYS = 3  # keys that may sign a root
ROOT_THRESHOLD = 2  # of them that must
ONLINE_ROLES = ("targets", "snapshot", "timestamp")

_FOLDER_MODE = 0o700


@dataclass(frozen=True)
class KeyFolder:
    """Where the signing keys are. Holds no secret in memory."""

    path: Path

    def root_signers(self) -> list[CryptoSigner]:
        """The offline root keys that are here.

        Raises:
            ConfigError: Fewer than the threshold are here, or a file is no key.
        """
        present = [path for path in self._root_paths() if path.exists()]
        if len(present) < ROOT_THRESHOLD:
            raise ConfigError(
                f"a root is signed by {ROOT_THRESHOLD} of {ROOT_KEYS} offline keys",
                f"{len(present)} in {self._offline}",
                f"move the offline keys back to {self._offline}",
            )
        return [_load(path) for path in present]

    def all_root_signers(self) -> list[CryptoSigner]:
        """All root keys, which a *first* root must name. Raises ConfigError when one is away."""
        return [_load(path) for path in self._root_paths()]

    def models_signer(self) -> CryptoSigner:
        """The key of the role `models`. Raises ConfigError when it is away."""
        return _load(self._models)

    @property
    def models_key_is_here(self) -> bool:
        """False when the operator keeps it offline."""
        return self._models.exists()

    def online_signer(self, assortment: str, role: str) -> CryptoSigner:
        """The key of one online role of one assortment. Raises ConfigError when it is away."""
        return _load(self._online(assortment) / f"{role}.pem")

    def create_online(self, assortment: str) -> dict[str, CryptoSigner]:
        """The online keys of an assortment by role; those that are not there yet are made."""
        check_assortment(assortment)
        folder = self._online(assortment)
        _make_folder(folder)
        for role in ONLINE_ROLES:
            path = folder / f"{role}.pem"
            if not path.exists():
                _create(path)
        return {role: _load(folder / f"{role}.pem") for role in ONLINE_ROLES}

    @property
    def _offline(self) -> Path:
        return self.path / "offline"

    @property
    def _models(self) -> Path:
        return self.path / "models.pem"

    def _online(self, assortment: str) -> Path:
        return self.path / "online" / assortment

    def _root_paths(self) -> list[Path]:
        return [self._offline / f"root-{number}.pem" for number in range(1, ROOT_KEYS + 1)]


def init_keys(folder: Path) -> KeyFolder:
    """Make the retailer's root keys and models key.

    Raises:
        ConfigError: There are keys already: replacing them would cut off every enrolled device.
    """
    keys = KeyFolder(Path(folder))
    paths = [*keys._root_paths(), keys._models]
    present = [path for path in paths if path.exists()]
    if present:
        raise ConfigError("keys are made once", f"{present[0]} is there already", "use these keys, or another folder")
    for path in paths:
        _make_folder(path.parent)
        _create(path)
    return keys


def _make_folder(path: Path) -> None:
    DISK.make_folder(path)
    path.chmod(_FOLDER_MODE)


def _create(path: Path) -> None:
    DISK.write_file(path, CryptoSigner.generate_ed25519().private_bytes, PRIVATE_MODE)


def _load(path: Path) -> CryptoSigner:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError as error:
        raise ConfigError(
            f"this is signed with the key {path.name}", f"no file {path}", f"move the offline key back to {path}"
        ) from error
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError("a signing key is an unencrypted Ed25519 key in PEM", f"{path}: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError("a signing key is an unencrypted Ed25519 key in PEM", f"{path}: {type(key).__name__}")
    return CryptoSigner(key)
