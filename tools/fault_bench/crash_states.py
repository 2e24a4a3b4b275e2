"""Every state that a power cut may leave, by the weakest file system that POSIX allows.

`RecordingDisk` notes what a run does to the disk. `states` replays each prefix of it, and at each prefix leaves out
what was not made to stay, after ALICE (Pillai et al. 2014, "All file systems are not created equal", OSDI) and
CrashMonkey (Mohan et al. 2018, "Finding crash-consistency bugs with bounded black-box crash testing", OSDI):

 * bytes that were written to a file since its last fsync may be there, missing, torn in the middle, or zeros;
 * names that were made, moved or removed in a folder since its last fsync may each have changed or not. A rename within
   a folder is one change; between folders it is two.

Files are told apart from their names, so a file that was fsynced under one name keeps its bytes under another.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from skuscan.store.durable import Disk

MOST_SUBSETS = 4  # so many pending changes of names are left out in every combination; more: each one, and all but each

Tree = Mapping[Path, bytes | None]
"""A folder's content: relative path -> bytes, None for a folder."""

_ROOT = 0  # the node of the recorded folder
_Entry = tuple[int, str]  # a name in a folder's node
_Names = dict[_Entry, int]


@dataclass(frozen=True)
class Data:
    """A file's bytes have changed."""

    node: int
    content: bytes


@dataclass(frozen=True)
class Names:
    """A name in a folder has changed, or two at once. The node that it stands for; None: removed."""

    changes: tuple[tuple[_Entry, int | None], ...]

    @property
    def folder(self) -> int:
        """Whose fsync makes it stay."""
        return self.changes[0][0][0]


@dataclass(frozen=True)
class Synced:
    """What was written to this file stays, or the names in this folder do."""

    node: int
    folder: bool


Event = Data | Names | Synced


@dataclass(frozen=True)
class Recording:
    """What a run did.

    Attributes:
        names: The tree before it, by nodes.
        data: Bytes of its files; a node that is absent here is a folder.
        events: In order.
    """

    names: _Names
    data: dict[int, bytes]
    events: list[Event]

    def without_fsync(self, files: bool, folders: bool) -> "Recording":
        """The same run by a program that never fsyncs files or folders."""
        kept = [e for e in self.events if not (isinstance(e, Synced) and (folders if e.folder else files))]
        return Recording(self.names, self.data, kept)


class RecordingDisk(Disk):
    """Notes what each call has changed, by looking when the next one begins.

    Args:
        root: What is recorded; calls elsewhere are ignored. One thread at a time.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._names: _Names = {}
        self._data: dict[int, bytes] = {}
        self._events: list[Event] = []
        self._nodes = itertools.count(1)
        self._pending: tuple[str, Path, Path | None] | None = None
        for path in sorted(root.rglob("*")):
            node = next(self._nodes)
            self._names[self._entry(path)] = node
            if path.is_file():
                self._data[node] = path.read_bytes()
        self._before = Recording(dict(self._names), dict(self._data), self._events)

    def recording(self) -> Recording:
        """All of it, once the run is over."""
        self._settle()
        return self._before

    def _step(self, call: str, path: Path, source: Path | None = None) -> None:
        self._settle()
        self._pending = (call, path, source)

    def _settle(self) -> None:
        """Note what the last call has brought about."""
        if self._pending is None:
            return
        (call, path, source), self._pending = self._pending, None
        if call in ("create", "write", "fsync"):
            self._note_data(path)
            if call == "fsync" and path.exists():
                self._events.append(Synced(self._node(path), folder=False))
        elif call == "fsync folder":
            self._events.append(Synced(self._node(path), folder=True))
        elif call == "mkdir":
            self._change((self._entry(path), next(self._nodes)))
        elif call == "link" and source is not None and path.exists():
            self._change((self._entry(path), self._node(source)))
        elif call == "rename" and source is not None and not source.exists():
            self._note_rename(source, path)
        elif call in ("unlink", "rmtree") and not path.exists():
            self._note_removal(path)

    def _note_data(self, path: Path) -> None:
        """Also for a file that something else has written before it was fsynced here."""
        if not path.exists():
            return
        entry, content = self._entry(path), path.read_bytes()
        if entry not in self._names:
            node = next(self._nodes)
            self._data[node] = b""
            self._events.append(Data(node, b""))
            self._change((entry, node))
        node = self._names[entry]
        if self._data[node] != content:
            self._data[node] = content
            self._events.append(Data(node, content))

    def _note_rename(self, source: Path, target: Path) -> None:
        old, new = self._entry(source), self._entry(target)
        node = self._names[old]
        if source.parent == target.parent:
            self._change((new, node), (old, None))
        else:
            self._change((new, node))
            self._change((old, None))

    def _note_removal(self, path: Path) -> None:
        entry = self._entry(path)
        if entry in self._names:
            for inner in reversed(list(_below(self._names, self._names[entry]))):
                self._change((inner, None))
            self._change((entry, None))

    def _change(self, *changes: tuple[_Entry, int | None]) -> None:
        self._events.append(Names(changes))
        _apply(self._names, changes)

    def _entry(self, path: Path) -> _Entry:
        return self._node(path.parent), path.name

    def _node(self, path: Path) -> int:
        node = _ROOT
        for name in path.relative_to(self._root).parts:
            if (node, name) not in self._names:  # a folder that something else has made
                self._change(((node, name), next(self._nodes)))
            node = self._names[node, name]
        return node


def states(recording: Recording) -> Iterator[tuple[int, Tree]]:
    """Each distinct state, with the number of events that came before the cut."""
    seen: set[int] = set()
    disk = _Replay(dict(recording.names), dict(recording.data))
    for cut in range(len(recording.events) + 1):
        for tree in disk.outcomes():
            digest = hash(frozenset(tree.items()))
            if digest not in seen:
                seen.add(digest)
                yield cut, tree
        if cut < len(recording.events):
            disk.add(recording.events[cut])


def write_tree(tree: Tree, target: Path) -> Path:
    """Make a state on the disk."""
    target.mkdir(parents=True)
    for path in sorted(tree):  # a folder comes before what is in it
        content = tree[path]
        if content is None:
            (target / path).mkdir()
        else:
            (target / path).write_bytes(content)
    return target


@dataclass
class _Replay:
    """A disk: what stays, and what is only on its way."""

    names: _Names
    data: dict[int, bytes]
    pending_names: list[Names] = field(default_factory=list)
    pending_data: dict[int, bytes] = field(default_factory=dict)

    def add(self, event: Event) -> None:
        if isinstance(event, Data):
            self.pending_data[event.node] = event.content
        elif isinstance(event, Names):
            self.pending_names.append(event)
        elif event.folder:
            for change in self.pending_names:
                if change.folder == event.node:
                    _apply(self.names, change.changes)
            self.pending_names = [change for change in self.pending_names if change.folder != event.node]
        elif event.node in self.pending_data:
            self.data[event.node] = self.pending_data.pop(event.node)

    def outcomes(self) -> Iterator[Tree]:
        files = list(self._files())
        for kept in _subsets(self.pending_names):
            names = dict(self.names)
            for change in kept:
                _apply(names, change.changes)
            for data in files:
                yield dict(_paths(names, {**self.data, **data}, _ROOT, Path()))

    def _files(self) -> Iterator[dict[int, bytes]]:
        """What the files may hold that were not fsynced: all alike, and each by itself beside whole ones."""
        forms = {
            node: list(dict.fromkeys(_forms(self.data.get(node, b""), new))) for node, new in self.pending_data.items()
        }
        yield dict(self.pending_data)
        for node, contents in forms.items():
            yield from ({**self.pending_data, node: content} for content in contents)
        if len(forms) > 1:
            yield {node: self.data.get(node, b"") for node in forms}


def _forms(old: bytes, new: bytes) -> Iterator[bytes]:
    """A file's bytes when not all of a change has reached the disk: missing, torn, zeros."""
    middle = (len(old) + len(new)) // 2 if new.startswith(old) else len(new) // 2
    yield old
    yield new[:middle]
    yield new[:middle] + bytes(len(new) - middle)
    yield (old if new.startswith(old) else b"") + bytes(len(new) - (len(old) if new.startswith(old) else 0))


def _subsets(pending: Sequence[Names]) -> Iterable[Sequence[Names]]:
    if len(pending) <= MOST_SUBSETS:
        return [kept for size in range(len(pending) + 1) for kept in itertools.combinations(pending, size)]
    one = [[change] for change in pending]
    but_one = [[*pending[:i], *pending[i + 1 :]] for i in range(len(pending))]
    return [[], pending, *one, *but_one]


def _apply(names: _Names, changes: Iterable[tuple[_Entry, int | None]]) -> None:
    for entry, node in changes:
        if node is None:
            names.pop(entry, None)
        else:
            names[entry] = node


def _below(names: _Names, folder: int) -> Iterator[_Entry]:
    """Every name under a folder, each folder's before those in it."""
    for entry, node in list(names.items()):
        if entry[0] == folder:
            yield entry
            yield from _below(names, node)


def _paths(names: _Names, data: Mapping[int, bytes], folder: int, path: Path) -> Iterator[tuple[Path, bytes | None]]:
    children: dict[int, list[tuple[str, int]]] = {}
    for (parent, name), node in names.items():
        children.setdefault(parent, []).append((name, node))
    waiting = [(folder, path)]
    while waiting:
        above, where = waiting.pop()
        for name, node in children.get(above, []):
            yield where / name, data.get(node)
            if node not in data:
                waiting.append((node, where / name))
