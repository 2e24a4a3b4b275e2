"""A TUF repository that tests bend at will, signed with python-tuf's API, and the client of the conformance suite."""

import copy
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import quote

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Signed,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

from skuscan.sync.conformance import main

PROCESS_SECONDS = 60  # s, for one command on a busy machine
KEYS = [CryptoSigner.generate_ed25519() for _ in range(12)]
VALID = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(days=30)
EXPIRED = VALID - timedelta(days=60)
URL_SAFE = "/%+~!$&'()*,;=:@"  # what a client leaves as it is in a path


class Repository:
    """One repository in a folder: `metadata/` and `targets/`. Each role begins with one key."""

    def __init__(self, folder: Path, *, consistent: bool = True) -> None:
        self.folder = folder
        self.hashes = False  # whether snapshot and timestamp carry hashes and lengths
        self.root = Root(expires=VALID, consistent_snapshot=consistent)
        self.timestamp = Timestamp(expires=VALID)
        self.snapshot = Snapshot(expires=VALID)
        self.roles: dict[str, Targets] = {"targets": Targets(expires=VALID)}
        self.signers: dict[str, list[CryptoSigner]] = {}
        (folder / "metadata").mkdir(parents=True)
        (folder / "targets").mkdir()
        for role, key in zip(("root", "timestamp", "snapshot", "targets"), KEYS, strict=False):
            self.signers[role] = [key]
            self.root.add_key(key.public_key, role)
        self.write("root", "targets", "snapshot", "timestamp")

    @property
    def targets(self) -> Targets:
        return self.roles["targets"]

    def signed(self, role: str) -> Signed:
        return {"root": self.root, "timestamp": self.timestamp, "snapshot": self.snapshot}.get(role) or self.roles[role]

    def sign(self, role: str, signed: Signed | None = None) -> bytes:
        metadata = Metadata(copy.deepcopy(signed or self.signed(role)))
        for signer in self.signers[role]:
            metadata.sign(signer, append=True)
        return metadata.to_bytes(JSONSerializer())

    def write(self, *roles: str) -> None:
        """Sign and serve roles as they are; what is above each is told."""
        for role in roles:
            data = self.sign(role)
            self.file(role).write_bytes(data)
            meta = MetaFile.from_data(self.signed(role).version, data, ["sha256"])
            if not self.hashes:
                meta = MetaFile(meta.version)
            if role == "snapshot":
                self.timestamp.snapshot_meta = meta
            elif role not in ("root", "timestamp"):
                self.snapshot.meta[f"{role}.json"] = meta

    def publish(self, *roles: str) -> None:
        """A new version of some roles, and of snapshot and timestamp."""
        for role in dict.fromkeys((*roles, "snapshot", "timestamp")):
            self.signed(role).version += 1
            self.write(role)

    def publish_root(self) -> None:
        self.root.version += 1
        self.write("root")

    def file(self, role: str) -> Path:
        version = f"{self.signed(role).version}."
        prefixed = role == "root" or (role != "timestamp" and self.root.consistent_snapshot)
        return self.folder / "metadata" / f"{version if prefixed else ''}{quote(role, '')}.json"

    def rotate(self, role: str, *keys: int, threshold: int = 1, signed_by: Iterable[int] | None = None) -> None:
        """Other keys for a role of the top level, by number; the root is not published yet."""
        self.root.roles[role].keyids.clear()
        self.root.roles[role].threshold = threshold
        for key in keys:
            self.root.add_key(KEYS[key].public_key, role)
        self.signers[role] = [KEYS[key] for key in (keys if signed_by is None else signed_by)]

    def delegate(self, above: str, role: str, *paths: str, key: int = 8, **options: object) -> Targets:
        """A delegation at the end of a role's list; it is not published yet."""
        parent = self.roles[above]
        parent.delegations = parent.delegations or Delegations({}, {})
        parent.delegations.roles[role] = DelegatedRole(
            role, [], 1, bool(options.get("terminating")), list(paths) or None, options.get("prefixes")
        )
        parent.add_key(KEYS[key].public_key, role)
        self.signers[role] = [KEYS[key]]
        return self.roles.setdefault(role, Targets(expires=VALID))

    def add_target(self, name: str, data: bytes, role: str = "targets") -> Path:
        """A target in a role, which is not published yet: where its file is."""
        target = TargetFile.from_data(name, data, ["sha256"])
        self.roles[role].targets[name] = target
        above, slash, last = name.rpartition("/")
        published = f"{target.hashes['sha256']}.{last}" if self.root.consistent_snapshot else last
        path = self.folder / "targets" / quote(f"{above}{slash}{published}", safe=URL_SAFE)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path


class Client:
    """The adapter's commands; each gives its exit code."""

    def __init__(self, folder: Path, url: str) -> None:
        self.metadata, self.targets, self._url = folder / "client" / "metadata", folder / "client" / "targets", url
        self.metadata.mkdir(parents=True)
        self.targets.mkdir()
        self.first_root = folder / "first-root.json"

    def init(self, root: bytes) -> int:
        self.first_root.write_bytes(root)
        return self.call("init", str(self.first_root))

    def refresh(self) -> int:
        return self.call(*self.address, "refresh")

    def download(self, *names: str) -> int:
        places = ["--target-base-url", f"{self._url}/targets", "--target-dir", str(self.targets)]
        chosen = [argument for name in names for argument in ("--target-name", name)]
        return self.call(*self.address, *places, *chosen, "download")

    @property
    def address(self) -> list[str]:
        return ["--metadata-url", f"{self._url}/metadata/"]

    def version(self, role: str) -> int | None:
        path = self.metadata / f"{role}.json"
        return json.loads(path.read_text())["signed"]["version"] if path.exists() else None

    @property
    def versions(self) -> tuple[int | None, ...]:
        """Of root, timestamp, snapshot and targets."""
        return tuple(self.version(role) for role in ("root", "timestamp", "snapshot", "targets"))

    @property
    def files(self) -> dict[str, bytes]:
        """What was downloaded; everything in the folder counts."""
        return {
            str(path.relative_to(self.targets)): path.read_bytes() for path in self.targets.rglob("*") if path.is_file()
        }

    def call(self, *arguments: str) -> int:
        try:
            main(["--metadata-dir", str(self.metadata), *arguments])
        except SystemExit as end:
            return int(end.code or 0)
        return 0


class Process(Client):
    """The same in processes of its own, as the suite calls it."""

    def call(self, *arguments: str) -> int:
        called = [sys.executable, "-m", "skuscan.sync.conformance", "--metadata-dir", str(self.metadata), *arguments]
        return subprocess.run(called, timeout=PROCESS_SECONDS, env=os.environ, check=False).returncode


@pytest.fixture
def make_repository(tmp_path: Path) -> Callable[..., Repository]:
    return lambda **options: Repository(tmp_path / "repository", **options)


@pytest.fixture
def repository(make_repository) -> Repository:
    return make_repository()


@pytest.fixture
def web(tmp_path: Path, serve):
    """The repository's folder on loopback."""
    return serve(tmp_path / "repository")


@pytest.fixture
def client(tmp_path: Path, web, repository) -> Client:
    """A client that trusts the first root and has asked for nothing yet."""
    made = Client(tmp_path, web.url)
    assert made.init(repository.file("root").read_bytes()) == 0
    return made


@pytest.fixture
def process(tmp_path: Path, web, repository) -> Process:
    return Process(tmp_path, web.url)


@pytest.fixture
def asked(web) -> Callable[[], list[str]]:
    """The names of the files that were asked for since the last time."""

    def names() -> list[str]:
        paths = [path.rpartition("/")[2] for path in web.paths()]
        web.requests.clear()
        return paths

    return names


@pytest.fixture
def keys() -> list[CryptoSigner]:
    """The pool of keys; `Repository.rotate` takes their numbers."""
    return KEYS


@pytest.fixture
def expired() -> datetime:
    return EXPIRED


@pytest.fixture
def client_class() -> type[Client]:
    return Client
