"""The signing keys: Ed25519, a PEM file each, readable by their owner only.

    keys/offline/root-1.pem root-2.pem root-3.pem    any two sign a root; keep them off the server
    keys/models.pem                                  signs models; may be kept off the server, too
    keys/online/<assortment>/targets.pem snapshot.pem timestamp.pem

A role's later keys have the beginning of their id in the name, `root-3f9a61c0.pem`: no name is used twice, though other
keys are on another medium. Which keys count says the published root, and nothing else; a file that it does not name is
never signed with.

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
from skuscan.sync.repository_format import MODELS_ROLE

ROOT_ROLE = "root"
ROOT_KEYS = 3  # keys that may sign a root
ROOT_THRESHOLD = 2  # of them that must
FIRST_ROOT_FILES = tuple(f"root-{number}.pem" for number in range(1, ROOT_KEYS + 1))
NAME_DIGITS = 8  # hex digits of a later key's id in its file's name
ONLINE_ROLES = ("targets", "snapshot", "timestamp")

_FOLDER_MODE = 0o700


@dataclass(frozen=True)
class KeyFolder:
    """Where the signing keys are. Holds no secret in memory.

    Attributes:
        path: The folder.
        offline: Where the root keys are, if not in its `offline`: a medium that was plugged in.
    """

    path: Path
    offline: Path | None = None

    def signers(self, role: str, assortment: str = "") -> list[CryptoSigner]:
        """The keys of a role that are here.

        Args:
            role: "root", "models" or an online role.
            assortment: Whose, for an online role.

        Raises:
            ConfigError: None is here, or a file is no key.
        """
        paths = self._paths(role, assortment)
        return [_load(path) for path in paths or [self._folder(role, assortment) / f"{role}.pem"]]

    def root_signers(self) -> list[CryptoSigner]:
        """The offline root keys that are here.

        Raises:
            ConfigError: Fewer than the threshold are here, or a file is no key.
        """
        paths = self._paths(ROOT_ROLE)
        if len(paths) < ROOT_THRESHOLD:
            raise ConfigError(
                f"a root is signed by {ROOT_THRESHOLD} of {ROOT_KEYS} offline keys",
                f"{len(paths)} in {self._offline}",
                f"move the offline keys back to {self._offline}",
            )
        return [_load(path) for path in paths]

    def first_root_signers(self) -> list[CryptoSigner]:
        """All root keys, which a retailer's *first* root must name. Raises ConfigError when one is away."""
        return [_load(self._offline / name) for name in FIRST_ROOT_FILES]

    def create_online(self, assortment: str) -> dict[str, CryptoSigner]:
        """The first online keys of an assortment by role; those that are not there yet are made."""
        check_assortment(assortment)
        return {
            role: self.signers(role, assortment)[0]
            if self._paths(role, assortment)
            else self.create(role, assortment, f"{role}.pem")
            for role in ONLINE_ROLES
        }

    def create(self, role: str, assortment: str = "", name: str = "") -> CryptoSigner:
        """Make one more key of a role, in a file named by its id unless it is given. It counts when a root names it."""
        signer = CryptoSigner.generate_ed25519()
        folder = self._folder(role, assortment)
        _make_folder(folder)
        path = folder / (name or f"{role}-{signer.public_key.keyid[:NAME_DIGITS]}.pem")
        DISK.write_file(path, signer.private_bytes, PRIVATE_MODE)
        return signer

    def is_here(self, role: str, assortment: str = "") -> bool:
        """False when the operator keeps the role's keys elsewhere."""
        return bool(self._paths(role, assortment))

    def files(self, role: str, assortment: str = "") -> dict[str, Path]:
        """The files of a role's keys that are here, by key id. Raises ConfigError when one is no key."""
        return {_load(path).public_key.keyid: path for path in self._paths(role, assortment)}

    @property
    def _offline(self) -> Path:
        return self.offline or self.path / "offline"

    def _folder(self, role: str, assortment: str) -> Path:
        if role == ROOT_ROLE:
            return self._offline
        return self.path if role == MODELS_ROLE else self.path / "online" / assortment

    def _paths(self, role: str, assortment: str = "") -> list[Path]:
        return sorted(self._folder(role, assortment).glob(f"{role}*.pem"))


def init_keys(folder: Path, offline: Path | None = None) -> KeyFolder:
    """Make the retailer's root keys and models key.

    Args:
        folder: The folder of keys.
        offline: Where the root keys are made; None: in its `offline`.

    Raises:
        ConfigError: There are keys already: replacing them would cut off every enrolled device.
    """
    keys = KeyFolder(Path(folder), offline)
    present = [*keys._paths(ROOT_ROLE), *keys._paths(MODELS_ROLE)]
    if present:
        raise ConfigError("keys are made once", f"{present[0]} is there already", "use these keys, or another folder")
    keys.create(MODELS_ROLE, name=f"{MODELS_ROLE}.pem")
    for name in FIRST_ROOT_FILES:
        keys.create(ROOT_ROLE, name=name)
    return keys


def _make_folder(path: Path) -> None:
    if not path.is_dir():  # a medium that was plugged in keeps its own mode
        DISK.make_folder(path)
        path.chmod(_FOLDER_MODE)


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
