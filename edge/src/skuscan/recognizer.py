"""The one place that strings the stages together: picture -> answer.

    decode -> embed -> search -> (certain? decide) -> keypoints -> votes -> verify the shortlist
           -> (unsure? embed, search and verify what the middle of the picture proposes) -> decide

A scan takes its catalogue once and keeps it to the end, so an activation changes the answer between two scans, never
within one.
"""

import threading
import time
import weakref
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from skuscan.appearance import SCAN_SIDE, Appearance, View, look
from skuscan.appearance import unpack as unpack_appearance
from skuscan.catalogue import Catalogue
from skuscan.decision import Decider, Decision, Evidence, Measured, Rated
from skuscan.embedding import Embedder
from skuscan.errors import BundleError, ConfigError, FeatureSpaceError, StoreError
from skuscan.keypoints import KeypointExtractor, Keypoints, unpack
from skuscan.model import Model
from skuscan.picture import PictureLimits, centre, fit_longest_side, load_picture
from skuscan.runtime import RuntimeOptions
from skuscan.shortlist import Proposal, Shortlister
from skuscan.store import Generation, Store
from skuscan.store.sweeper import Sweeper
from skuscan.verification import Geometry, VerificationOptions, project, verify_shortlist

Mode = Literal["full", "embedding", "keypoints_all"]
Image = str | Path | bytes | npt.NDArray[np.uint8]
Outline = npt.NDArray[np.float32]

STAGES = ("decode", "embed", "search", "keypoints", "verify", "decide")
CLOSER_SHARE = 0.55  # of both sides of a picture: the part of a closer look; chosen on training pictures


@dataclass(frozen=True)
class RecognizerOptions:
    """How a recogniser works.

    Attributes:
        shortlist: SKUs that the search proposes and verification looks at, the few best of them closely.
        mode: "full"; "embedding" verifies nothing, "keypoints_all" verifies every reference and leaves the embedding
            out: both are for evaluation, and the latter is slow.
        runtime: What runs the network.
        limits: Pictures that are refused.
        sweep_seconds: Between two sweeps of a followed store for damage, by this process or another.
    """

    shortlist: int = 20
    mode: Mode = "full"
    runtime: RuntimeOptions = field(default_factory=RuntimeOptions)
    limits: PictureLimits = field(default_factory=PictureLimits)
    sweep_seconds: float = 86_400.0

    def __post_init__(self) -> None:
        if self.shortlist < 1:
            raise ConfigError("a shortlist has at least one SKU", str(self.shortlist))


@dataclass(frozen=True)
class Candidate:
    """A product that the scan may show.

    Attributes:
        sku: Its key.
        name: For people; empty when the catalogue has no product record.
        probability: Calibrated, 0 to 1.
        evidence: What was measured.
        outline: (4, 2) float32, px of the scanned picture: where the reference's printed part lies; None: not found.
    """

    sku: str
    name: str
    probability: float
    evidence: Evidence
    outline: Outline | None


@dataclass(frozen=True)
class Recognition:
    """The answer to one scan.

    Attributes:
        decision: What was decided.
        candidates: Most probable first.
        generation: The number of the generation that answered.
        timings: Milliseconds by stage, in the order of `STAGES`; stages not run are missing.
        damaged: SKUs left out because their records are damaged on this disk.
    """

    decision: Decision
    candidates: tuple[Candidate, ...]
    generation: int
    timings: Mapping[str, float]
    damaged: tuple[str, ...] = ()


@dataclass(frozen=True)
class Eye:
    """A model opened for scanning: one embedder and one keypoint extractor of one feature space. Safe in any thread."""

    feature_space: bytes
    embedder: Embedder
    keypoints: KeypointExtractor
    verification: VerificationOptions

    @classmethod
    def open(cls, model: Model, options: RuntimeOptions) -> "Eye":
        """Open a model. Raises ModelError when it cannot be used."""
        spec = model.artifact.keypoints
        return cls(
            model.feature_space,
            Embedder.open(model, options),
            KeypointExtractor(spec),
            VerificationOptions(scale_factor=spec.scale_factor),
        )


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
        self._session = _Session.open(catalogue, self.options, eye)

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
        return _Scan(self._current_session(), self.options).answer(image)

    def measure(self, image: Image, hidden: Collection[str] = ()) -> list[Measured]:
        """What search and verification say of the shortlist, before any decision: what a decision is fitted on.

        Nothing is skipped because the embedding is certain; a closer look is taken where a scan would take it.

        Args:
            image: As for `identify`.
            hidden: SKUs that are passed over, as if they were not in the catalogue.

        Raises:
            PictureError: The picture cannot be used.
        """
        return _Scan(self._current_session(), self.options, hidden).measure(image)

    def _current_session(self) -> "_Session":
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
                self._session = _Session.open(generation, self.options, self._session.eye if same else None)
                self._followed = store, generation  # last: whoever sees it finds its session
            return self._session


@dataclass(frozen=True)
class _Session:
    """Everything that belongs to one generation."""

    catalogue: Catalogue
    shortlister: Shortlister
    decider: Decider
    eye: Eye

    @classmethod
    def open(cls, catalogue: Catalogue, options: RecognizerOptions, eye: Eye | None) -> "_Session":
        model = catalogue.model
        eye = eye or Eye.open(model, options.runtime)
        if eye.feature_space != model.feature_space:
            raise FeatureSpaceError(
                "a scan and its catalogue are of one feature space",
                f"{eye.feature_space.hex()[:12]} and {model.feature_space.hex()[:12]}",
            )
        decider = Decider(model.artifact.decision, catalogue.calibration)
        return cls(catalogue, Shortlister(catalogue), decider, eye)

    def pair_margin(self, sku: str, other: str) -> float:
        pair = self.catalogue.pair(sku, other)
        return pair.minimum_margin if pair is not None else 0.0


class _Scan:
    """One picture's way through the stages."""

    def __init__(self, session: _Session, options: RecognizerOptions, hidden: Collection[str] = ()) -> None:
        self._session = session
        self._options = options
        self._hidden = hidden
        self._timings: dict[str, float] = {}
        self._names: dict[str, str] = {}
        self._outlines: dict[str, Outline] = {}
        self._damaged: set[str] = set()

    def answer(self, image: Image) -> Recognition:
        with self._timed("decode"):
            rgb = load_picture(image, self._options.limits)
        rated = self._everything(rgb) if self._options.mode == "keypoints_all" else self._shortlist(rgb)
        session = self._session
        with self._timed("decide"):
            decision = session.decider.decide(rated, session.pair_margin)
        candidates = tuple(
            Candidate(r.sku, self._names[r.sku], r.probability, r.evidence, self._outlines.get(r.sku)) for r in rated
        )
        damaged = tuple(sorted(self._damaged))
        timings = {stage: self._timings[stage] for stage in STAGES if stage in self._timings}
        return Recognition(decision, candidates, session.catalogue.number, timings, damaged)

    def measure(self, image: Image) -> list[Measured]:
        rgb = load_picture(image, self._options.limits)
        vector, nearest = self._search(rgb)
        return self._look(rgb, vector, nearest)[0]

    def _shortlist(self, rgb: npt.NDArray[np.uint8]) -> list[Rated]:
        """The search's proposals, verified unless the embedding alone is certain."""
        vector, nearest = self._search(rgb)
        rated = self._rated(self._with_products(nearest))
        if self._options.mode == "embedding" or self._session.decider.is_certain(rated):
            return rated
        return self._look(rgb, vector, nearest)[1]

    def _rated(self, measured: Sequence[Measured]) -> list[Rated]:
        with self._timed("decide"):
            return self._session.decider.rate(measured)

    def _search(self, rgb: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.float32], list[Proposal]]:
        with self._timed("embed"):
            vector = self._session.eye.embedder.embed(rgb)
        with self._timed("search"):
            return vector, self._session.shortlister.nearest(vector, self._options.shortlist, self._hidden)

    def _look(
        self, rgb: npt.NDArray[np.uint8], vector: npt.NDArray[np.float32], nearest: Sequence[Proposal]
    ) -> tuple[list[Measured], list[Rated]]:
        """The shortlist by embedding and keypoints, verified; a longer one where that leaves the decision unsure."""
        with self._timed("keypoints"):
            query = self._session.eye.keypoints.query(rgb)
        with self._timed("search"):
            shortlist = self._session.shortlister.with_votes(nearest, vector, query, self._hidden)
        measured = self._verified(rgb, query, shortlist)
        rated = self._rated(measured)
        if not self._session.decider.is_unsure(rated):
            return measured, rated
        with self._timed("embed"):
            part = self._session.eye.embedder.embed(centre(rgb, CLOSER_SHARE))
        with self._timed("search"):
            count = self._options.shortlist
            more = self._session.shortlister.closer(shortlist, vector, part, count, self._hidden)
        measured += [replace(m, closer=True) for m in self._verified(rgb, query, more)]
        return measured, self._rated(measured)

    def _everything(self, rgb: npt.NDArray[np.uint8]) -> list[Rated]:
        """Every SKU by its best verified reference; the embedding says nothing."""
        catalogue = self._session.catalogue
        rows: dict[str, list[int]] = {}
        base = [int(row) for row in np.flatnonzero(~catalogue.withdrawn)]
        delta = range(len(catalogue.withdrawn), len(catalogue.withdrawn) + len(catalogue.delta_embeddings))
        for row in (*base, *delta):
            rows.setdefault(catalogue.sku_of_row(row), []).append(row)
        with self._timed("keypoints"):
            query = self._session.eye.keypoints.query(rgb)
        everything = [Proposal(sku, 0.0, tuple(of_sku)) for sku, of_sku in rows.items()]
        return self._rated(self._verified(rgb, query, everything))

    def _with_products(self, proposals: Sequence[Proposal]) -> list[Measured]:
        measured = []
        for proposal in proposals:
            try:
                product = self._session.catalogue.product(proposal.sku)
            except StoreError:
                self._damaged.add(proposal.sku)
                continue
            self._names[proposal.sku] = product.name if product is not None else ""
            group = product.group if product is not None else ""
            measured.append(Measured(proposal.sku, group, proposal.similarity))
        return measured

    def _verified(self, rgb: npt.NDArray[np.uint8], query: Keypoints, proposals: Sequence[Proposal]) -> list[Measured]:
        """The proposals with the geometry and view of their best row; those with a damaged record are left out."""
        options = self._session.eye.verification
        with self._timed("verify"):
            measured, rows = self._with_products(proposals), {proposal.sku: proposal.rows for proposal in proposals}
            references = [(m.sku, *self._stored(m.sku, row)) for m in measured for row in rows[m.sku]]
            if self._options.mode == "keypoints_all":
                options = replace(options, finalists=len(references), finalist_share=0.0)
            best: dict[str, Geometry] = {}
            views: dict[str, View | None] = {}
            small = fit_longest_side(rgb, SCAN_SIDE)
            geometries = verify_shortlist(query, [keypoints for _, keypoints, _ in references], options)
            for (sku, reference, appearance), geometry in zip(references, geometries, strict=True):
                if sku not in best or geometry.strength > best[sku].strength:
                    best[sku] = geometry
                    views[sku] = look(small, (query.width, query.height), appearance, geometry.homography)
                    self._outline(sku, reference, geometry, max(rgb.shape[:2]) / max(query.width, query.height))
        return [replace(m, geometry=best[m.sku], view=views[m.sku]) for m in measured if m.sku not in self._damaged]

    def _stored(self, sku: str, row: int) -> tuple[Keypoints, Appearance | None]:
        try:
            reference = self._session.catalogue.reference(row)
            return unpack(reference.keypoints), unpack_appearance(reference.appearance)
        except (StoreError, BundleError):
            self._damaged.add(sku)
            return Keypoints.empty(), None

    def _outline(self, sku: str, reference: Keypoints, geometry: Geometry, pixels_per_unit: float) -> None:
        if geometry.homography is None:
            return
        (left, top), (right, bottom) = reference.xy.min(axis=0), reference.xy.max(axis=0)
        corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
        self._outlines[sku] = (project(geometry.homography, corners) * pixels_per_unit).astype(np.float32)

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self._timings[stage] = self._timings.get(stage, 0.0) + (time.perf_counter() - start) * 1000  # ms
