"""The one place to ask: picture -> answer.

A scan takes its catalogue once and keeps it to the end, so an activation changes the answer between two scans, never
within one.
"""

import threading
import weakref
from collections.abc import Collection
from pathlib import Path

from skuscan.catalogue import Catalogue
from skuscan.decision import Looks
from skuscan.recognition import Image, Recognition, RecognizerOptions
from skuscan.scan import Eye, Scan, Session
from skuscan.store import Generation, Store
from skuscan.store.sweeper import Sweeper


class Recognizer:
    """Identifies products with one catalogue, or with the live generation of a device's store. Safe in any thread.

    Args:
        catalogue: Opened for reading.
        options: How to work.
        eye: The catalogue's model, opened before; None: it is opened here.

    Raises:
        ModelError: The catalogue's model cannot be used.
        FeatureSpaceError: `eye` is of another feature space than the catalogue.
    """

    def __init__(self, catalogue: Catalogue, options: RecognizerOptions | None = None, eye: Eye | None = None) -> None:
        self.options = options or RecognizerOptions()
        self._followed: tuple[Store, Generation] | None = None
        self._swapping = threading.Lock()
        self._session = Session.open(catalogue, self.options, eye)

    @classmethod
    def open(cls, store: Store | Path | str, options: RecognizerOptions | None = None) -> "Recognizer":
        """Open a store's live generation, and follow it.

        A scan after an activation is answered by the new one; a generation that was repaired is opened again. Once a
        day all files are read in the background, and repaired where they are damaged.

        Raises:
            StoreError: There is no store, or no generation in it yet.
            ModelError: Its model cannot be used.
        """
        opened = store if isinstance(store, Store) else Store.open(Path(store))
        generation = opened.open_generation()
        recognizer = cls(generation, options)
        recognizer._followed = opened, generation
        weakref.finalize(recognizer, Sweeper(opened, recognizer.options.sweep_seconds).stop)
        return recognizer

    def __enter__(self) -> "Recognizer":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held but memory and memory maps, which go with the recogniser."""

    @property
    def catalogue(self) -> Catalogue:
        """What the next scan will be answered from."""
        return self._current_session().catalogue

    @property
    def eye(self) -> Eye:
        """The opened model."""
        return self._session.eye

    @property
    def index_name(self) -> str:
        """The search index in use: "annoy" or "exact"."""
        return self._session.shortlister.index.name

    def identify(self, image: Image) -> Recognition:
        """Which product does a picture show?

        Args:
            image: A path, a file's bytes, or (H, W, 3) uint8 RGB.

        Raises:
            PictureError: The picture cannot be used.
            StoreError: A new generation was activated and cannot be opened.
        """
        return Scan(self._current_session(), self.options).answer(image)

    def measure(self, image: Image, hidden: Collection[str] = ()) -> Looks:
        """What search and verification say of the shortlist, before any decision: what a decision is fitted on.

        Nothing is skipped because the embedding is certain; a closer look is taken where a scan would take it.

        Args:
            image: As for `identify`.
            hidden: SKUs that are passed over, as if they were not in the catalogue.

        Raises:
            PictureError: The picture cannot be used.
        """
        return Scan(self._current_session(), self.options, hidden).measure(image)

    def _current_session(self) -> Session:
        if self._followed is None:
            return self._session
        store, generation = self._followed
        if store.is_current(generation):
            return self._session
        with self._swapping:
            store, generation = self._followed
            if not store.is_current(generation):
                generation = store.open_generation()
                same = generation.model.feature_space == self._session.eye.feature_space
                self._session = Session.open(generation, self.options, self._session.eye if same else None)
                self._followed = store, generation  # last: whoever sees it finds its session
            return self._session
