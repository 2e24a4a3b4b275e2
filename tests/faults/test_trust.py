"""Whoever stands between a repository and its devices: mirrors and sticks with old files, mixed files, stolen keys."""

import random
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from tuf.api.metadata import Delegations, Metadata, TargetFile

from skuscan.errors import NetworkError, TrustError
from skuscan.store import Store
from skuscan.sync import SyncLimits, SyncOptions, import_bundle, sync_once
from skuscan.sync.transport import Transport
from skuscan.sync.trust import TrustedMetadata
from skuscan_server.keys import init_keys
from tools.fault_bench.history import State, identity_at, new_site, publish_history
from tools.fault_bench.http import Server
from tools.fault_bench.site import Site
from tools.fault_bench.thief import ONLINE_ROLES, Thief

OFFERS = 1_000
FORGERIES = 1_000
CHAIN = 4  # offers that one device meets
AGES = [timedelta(minutes=minutes) for minutes in range(60, 0, -10)]  # of the publications; all are in date
OPTIONS = SyncOptions(index_policy="download", limits=SyncLimits(attempts=1))
METADATA = "/tuf/default/metadata"
EVIL = b"made by a thief"


@dataclass(frozen=True)
class Between:
    """A repository's whole history, the server that shows any of it, and a device that has the state in the middle."""

    states: list[State]
    server: Server
    site: Site
    folder: Path

    def device(self) -> Store:
        path = self.folder / "device"
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(self.folder / "template", path)
        return Store.open(path)

    def states_of(self, generation: int | None) -> State:
        return next(state for state in self.states if state.generation == generation)


@pytest.fixture(scope="module")
def between(memory: Path, serve: Callable[[Path], Server], tmp_path_factory: pytest.TempPathFactory) -> Between:
    site, clock = new_site(memory / "published", init_keys(tmp_path_factory.mktemp("keys")), AGES[0])
    states = publish_history(site, clock, memory, AGES)
    server = serve(states[len(states) // 2].folder)
    sync_once(Store.create(memory / "template", identity_at(server, site)), OPTIONS, lambda generation: None)
    return Between(states, server, site, memory)


def offer(between: Between, store: Store, rng: random.Random) -> tuple[str, State]:
    """Show a device some state, by some way. Raises what it says to it."""
    kind, state, server = rng.choice(("mirror", "stick", "mix")), rng.choice(between.states), between.server
    server.overlay.clear()
    server.root = state.folder
    if rng.random() < 0.3:
        lose_metadata(store, rng)
    if kind == "mix":
        mix(between, state, rng)
    try:
        if kind == "stick":
            import_bundle(store, state.folder, OPTIONS, lambda generation: None)
        else:
            sync_once(store, OPTIONS, lambda generation: None)
    except TrustError:
        return f"refused {kind}", state
    except NetworkError:
        return f"refused {kind}" if kind == "mix" else "not there", state  # a mixture may lack the file that is named
    return f"taken {kind}", state


def lose_metadata(store: Store, rng: random.Random) -> None:
    """Some of what the device has seen is gone: without it plain TUF would take older versions."""
    for path in sorted((store.path / "tuf").rglob("*")):
        if path.is_file() and rng.random() < 0.5:
            path.unlink()


def mix(between: Between, state: State, rng: random.Random) -> None:
    """Some names of one state hold what a file of the same role held at another time."""
    for path in sorted((state.folder / "tuf" / "default" / "metadata").glob("*.json")):
        role = path.name.removesuffix(".json").rpartition(".")[2]
        if role != "root" and rng.random() < 0.4:
            folder = rng.choice(between.states).folder / "tuf" / "default" / "metadata"
            others = [other for other in folder.glob(f"*{role}.json") if other.name.endswith(f"{role}.json")]
            between.server.overlay[f"{METADATA}/{path.name}"] = rng.choice(sorted(others)).read_bytes()


@pytest.mark.guarantee("G3")
@pytest.mark.guarantee("G5")
def test_no_mirror_no_stick_and_no_mixture_takes_a_device_back(between: Between, faults) -> None:
    met, chains = Counter[str](), faults.count(OFFERS // CHAIN)
    for seed in range(chains):
        rng, store = random.Random(seed), between.device()
        for _ in range(CHAIN):
            before = store.current() or 0
            way, state = offer(between, store, rng)
            met[way] += 1
            assert way != "not there"
            after = store.open_generation()
            assert after.number >= max(before, store.floor()), f"{seed}: {way}"
            assert after.state_digest() == between.states_of(after.number).digest, f"{seed}: {way}"
            if "mix" not in way:
                assert after.number == max(before, state.generation), f"{seed}: {way}"
    between.server.overlay.clear()
    faults.record("G3", "old and mixed offers", offers=chains * CHAIN, taken_back=0, **met)


def forge(thief: Thief, rng: random.Random, other: Site) -> None:
    """Change what a thief would, in as many roles as may be, and sign with what was stolen."""
    own = thief.site.keys.signers(rng.choice(thief.roles), "default")[0]
    targets, models = thief.load("targets"), thief.load("models")
    targets.signed.version += rng.choice((0, 1, 1))
    models.signed.version += rng.choice((0, 1, 1))
    evil = {name: TargetFile.from_data(name, EVIL, ["sha256"]) for name in ("manifest", "model")}
    evil["manifest"].unrecognized_fields["custom"] = {"generation": 1_000}
    for metadata in (targets, models):
        for name in list(evil):
            if rng.random() < 0.5:
                metadata.signed.targets[name] = evil[name]
    if rng.random() < 0.5:  # another key for the role models
        role = targets.signed.delegations.roles["models"]
        role.keyids = [own.public_key.keyid]
        targets.signed.delegations = Delegations({own.public_key.keyid: own.public_key}, {"models": role})
    if rng.random() < 0.5:
        models.sign(own, append=rng.random() < 0.5)
    thief.publish_over(targets=thief.put("targets", targets), models=thief.put("models", models))
    if rng.random() < 0.3:  # a root of his own, or of another assortment under the same root keys
        root = Metadata.from_file(str((rng.choice((thief.site, other))).repository.metadata / "1.root.json"))
        root.signed.version = 2
        root.sign(own, append=rng.random() < 0.5)
        thief.server.overlay[f"{METADATA}/2.root.json"] = root.to_bytes()


@pytest.mark.guarantee("G4")
def test_stolen_online_keys_bring_no_other_root_assortment_or_model(
    between: Between, faults, tmp_path: Path, memory: Path
) -> None:
    site, server, forgeries, met = between.site, between.server, faults.count(FORGERIES), Counter[str]()
    other = Site(memory / "other", site.keys, site.clock, "other")
    server.root = between.states[-1].folder
    model, root = between.states[-1].model, site.repository.root_sha256()
    shutil.copytree(between.device().path / "tuf", tmp_path / "known")
    for seed in range(forgeries):
        rng = random.Random(seed)
        stolen = rng.sample(ONLINE_ROLES, rng.randint(1, 3))
        server.overlay.clear()
        forge(Thief(site, server, *stolen), rng, other)
        shutil.rmtree(tmp_path / "tuf", ignore_errors=True)
        shutil.copytree(tmp_path / "known", tmp_path / "tuf")
        url = f"{server.url}{METADATA}"
        trust = TrustedMetadata(
            tmp_path / "tuf", tmp_path / "work", "default", bytes.fromhex(root), url, Transport(OPTIONS)
        )
        try:
            trusted = trust.refresh(1)
        except TrustError:
            met["refused"] += 1
            continue
        met[f"taken with {len(stolen)} keys"] += 1
        assert trusted.model.sha256 == model, f"{seed}: another model"
        assert trusted.generation <= site.generation or len(stolen) == len(ONLINE_ROLES), f"{seed}: another manifest"
        assert not (tmp_path / "tuf" / "root_history" / "2.root.json").exists(), f"{seed}: another root"
    server.overlay.clear()
    faults.record("G4", "forgeries with stolen online keys", forgeries=forgeries, other_models=0, **met)
