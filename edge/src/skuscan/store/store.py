"""The device's store: what `skuscan enrol` makes, the sync agent fills and the recogniser reads.

    identity.json  settings.json  CURRENT  floor  swept  lock  journal.jsonl
    blobs/sha256/..  generations/<number>/  trial/  tuf/  tmp/

An update, by the one writer that holds the lock:

1. Blobs are adopted, each checked against its digest.
2. `prepare` derives `generations/<n>/` in `tmp/`, compares the state it came to with the one that was signed, and
   moves the folder in.
3. `activate` puts the generation on trial. When its probes answer right, `floor` is raised and then CURRENT is
   replaced, in one rename: only now is it live. Otherwise the generation is rejected and nothing has changed.

Readers look at CURRENT between two scans, and keep what they have opened. A live generation that is found damaged at
opening is made again from its blobs; failing that, the previous one answers and says so. Only for that does a reader
take the lock, and it never waits for it; a writer waits for a reader.
"""

import contextlib
import time
from collections.abc import Iterable
from pathlib import Path

from skuscan.bundle.manifest import manifest_files, parse_manifest
from skuscan.errors import SkuscanError, StoreError
from skuscan.proto.bundle_pb2 import Manifest, ModelArtifact
from skuscan.proto.catalogue_pb2 import FileRef
from skuscan.store import housekeeping, room, update
from skuscan.store.blobs import BlobFolder
from skuscan.store.budget import DEFAULT_BYTES, derived_bytes
from skuscan.store.build import IndexBuilder
from skuscan.store.checked_json import read_checked, write_checked
from skuscan.store.durable import DISK, PRIVATE_MODE, Disk
from skuscan.store.generation import CONTENTS_FILE, Generation
from skuscan.store.journal import Journal
from skuscan.store.pointers import Contents, Current, DeviceIdentity, GenerationName
from skuscan.store.trials import Trials

METADATA_FOLDER = "tuf"
FOLDERS = ("blobs", "generations", "trial", METADATA_FOLDER, "tmp")
IDENTITY_FILES = ("identity.json", "identity.copy.json")  # without either, somebody must enrol the device again
SETTINGS_FILE = "settings.json"
LOCK_PATIENCE = 5.0  # s, that a writer waits for another one, such as a sweep or a reader that repairs
_OPEN_ATTEMPTS = 3  # another process may activate and clean up between reading CURRENT and opening


class Store:
    """One device's store. `create` and `open` make it; safe in any thread, for any number of processes.

    Attributes:
        path: Its folder.
        identity: Who the device is.
        blobs: The immutable files.
        disk: What writes.
        lock: Held by the one writer; the methods that write take it, and an agent may hold it around several of them.
        journal: What happened.
        trials: What is on probation or rejected.
    """

    def __init__(self, path: Path, identity: DeviceIdentity, disk: Disk) -> None:
        self.path = path
        self.identity = identity
        self.disk = disk
        self.blobs = BlobFolder(path / "blobs", disk)
        self.lock = disk.lock(path / "lock", LOCK_PATIENCE)
        self.journal = Journal(path / "journal.jsonl", disk)
        self.trials = Trials(path / "trial", disk)
        self._answering: tuple[object, int | None] | None = None  # CURRENT's signature, and what answers by it

    @classmethod
    def create(cls, path: Path, identity: DeviceIdentity, disk: Disk = DISK) -> "Store":
        """Make a store. Raises StoreError when there is one already, or the disk fails."""
        path = Path(path)
        if any((path / name).exists() for name in IDENTITY_FILES):
            raise StoreError("a device is enrolled once", f"{path} is a store already", "remove it to enrol again")
        for folder in FOLDERS:
            disk.make_folder(path / folder)
        store = cls(path, identity, disk)
        store.keep_identity()
        return store

    @classmethod
    def open(cls, path: Path, disk: Disk = DISK) -> "Store":
        """Open a store; nothing is written. Raises StoreError when there is none."""
        path = Path(path)
        if not any((path / name).exists() for name in IDENTITY_FILES):
            raise StoreError("a device has a store", f"none in {path}", "run `skuscan enrol URL TOKEN`")
        with contextlib.suppress(StoreError):
            return cls(path, DeviceIdentity(**read_checked(path / IDENTITY_FILES[0])), disk)
        return cls(path, DeviceIdentity(**read_checked(path / IDENTITY_FILES[1])), disk)

    def current(self) -> int | None:
        """The number of the generation that answers, None before the first; cheap enough between two scans."""
        signature = self._signature()
        if self._answering is None or self._answering[0] != signature:
            current = self.read_current()
            self._answering = (signature, current.live.number if current else None)
        return self._answering[1]

    def is_current(self, generation: Generation) -> bool:
        """Whether `open_generation` would give the same again; as cheap as `current`.

        Unlike a comparison of numbers it also tells of a repair: the files that were opened then are the damaged ones.
        Nor is a generation current of which a mapped file was cut: to touch it would end the process.
        """
        answers = generation.opened_by is not None and generation.opened_by == self._signature()
        return answers and generation.is_whole()

    def open_generation(self, number: int | None = None) -> Generation:
        """Open a generation for reading.

        Args:
            number: Which; None: the one that answers. When that one is damaged it is repaired, else the previous one
                is opened, whose `degraded` says why.

        Raises:
            StoreError: There is none, or none that is whole.
        """
        if number is not None:
            return self._open(number)
        for _ in range(_OPEN_ATTEMPTS):
            signature, current = self._signature(), self.read_current()
            if current is None:
                raise StoreError("a device has a catalogue", f"none yet in {self.path}", "run `skuscan sync`")
            try:
                generation: Generation | None = self._open(current.live.number, signature)
            except SkuscanError as damage:
                generation = self._open_another(current, signature, damage)
            if generation is not None:
                generation.degraded = generation.degraded or current.degraded
                self._answering = (generation.opened_by, generation.number)
                return generation
        raise StoreError("a generation stays while it is opened", f"{self.path} changes all the time", "try again")

    def check_offer(self, number: int) -> None:
        """Raises StoreError when a generation may not be activated: below the floor, or rejected before."""
        if number < self.floor():
            raise StoreError("an update never goes back", f"generation {number}, {self.floor()} was confirmed")
        if number in self.rejected():
            raise StoreError("a rejected generation is not tried again", f"{number}: {self.rejected()[number]}")

    def make_room(self, manifest: Manifest, model: ModelArtifact, fetched: int, builds_index: bool) -> None:
        """See that an update fits into the disk budget; what recognition does not need gives way, see `room.py`.

        Args:
            manifest: Of the generation to come.
            model: Its model.
            fetched: Bytes that are still to be fetched.
            builds_index: Whether its search index will be built here.

        Raises:
            OverBudgetError: It does not fit beside the live and the previous generation.
            StoreError: Another process writes, or the disk fails.
        """
        keep = [*manifest_files(manifest), model.backbone, model.head]
        with self.lock:
            needed = fetched + derived_bytes(manifest, room.reusable(self, manifest.generation), builds_index)
            room.make_room(self, needed, keep, manifest.generation)

    def room_for_displays(self, live: Generation) -> int:
        """Bytes that more display pictures may take: what is left once another generation can be built."""
        return room.room_for_displays(self, live)

    def prepare(self, manifest_bytes: bytes, model_bytes: bytes, build_index: IndexBuilder | None = None) -> int:
        """Derive a generation from blobs that are all here. What is live does not change.

        Args:
            manifest_bytes: The target `manifest`, its signature verified.
            model_bytes: The target `model`, its signature verified.
            build_index: Builds the search index here; None: the published file is used if it was fetched.

        Returns:
            The generation's number.

        Raises:
            StoreError: A file is missing or damaged, the generation may not be activated, or the disk fails.
            BundleError: What was published is not what was signed; the generation is rejected.
            FeatureSpaceError: References and model do not belong together; the generation is rejected.
            ModelError: The model cannot be used; the generation is rejected.
        """
        with self.lock:
            return update.prepare(self, manifest_bytes, model_bytes, build_index)

    def activate(self, number: int, probe: update.Probe) -> None:
        """Put a prepared generation on trial, and make it live when it passes.

        Args:
            number: As `prepare` gave it.
            probe: Asks the generation its probes and raises an error when an answer is wrong.

        Raises:
            StoreError: It failed its trial or may not be tried; the previous generation goes on answering.
        """
        with self.lock:
            update.activate(self, number, probe)

    def floor(self) -> int:
        """The highest confirmed generation: none below it is accepted from outside."""
        path = self.path / "floor"
        with contextlib.suppress(StoreError):
            return int(read_checked(path)["generation"])
        if path.exists():
            return max(self._complete(), default=0)
        with contextlib.suppress(StoreError):  # it is written before CURRENT, so it was lost
            return Current.from_json(read_checked(self.path / "CURRENT")).live.number
        return 0

    def rejected(self) -> dict[int, str]:
        """Generations above the floor that are not tried again, and why."""
        return self.trials.rejected()

    def disk_budget(self) -> int:
        """Bytes that the store may take, all in all."""
        try:
            return int(read_checked(self.path / SETTINGS_FILE)["disk_budget"])
        except StoreError:  # never set, or damaged
            return DEFAULT_BYTES

    def set_disk_budget(self, budget: int) -> None:
        """Say how many bytes the store may take from now on. Raises StoreError when the disk fails."""
        if budget != self.disk_budget():
            with self.lock:
                write_checked(self.disk, self.path / SETTINGS_FILE, {"disk_budget": budget})

    def collect_garbage(self, keep: Iterable[FileRef] = ()) -> int:
        """Remove what neither the live nor the previous generation uses: bytes freed.

        Args:
            keep: Further blobs to leave, such as those of an update under way.

        Raises:
            StoreError: Another process writes, or the disk fails.
        """
        with self.lock:
            return housekeeping.collect_garbage(self, keep)

    def lost(self) -> list[FileRef]:
        """Blobs that the live and the previous generation need and that are not here in their full length.

        Cheap enough for each poll: nothing is read but the signed files. An index and display pictures, which may be
        absent, are not among them.
        """
        return housekeeping.lost(self)

    def is_sweep_due(self, seconds: float) -> bool:
        """Whether no process has swept the store for so long."""
        try:
            since = time.time() - float(read_checked(self.path / housekeeping.SWEPT_FILE)["unix_s"])
        except StoreError:
            return True
        return not 0 <= since < seconds  # a clock that went back says nothing

    def sweep(self) -> housekeeping.Swept:
        """Read every file of the live and the previous generation and repair what can be repaired here.

        The lock is held for what is written, not while all is read.

        Raises:
            StoreError: Another process writes, or the disk fails.
        """
        return housekeeping.sweep(self)

    def status(self) -> housekeeping.StoreStatus:
        """How the store is. Never raises for damage: it says so."""
        return housekeeping.status(self)

    def read_current(self) -> Current | None:
        """What CURRENT says; when it is damaged or lost, the highest confirmed generations that are here."""
        try:
            return Current.from_json(read_checked(self.path / "CURRENT"))
        except StoreError:
            numbers = sorted((n for n in self._complete() if n <= self.floor()), reverse=True)
        names = [self.contents(number).name for number in numbers]
        return Current(names[0], names[1] if names[1:] else None, "CURRENT is damaged") if names else None

    def folder(self, number: int) -> Path:
        """A generation's folder."""
        return self.path / "generations" / str(number)

    def contents(self, number: int) -> Contents:
        """What a generation's folder holds. Raises StoreError when it is missing or its table of contents damaged."""
        contents = Contents.from_json(read_checked(self.folder(number) / CONTENTS_FILE))
        if contents.name.number != number:
            raise StoreError(f"the folder of generation {number} holds it", f"{contents.name.number}")
        return contents

    def write_current(self, current: Current) -> None:
        """Make a generation live. The caller holds the lock. Raises StoreError when the disk fails."""
        write_checked(self.disk, self.path / "CURRENT", current.to_json())

    def keep_identity(self) -> None:
        """Write the files of the identity that are missing or damaged. Raises StoreError when the disk fails."""
        for name in reversed(IDENTITY_FILES):
            try:
                read_checked(self.path / name)
            except StoreError:
                write_checked(self.disk, self.path / name, self.identity.to_json(), PRIVATE_MODE)

    def repair(self, name: GenerationName, damage: object, build_index: IndexBuilder | None = None) -> None:
        """Make a generation's folder again from its blobs. The caller holds the lock. Raises SkuscanError."""
        self._remake(name, damage, build_index)
        self.announce()

    def announce(self) -> None:
        """Let the readers of all processes open again what answers. The caller holds the lock. Raises StoreError."""
        current = self.read_current()
        if current is not None:
            self.write_current(current)

    def _signature(self) -> object:
        try:
            stat = (self.path / "CURRENT").stat()
        except OSError:
            return "lost"  # what answers then is found by `read_current`, and stays until there is a CURRENT again
        return stat.st_ino, stat.st_mtime_ns, stat.st_size

    def _open(self, number: int, signature: object = None) -> Generation:
        generation = Generation.open(self.folder(number), self.contents(number), self.blobs)
        generation.opened_by = signature
        return generation

    def _remake(self, name: GenerationName, damage: object, build_index: IndexBuilder | None = None) -> None:
        update.build(self, name, parse_manifest(self.blobs.read(name.manifest)), build_index)
        self.journal.note("repaired", name.number, str(damage))

    def _open_or_remake(self, name: GenerationName, signature: object) -> Generation:
        """Open the previous generation: damage to a file that it shares with the live one has hit both."""
        try:
            return self._open(name.number, signature)
        except SkuscanError as damage:
            with self.lock.at_once():
                self._remake(name, damage)
            return self._open(name.number, signature)

    def _complete(self) -> list[int]:
        """Numbers of the generations whose folder is whole as far as its table of contents says."""
        numbers = []
        for folder in (self.path / "generations").glob("[0-9]*"):
            with contextlib.suppress(StoreError):
                numbers.append(self.contents(int(folder.name)).name.number)
        return numbers

    def _open_another(self, current: Current, signature: object, damage: SkuscanError) -> Generation | None:
        """The live generation could not be opened: made again if that can be, else the previous one.

        None: CURRENT has changed meanwhile. There is another one to look at, and what could not be opened was perhaps
        not damaged, but cleaned away.
        """
        if self._signature() != signature:
            return None
        with contextlib.suppress(SkuscanError), self.lock.at_once():
            if self._signature() != signature:
                return None
            self.repair(current.live, damage)
            return self._open(current.live.number, self._signature())
        if self._signature() != signature:
            return None
        if current.previous is None:
            raise damage
        try:
            generation = self._open_or_remake(current.previous, signature)
        except SkuscanError:
            if self._signature() != signature:
                return None
            raise
        generation.degraded = f"generation {current.live.number} is damaged: {damage}"
        with contextlib.suppress(StoreError), self.lock.at_once():
            if self._signature() == signature:
                self.write_current(Current(current.previous, None, generation.degraded))
                generation.opened_by = self._signature()
                self.journal.note("degraded", generation.number, generation.degraded)
        return generation
