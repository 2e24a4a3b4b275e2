"""Bring back what a store has lost: made from what is here, else fetched from where its generations come from.

Every sync that leaves the live generation where it is mends it first: what does not answer is not "unchanged". A sweep
finds the rest, since it alone reads everything; it runs daily, in `skuscan doctor`, and here when opening fails.

The search index is apart: without it the exact search answers. It comes back as the operator's policy says, and what
keeps it away is no failure.
"""

import logging
from collections.abc import Callable
from dataclasses import replace

from skuscan.errors import SkuscanError, SyncError
from skuscan.proto.catalogue_pb2 import FileRef
from skuscan.store import Generation, Store
from skuscan.store.housekeeping import Swept
from skuscan.sync.index_build import child_builder
from skuscan.sync.plan import IndexRules, index_source

log = logging.getLogger(__name__)


class Healer:
    """Heals a store.

    Args:
        store: The device's.
        fetch: Fetches blobs of the live and the previous generation; raises SkuscanError.
        rules: About the index.
    """

    def __init__(self, store: Store, fetch: Callable[[list[FileRef]], None], rules: IndexRules) -> None:
        self._store = store
        self._fetch = fetch
        self._rules = rules

    def mend(self) -> None:
        """See that the live generation answers, else the previous one. The caller holds the lock.

        Raises:
            SkuscanError: Neither does, or what an earlier sweep took out cannot be fetched.
        """
        if self._store.read_current() is None:
            return
        if lost := self._store.lost():
            self._fetch(lost)
        try:
            answering = self._store.open_generation()
        except SkuscanError as damage:
            log.warning("all files are read, since nothing answers: %s", damage)
            self.heal()
            answering = self._store.open_generation()
        self._restore_index(answering)

    def heal(self) -> Swept:
        """Read everything, repair it from what is here, and fetch again what is not.

        Returns:
            What was done, and what could not be got. The previous generation answers, where it is whole.

        Raises:
            StoreError: Another process writes, or the disk fails.
        """
        swept = self._store.sweep()
        with self._store.lock:
            if swept.lost:
                try:
                    self._fetch(swept.lost)
                except SyncError as error:
                    log.warning("damaged files are fetched again at the next sync: %s", error)
                lost = [ref for ref in swept.lost if not self._store.blobs.has(ref)]
                swept = Swept(lost, swept.done + self._store.sweep().done)
            try:
                restored = self._restore_index(self._store.open_generation())
            except SkuscanError:  # whoever opens it next says so
                return swept
        return replace(swept, done=swept.done + restored)

    def _restore_index(self, answering: Generation) -> list[str]:
        """What was done, in words."""
        if answering.annoy_file is not None:
            return []
        manifest, name = answering.manifest, answering.contents.name
        source = index_source(manifest, self._store.blobs.is_intact, self._rules)
        try:
            if source == "none":
                return []
            if source == "build":
                self._store.repair(name, "its search index was lost", child_builder(manifest.annoy))
            else:
                self._fetch([manifest.annoy.file] if source == "download" else [])
                self._store.announce()
        except SkuscanError as error:
            log.warning("the exact search answers: %s", error)
            return []
        return [f"the search index of generation {name.number} is back"]
