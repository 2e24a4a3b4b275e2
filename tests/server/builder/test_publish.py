import json
import shutil
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import pytest

from skuscan.catalogue import stored_vectors
from skuscan.embedding import dequantize
from skuscan.index import AnnoyIndex, Query
from skuscan.model import EMBEDDING_SIZE, Model, parse_artifact
from skuscan.proto.catalogue_pb2 import RECORD_KIND_PRODUCT, RECORD_KIND_REFERENCE, Product, Reference
from skuscan_server.builder import publish as publish_module
from skuscan_server.catalogue import products
from skuscan_server.catalogue.assortments import set_members
from skuscan_server.catalogue.values import money
from skuscan_server.db.lock import builder_lock
from skuscan_server.db.models import Assortment
from skuscan_server.errors import BusyError, PublishError
from skuscan_server.services import Services
from tools.fault_bench.disks import Killed

Rows = list[dict[str, Any]]
Read = Callable[[], Any]


@pytest.fixture
def imported(import_rows: Callable[[Rows], object], five_products: Rows) -> None:
    import_rows(five_products)


def set_price(services: Services, sku: str, amount: str) -> None:
    with services.database.write() as session:
        products.set_attribute(session, sku, "price", money(amount, "EUR"))


def withdraw(services: Services, sku: str) -> None:
    with services.database.write() as session:
        products.withdraw(session, sku)


@pytest.mark.usefixtures("imported")
def test_the_first_publication_is_a_base_of_everything(services: Services, published: Read) -> None:
    done = services.publish("default")
    assert done is not None
    assert (done.kind, done.products, done.references) == ("base", 5, 5)
    state = published()
    assert state.skus == {f"SKU-{n}" for n in range(1, 6)}
    assert state.manifest.generation == done.generation
    assert not state.manifest.delta_segments


@pytest.mark.usefixtures("imported")
def test_an_unchanged_catalogue_is_not_published_again_unless_asked(services: Services) -> None:
    first = services.publish("default")
    assert services.publish("default") is None
    forced = services.publish("default", force="delta")
    assert first is not None
    assert forced is not None
    assert forced.generation > first.generation


@pytest.mark.usefixtures("imported")
def test_a_price_moves_under_300_bytes(services: Services, published: Read) -> None:
    services.publish("default")
    set_price(services, "SKU-1", "2.49")
    done = services.publish("default")
    assert done is not None
    assert (done.kind, done.put, done.withdrawn) == ("delta", 1, 0)
    state = published()
    (segment,) = state.manifest.delta_segments
    assert segment.file.length < 300
    price = Product.FromString(state.records[RECORD_KIND_PRODUCT, "SKU-1"]).attributes["price"]
    assert price.money.minor_units == 249


@pytest.mark.guarantee("G7")
def test_deltas_come_to_the_same_state_as_a_new_base(
    services: Services, executor: Executor, import_rows: Callable[[Rows], object], published: Read
) -> None:
    rows = [{"sku": f"SKU-{n}", "name": f"Product {n}", "image": f"{n}.jpg"} for n in range(1, 20)]
    import_rows(rows)
    never_compacts = Services(services.config.model_copy(update={"compaction_share": 1.0}), executor)
    never_compacts.publish("default")
    set_price(services, "SKU-1", "2.49")
    assert never_compacts.publish("default").kind == "delta"  # type: ignore[union-attr]
    withdraw(services, "SKU-2")  # with all its pairs
    assert never_compacts.publish("default").kind == "delta"  # type: ignore[union-attr]
    by_deltas = published()
    done = services.publish("default", force="base")
    assert done is not None
    assert done.kind == "base"
    by_base = published()
    assert not by_base.manifest.delta_segments
    assert by_base.records == by_deltas.records
    assert by_base.manifest.state_digest == by_deltas.manifest.state_digest


@pytest.mark.usefixtures("imported")
def test_large_changes_make_a_new_base(services: Services, published: Read) -> None:
    services.publish("default")
    for number in (1, 2):
        withdraw(services, f"SKU-{number}")
    done = services.publish("default")
    assert done is not None
    assert done.kind == "base"
    assert published().skus == {"SKU-3", "SKU-4", "SKU-5"}


@pytest.mark.usefixtures("imported")
def test_items_of_the_annoy_file_are_the_references_vectors_in_key_order(services: Services, published: Read) -> None:
    services.publish("default")
    state = published()
    keys = sorted(key for kind, key in state.records if kind == RECORD_KIND_REFERENCE)
    references = [Reference.FromString(state.records[RECORD_KIND_REFERENCE, key]) for key in keys]
    vectors = stored_vectors([reference.embedding for reference in references]).reshape(-1, EMBEDDING_SIZE)
    index = AnnoyIndex(services.published.check(state.manifest.annoy.file), vectors)
    for number, vector in enumerate(vectors):
        nearest, similarities = index.nearest(Query.of(dequantize(vector)), 1)
        assert (nearest[0], round(float(similarities[0]), 3)) == (number, 1.0)


@pytest.mark.usefixtures("imported")
@pytest.mark.parametrize("more", [0, 1])
def test_a_base_has_an_annoy_file_from_so_many_references_on(
    services: Services, executor: Executor, published: Read, more: int
) -> None:
    references = services.publish("default").references
    config = services.config.model_copy(update={"annoy_from": references + more})
    Services(config, executor).publish("default", force="base")
    assert published().manifest.HasField("annoy") == (not more)


@pytest.mark.usefixtures("imported")
def test_the_published_model_is_the_one_that_made_the_features(services: Services, published: Read) -> None:
    services.publish("default")
    manifest = published().manifest
    target = services.repository("default").targets / f"{manifest.model_sha256.hex()}.model"
    model = Model.open(parse_artifact(target.read_bytes()), services.published.check)
    assert model.feature_space == manifest.feature_space


@pytest.mark.usefixtures("imported")
def test_probes_have_a_clear_answer_and_the_server_s_own_embedding(services: Services, published: Read) -> None:
    services.publish("default")
    state = published()
    assert len(state.manifest.probes) == services.config.probes
    for probe in state.manifest.probes:
        assert probe.sku in state.skus
        assert services.published.read(probe.picture).startswith(b"RIFF")
    services.publish("default", force="delta")
    assert list(published().manifest.probes) == list(state.manifest.probes)


@pytest.mark.usefixtures("imported")
def test_every_product_has_its_display_picture(services: Services, published: Read) -> None:
    services.publish("default")
    for (kind, _), data in published().records.items():
        if kind == RECORD_KIND_PRODUCT:
            assert services.published.is_intact(Product.FromString(data).display)


@pytest.mark.usefixtures("imported")
def test_a_smaller_assortment_shares_the_records_of_a_larger_one(services: Services) -> None:
    services.publish("default")
    services.create_assortment("store-17", "test")
    with services.database.write() as session:
        set_members(session, "store-17", ["SKU-1", "SKU-2"])
    before = len(list(services.published.files()))
    done = services.publish("store-17")
    assert done is not None
    assert (done.products, done.references) == (2, 2)
    assert len(list(services.published.files())) <= before + 4  # segments of two or three kinds, and an index


@pytest.mark.usefixtures("imported")
def test_a_wider_rollout_is_published_though_no_product_changed(services: Services, published: Read) -> None:
    services.publish("default")
    with services.database.write() as session:
        session.get_one(Assortment, "default").rollout_percent = 10
    assert services.publish("default") is not None
    assert published().manifest.rollout_percent == 10


def test_an_empty_assortment_is_not_published_at_first(services: Services) -> None:
    with pytest.raises(PublishError, match="import a catalogue"):
        services.publish("default")


@pytest.mark.usefixtures("imported")
def test_the_last_product_can_be_withdrawn(services: Services, published: Read) -> None:
    services.publish("default")
    for number in range(1, 6):
        withdraw(services, f"SKU-{number}")
    services.publish("default")
    assert published().records == {}


@pytest.mark.usefixtures("imported")
@pytest.mark.guarantee("G19")
def test_a_second_builder_is_refused(services: Services) -> None:
    with builder_lock(services.database, "default", 30.0), pytest.raises(BusyError):
        services.publish("default")


def publish_and_kill(services: Services, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Publish, and end before a step as a kill would."""

    def kill(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(publish_module, step, kill)
        with pytest.raises(Killed):
            services.publish("default")


@pytest.mark.usefixtures("imported")
@pytest.mark.guarantee("G18")
@pytest.mark.parametrize("step", ["serialize_manifest", "note_publication"])
def test_a_publication_that_was_killed_is_made_up_for(
    services: Services, published: Read, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    services.publish("default")
    before = published()
    set_price(services, "SKU-1", "2.49")
    publish_and_kill(services, monkeypatch, step)
    seen = published()  # complete in any case: the old one or the new one
    assert (seen.records == before.records) == (step == "serialize_manifest")
    set_price(services, "SKU-1", "3.99")
    services.publish("default")
    after = published()
    assert after.manifest.generation > seen.manifest.generation
    price = Product.FromString(after.records[RECORD_KIND_PRODUCT, "SKU-1"]).attributes["price"]
    assert price.money.minor_units == 399


@pytest.mark.usefixtures("imported")
@pytest.mark.guarantee("G18")
def test_what_devices_see_is_put_right_when_a_killed_publication_s_change_was_taken_back(
    services: Services, published: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_price(services, "SKU-1", "1.00")
    services.publish("default")
    set_price(services, "SKU-1", "2.49")
    publish_and_kill(services, monkeypatch, "note_publication")
    set_price(services, "SKU-1", "1.00")
    assert services.publish("default") is not None
    price = Product.FromString(published().records[RECORD_KIND_PRODUCT, "SKU-1"]).attributes["price"]
    assert price.money.minor_units == 100


@pytest.mark.usefixtures("imported")
@pytest.mark.guarantee("G18")
def test_generations_grow_across_a_restore_from_a_backup(
    services: Services, published: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.publish("default")
    backup = tmp_path / "backup"
    shutil.copytree(services.config.data_folder, backup)
    lost = [services.publish("default", force="delta") for _ in range(3)]
    shutil.rmtree(services.config.data_folder)
    shutil.copytree(backup, services.config.data_folder)
    later = publish_module.time.time() + 60
    monkeypatch.setattr(publish_module.time, "time", lambda: later)
    done = services.publish("default", force="delta")
    assert done is not None
    assert done.generation > max(publication.generation for publication in lost if publication)


@pytest.mark.usefixtures("imported")
def test_another_feature_space_makes_a_new_base(
    services: Services, published: Read, tmp_path: Path, executor: Any
) -> None:
    services.publish("default")
    before = published().manifest
    folder = tmp_path / "model"
    shutil.copytree(services.config.model_folder, folder)
    artifact = json.loads((folder / "artifact.json").read_text())
    artifact["keypoints"][
        "reference_keypoints" if "reference_keypoints" in artifact["keypoints"] else "referenceKeypoints"
    ] = 100
    (folder / "artifact.json").write_text(json.dumps(artifact))
    other = Services(services.config.model_copy(update={"model_folder": folder}), executor)
    done = other.publish("default")
    assert done is not None
    assert done.kind == "base"
    after = published().manifest
    assert after.feature_space == other.model.feature_space != before.feature_space
    assert after.state_digest != before.state_digest
