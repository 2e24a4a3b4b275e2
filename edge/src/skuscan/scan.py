"""One picture's way through the stages:

decode -> embed -> search -> (certain? decide) -> keypoints -> votes -> verify the shortlist
       -> (unsure? embed and search the part in which the network sees something, verify what is new) -> decide
"""

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from skuscan.appearance import SCAN_SIDE, Appearance, View, look
from skuscan.appearance import unpack as unpack_appearance
from skuscan.catalogue import Catalogue
from skuscan.decision import Decider, Looks, Measured, Rated
from skuscan.embedding import Embedder, ScanEmbedding
from skuscan.errors import BundleError, FeatureSpaceError, StoreError
from skuscan.focus import is_small
from skuscan.keypoint_extraction import KeypointExtractor
from skuscan.keypoints import Keypoints, unpack
from skuscan.model import Model
from skuscan.picture import fit_longest_side, load_picture
from skuscan.recognition import STAGES, Candidate, Image, Outline, Recognition, RecognizerOptions
from skuscan.runtime import RuntimeOptions
from skuscan.shortlist import Proposal, Shortlister
from skuscan.verification import Geometry, VerificationOptions, project, verify_shortlist


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


@dataclass(frozen=True)
class Session:
    """Everything that belongs to one generation."""

    catalogue: Catalogue
    shortlister: Shortlister
    decider: Decider
    eye: Eye

    @classmethod
    def open(cls, catalogue: Catalogue, options: RecognizerOptions, eye: Eye | None) -> "Session":
        """Open a catalogue, and its model unless that is open. Raises ModelError, FeatureSpaceError."""
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
        """How far ahead of the other one of two SKUs must be (`decision.ahead`); 0: they are no published pair."""
        pair = self.catalogue.pair(sku, other)
        return pair.minimum_margin if pair is not None else 0.0


class Scan:
    """One picture's way through the stages.

    Args:
        session: What answers.
        options: How.
        hidden: SKUs that are passed over.
    """

    def __init__(self, session: Session, options: RecognizerOptions, hidden: Collection[str] = ()) -> None:
        self._session = session
        self._options = options
        self._hidden = hidden
        self._timings: dict[str, float] = {}
        self._names: dict[str, str] = {}
        self._groups: dict[str, str] = {}
        self._outlines: dict[str, Outline] = {}
        self._damaged: set[str] = set()

    def answer(self, image: Image) -> Recognition:
        """See `Recognizer.identify`."""
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

    def measure(self, image: Image) -> Looks:
        """See `Recognizer.measure`."""
        rgb = load_picture(image, self._options.limits)
        whole, nearest = self._search(rgb)
        return self._look(rgb, whole, nearest)[0]

    def _shortlist(self, rgb: npt.NDArray[np.uint8]) -> list[Rated]:
        """The search's proposals, verified unless the embedding alone is certain."""
        whole, nearest = self._search(rgb)
        alone = self._options.mode == "embedding"
        if alone or self._session.decider.may_be_certain:
            with self._timed("decide"):
                rated = self._session.decider.rate(self._with_products(nearest))
            if alone or self._session.decider.is_certain(rated):
                return rated
        return self._look(rgb, whole, nearest)[1]

    def _rated(self, measured: Sequence[Measured]) -> list[Rated]:
        with self._timed("decide"):
            return self._session.decider.rate(measured)

    def _search(self, rgb: npt.NDArray[np.uint8]) -> tuple[ScanEmbedding, list[Proposal]]:
        with self._timed("embed"):
            whole = self._session.eye.embedder.embed_scan(rgb)
        with self._timed("search"):
            return whole, self._session.shortlister.nearest(whole.vector, self._options.shortlist, self._hidden)

    def _look(
        self, rgb: npt.NDArray[np.uint8], whole: ScanEmbedding, nearest: Sequence[Proposal]
    ) -> tuple[Looks, list[Rated]]:
        """The shortlist by embedding and keypoints, verified; a closer look where that leaves the decision unsure."""
        with self._timed("keypoints"):
            query = self._session.eye.keypoints.query(rgb)
        with self._timed("search"):
            shortlist = self._session.shortlister.with_votes(nearest, whole.vector, query, self._hidden)
        first = self._verified(rgb, query, shortlist)
        rated = self._rated(first)
        if not self._session.decider.is_unsure(rated):
            return Looks(tuple(first)), rated
        left, top, right, bottom = whole.part
        with self._timed("embed"):
            part = self._session.eye.embedder.embed(rgb[top:bottom, left:right])
        with self._timed("search"):
            every = self._session.shortlister.closer(
                shortlist,
                whole.vector,
                part,
                self._options.shortlist,
                self._hidden,
                part_counts=is_small(whole.part, *rgb.shape[:2]),
            )
        similarity = {proposal.sku: proposal.similarity for proposal in every}
        again = [replace(measured, similarity=similarity[measured.sku]) for measured in first]
        closer = again + self._verified(rgb, query, every[len(shortlist) :])
        return Looks(tuple(first), tuple(closer)), self._rated(closer)

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
        """The proposals with their products' groups; those whose product is damaged are left out."""
        for sku in {proposal.sku for proposal in proposals} - self._groups.keys():
            try:
                product = self._session.catalogue.product(sku)
            except StoreError:
                self._damaged.add(sku)
                continue
            self._names[sku], self._groups[sku] = (product.name, product.group) if product is not None else ("", "")
        return [Measured(p.sku, self._groups[p.sku], p.similarity) for p in proposals if p.sku in self._groups]

    def _verified(self, rgb: npt.NDArray[np.uint8], query: Keypoints, proposals: Sequence[Proposal]) -> list[Measured]:
        """The proposals with the geometry and view of their best row; those with a damaged record are left out."""
        options = self._session.eye.verification
        with self._timed("verify"):
            measured, rows = self._with_products(proposals), {proposal.sku: proposal.rows for proposal in proposals}
            references = [(m.sku, row, self._keypoints(m.sku, row)) for m in measured for row in rows[m.sku]]
            if self._options.mode == "keypoints_all":
                options = replace(options, finalists=len(references), finalist_share=0.0)
            best: dict[str, Geometry] = {}
            views: dict[str, View | None] = {}
            small = fit_longest_side(rgb, SCAN_SIDE)
            geometries = verify_shortlist(query, [keypoints for _, _, keypoints in references], options)
            for (sku, row, reference), geometry in zip(references, geometries, strict=True):
                if sku not in best or geometry.strength > best[sku].strength:
                    best[sku] = geometry
                    appearance = self._appearance(sku, row) if geometry.homography is not None else None
                    views[sku] = look(small, (query.width, query.height), appearance, geometry.homography)
                    self._outline(sku, reference, geometry, max(rgb.shape[:2]) / max(query.width, query.height))
        return [replace(m, geometry=best[m.sku], view=views[m.sku]) for m in measured if m.sku not in self._damaged]

    def _keypoints(self, sku: str, row: int) -> Keypoints:
        try:
            return unpack(self._session.catalogue.reference(row).keypoints)
        except (StoreError, BundleError):
            self._damaged.add(sku)
            return Keypoints.empty()

    def _appearance(self, sku: str, row: int) -> Appearance | None:
        try:
            return unpack_appearance(self._session.catalogue.reference(row).appearance)
        except (StoreError, BundleError):
            self._damaged.add(sku)
            return None

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
