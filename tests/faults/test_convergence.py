"""G15: whatever happens in whatever order, a device that can reach the server again holds what was published last.

Hypothesis draws the order: catalogue changes, publications, compactions, other models, kills of the scheduler and of
devices at any step, partitions, damage. The server is the real Flask application on a socket; publisher, scheduler and
devices are real processes.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from skuscan.errors import SkuscanError
from skuscan.proto.catalogue_pb2 import FileRef
from skuscan.store import Generation, Store
from skuscan.store.generation import CONTENTS_FILE
from skuscan.sync import SyncOptions, enrol
from skuscan_server.access.devices import create_enrolment_token
from skuscan_server.catalogue.assortments import DEFAULT
from skuscan_server.config import ServerConfig
from skuscan_server.db.session import Database
from skuscan_server.repository import TufRepository
from tools.fault_bench.device import needed
from tools.fault_bench.model import write_model
from tools.fault_bench.web import Web
from tools.fault_bench.worker import Outcome, Worker

STEPS = 1_500
STEPS_OF_AN_EXAMPLE = 30
SKUS = [f"sku-{letter}" for letter in "abcdef"]
MODELS = ("one", "other")
DEVICES = ("till", "kiosk")
UNREACHABLE = ("NetworkError", "PassingError")  # how errors of a partition begin
LATEST_STEP = 220  # a base's publication takes about as many, an activation about half

skus = st.sampled_from(SKUS)
devices = st.sampled_from(DEVICES)
kills = st.integers(1, LATEST_STEP)


def read_at_opening(generation: Generation) -> list[FileRef]:
    """The blobs without which a generation cannot be opened, though its folder is whole."""
    name, artifact = generation.contents.name, generation.model.artifact
    return [name.manifest, name.model, artifact.backbone, artifact.head]


@dataclass
class Shop:
    """One server and the processes that work for it and for its devices.

    Attributes:
        worker: Where jobs are done, and killed.
        template: The data folder of a server that was set up.
        data: The server's data folder, at one path for all examples, so that the worker stays warm.
        models: The folders of two models.
        web: The Flask application.
        stores: The devices' stores.
        figures: What was done, by its name.
    """

    worker: Worker
    template: Path
    data: Path
    models: dict[str, Path]
    web: Web
    stores: Path
    figures: dict[str, int] = field(default_factory=dict)

    def reset(self) -> None:
        """The server as it was set up, and two new devices."""
        self.web.stop()
        for folder in (self.data, self.stores):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.template, self.data)
        self.stores.mkdir()
        self.web.start()
        for name in DEVICES:
            enrol(self.web.url, self._token(), self.stores / name, name, SyncOptions())

    def count(self, done: str) -> None:
        """Once more."""
        self.figures[done] = self.figures.get(done, 0) + 1

    def _token(self) -> str:
        database = Database(ServerConfig(data_folder=self.data).url)
        repository = self.web.services.repository(DEFAULT)
        with database.write() as session:
            return str(create_enrolment_token(session, DEFAULT, repository.root_sha256(), 1.0))

    @property
    def repository(self) -> TufRepository:
        return self.web.services.repository(DEFAULT)


class Fleet(RuleBasedStateMachine):
    """A server, its catalogue as it should be, and two devices."""

    shop: ClassVar[Shop]

    @initialize()
    def set_up(self) -> None:
        self.shop.reset()
        self.model = "one"
        self.prices: dict[str, int] = {}  # the catalogue
        self.published: dict[str, int] = {}  # what was published last, as far as no kill leaves it open
        self.is_leased = False  # perhaps: a builder was killed
        self.changes = 0
        self.seen = 0
        self._put("sku-a")
        self.publish()

    @rule(sku=skus)
    def change(self, sku: str) -> None:
        self._put(sku)

    @rule()
    def change_all(self) -> None:
        self._put(*SKUS)

    @precondition(lambda self: len(self.prices) > 1)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        sku = data.draw(st.sampled_from(sorted(self.prices)))
        self._server("withdraw", sku=sku)
        del self.prices[sku]

    @rule()
    def publish(self) -> None:
        self._server("publish")
        self.published = dict(self.prices)

    @rule()
    def compact(self) -> None:
        self._server("publish", force="base")
        self.published = dict(self.prices)

    @rule()
    def look_as_the_scheduler(self) -> None:
        self._look()

    @rule(step=kills)
    def kill_the_scheduler(self, step: int) -> None:
        """It may be killed before or after the moment at which its publication is there."""
        self._look(kill_at=step)

    @rule()
    def set_another_model(self) -> None:
        self.model = next(name for name in MODELS if name != self.model)
        self._put("sku-a")

    @rule(device=devices)
    def sync(self, device: str) -> None:
        self._device("sync", device)

    @rule(device=devices, step=kills)
    def kill_a_sync(self, device: str, step: int) -> None:
        self._device("sync", device, kill_at=step)

    @rule()
    def part(self) -> None:
        self.shop.web.stop()

    @rule()
    def join(self) -> None:
        self.shop.web.start()

    @rule(device=devices, data=st.data())
    def damage(self, device: str, data: st.DataObject) -> None:
        """The live generation's folder and a file that it is made of. The one before answers, unless it shares that
        file and opening reads it; either way until the next sync.
        """
        store = Store.open(self.shop.stores / device)
        current = store.read_current()
        try:
            generations = [store.open_generation(name.number) for name in (current.names() if current else [])]
        except SkuscanError:
            return  # of an earlier damage
        if len(generations) < 2:  # no generation before
            return
        live, previous = generations
        files = needed(live)
        file = files[data.draw(st.integers(0, len(files) - 1))]
        harm = data.draw(st.sampled_from([b"damaged", bytes(file.length)]))
        store.blobs.path(file).write_bytes(harm)
        (live.folder / CONTENTS_FILE).write_bytes(b"damaged")
        if file in read_at_opening(previous):
            with pytest.raises(SkuscanError, match=file.sha256.hex()):
                Store.open(store.path).open_generation()
        else:
            assert Store.open(store.path).open_generation().degraded
        self.shop.count("damage to a file of both" if file in needed(previous) else "damage to a file of one")

    @rule(device=devices)
    def bring_a_stick(self, device: str) -> None:
        """The published folder as it is now, by hand."""
        self._device("take_bundle", device, bundle=str(self.shop.data / "published"))

    @rule(device=devices)
    def reach(self, device: str) -> None:
        """The promise: a device that reaches the server holds what was published last."""
        self.shop.web.start()
        store = Store.open(self.shop.stores / device)
        self._device("sync", device)
        if self._live() in store.rejected():  # it was killed twice on its trial: the next publication is tried (G6)
            self._server("publish", force="delta")
            self.published = dict(self.prices)
            self._device("sync", device)
        generation = store.open_generation()
        assert generation.number == self._live()
        assert not generation.degraded
        assert generation.state_digest() == generation.manifest.state_digest
        held = {product.sku: product.attributes["price"].money.minor_units for product in generation.products()}
        assert held == self.published

    @invariant()
    def versions_only_grow(self) -> None:
        assert self._live() >= self.seen
        self.seen = self._live()

    @invariant()
    def no_device_is_ahead_of_the_server(self) -> None:
        for name in DEVICES:
            assert (Store.open(self.shop.stores / name).current() or 0) <= self.seen

    def teardown(self) -> None:
        if hasattr(self, "model"):
            for device in DEVICES:
                self.reach(device)

    def _put(self, *names: str) -> None:
        self.changes += 1
        prices = {sku: 100 * self.changes + place for place, sku in enumerate(names)}
        self._server("put", prices=prices, picture=f"picture {self.changes % 3}")
        self.prices |= prices

    def _look(self, kill_at: int | None = None) -> None:
        """A builder that was killed keeps its lease for a while, in which a look finds it busy and does nothing."""
        before = self._live()
        killed = self._server("tick", kill_at=kill_at).killed
        is_new = self._live() > before
        if is_new or not (killed or self.is_leased):
            self.published = dict(self.prices)
        self.is_leased = killed or (self.is_leased and not is_new)

    def _live(self) -> int:
        live = self.shop.repository.live_version()
        return live.generation if live else 0

    def _server(self, work: str, kill_at: int | None = None, **arguments: Any) -> Outcome:
        model = str(self.shop.models[self.model])
        return self._do(work, kill_at, data=str(self.shop.data), model=model, **arguments)

    def _device(self, work: str, device: str, kill_at: int | None = None, **arguments: Any) -> Outcome:
        return self._do(work, kill_at, store=str(self.shop.stores / device), **arguments)

    def _do(self, work: str, kill_at: int | None, **arguments: Any) -> Outcome:
        outcome = self.shop.worker.do(work, kill_at=kill_at, **arguments)
        self.shop.count(f"killed {work}" if outcome.killed else work)
        assert not outcome.error.startswith("a bug"), outcome.error
        if not self.shop.web.runs and work == "sync":
            assert outcome.killed or outcome.error.startswith(UNREACHABLE)
        else:
            assert not outcome.error, outcome.error
        return outcome


@pytest.fixture(scope="module")
def shop(memory: Path) -> Iterator[Shop]:
    models = {name: write_model(memory / name, name) for name in MODELS}
    template, data = memory / "template", memory / "server"
    config = ServerConfig(
        data_folder=data, model_folder=models["one"], annoy_from=1, device_rate=1_000.0, device_burst=1_000
    )
    with Worker() as worker, Web(config) as web:
        worker.do_here("set_up", data=str(data), model=str(models["one"]))
        shutil.copytree(data, template)
        for model in models.values():  # each job once: what is done first compiles its statements
            worker.warm(str(data), str(model))
        yield Shop(worker, template, data, models, web, memory / "stores")


# Werkzeug leaves the file that it was sending to the garbage collector when a killed device resets its connection.
@pytest.mark.filterwarnings("ignore:unclosed file .*/published/:ResourceWarning")
@pytest.mark.guarantee("G15")
def test_a_device_that_reaches_the_server_holds_what_was_published_last(shop: Shop, faults) -> None:
    Fleet.shop = shop
    examples = max(1, faults.count(STEPS) // STEPS_OF_AN_EXAMPLE)
    run_state_machine_as_test(
        Fleet,
        settings=settings(
            max_examples=examples,
            stateful_step_count=STEPS_OF_AN_EXAMPLE,
            deadline=None,
            database=None,
            phases=[Phase.generate],  # to shrink a sequence of processes takes hours; as it was drawn it can be read
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
    faults.record("G15", "sequences", sequences=examples, bad=0, **dict(sorted(shop.figures.items())))
