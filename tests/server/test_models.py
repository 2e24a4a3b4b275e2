"""Another model is taken into use: all features first, then the switch, then publications with it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from skuscan.errors import ModelError
from skuscan.model import HEAD_FILE, Model
from skuscan.proto.catalogue_pb2 import RECORD_KIND_REFERENCE, Reference
from skuscan_server.builder.prepare import Preparation
from skuscan_server.catalogue.csv_import import read_csv
from skuscan_server.catalogue.products import catalogue_version
from skuscan_server.db.models import Feature
from skuscan_server.errors import BusyError, CatalogueError
from skuscan_server.models import ModelShelf, published_bytes
from skuscan_server.services import Services
from tools.fault_bench.disks import Killed

Read = Callable[[], Any]


@pytest.fixture
def imported(import_rows: Callable[..., object], five_products: list[dict[str, Any]]) -> None:
    import_rows(five_products)


def features_of(services: Services, feature_space: bytes) -> int:
    with services.database.read() as session:
        query = select(func.count()).select_from(Feature).where(Feature.feature_space == feature_space)
        return session.scalars(query).one()


@pytest.mark.usefixtures("imported")
def test_the_next_publication_carries_the_model_and_features_of_its_own(
    services: Services, published: Read, other_model: Path
) -> None:
    services.publish("default")
    before, versions = published(), services.repository("default").live_version()
    done = services.set_model(other_model, "test")
    assert (done.computed, done.changed) == (5, True)
    assert services.publish("default").kind == "base"  # type: ignore[union-attr]
    after, later = published(), services.repository("default").live_version()
    new = Model.open_folder(other_model)
    assert after.manifest.feature_space == new.feature_space == done.feature_space != before.manifest.feature_space
    assert versions is not None
    assert later is not None
    assert later.models > versions.models  # signed anew
    targets = services.repository("default").metadata.parent / "targets"
    assert published_bytes(new) in [path.read_bytes() for path in targets.glob("*.model")]
    for identity, record in after.records.items():
        if identity[0] == RECORD_KIND_REFERENCE:
            old = Reference.FromString(before.records[identity])
            assert Reference.FromString(record).embedding != old.embedding
    assert services.publish("default") is None


@pytest.mark.usefixtures("imported")
def test_the_scheduler_is_told_of_it_as_of_any_change(services: Services, other_model: Path) -> None:
    services.publish("default")
    with services.database.read() as session:
        before = catalogue_version(session)[0]
    services.set_model(other_model, "test")
    with services.database.read() as session:
        assert catalogue_version(session)[0] > before


@pytest.mark.usefixtures("imported")
def test_the_model_before_is_in_use_until_all_features_are_there(services: Services, other_model: Path) -> None:
    installed, new = services.model.feature_space, Model.open_folder(other_model).feature_space

    def kill(done: int, total: int) -> None:
        assert total == 5
        assert services.model.feature_space == installed
        if done == 3:  # two of them are committed, as a batch
            raise Killed

    with pytest.raises(Killed):
        services.set_model(other_model, "test", kill)
    assert services.model.feature_space == installed
    assert features_of(services, new) == 2
    assert services.publish("default") is not None  # with the model before
    assert services.set_model(other_model, "test").computed == 3
    assert services.model.feature_space == new


@pytest.mark.usefixtures("imported")
def test_another_process_sees_it_at_once(services: Services, other_model: Path) -> None:
    web = Services(services.config)
    before = web.model.feature_space
    services.set_model(other_model, "test")
    assert web.model.feature_space == services.model.feature_space != before


@pytest.mark.usefixtures("imported")
def test_the_earlier_model_comes_back_without_work(services: Services, other_model: Path) -> None:
    installed = services.config.model_folder
    services.set_model(other_model, "test")
    done = services.set_model(installed, "test")
    assert (done.computed, done.changed) == (0, True)
    assert services.model.feature_space == Model.open_folder(installed).feature_space
    assert not services.set_model(installed, "test").changed


@pytest.mark.usefixtures("imported")
def test_a_publication_that_began_with_the_model_before_is_not_signed(
    services: Services, published: Read, other_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.publish("default")
    before = published().manifest
    plan = Preparation.plan

    def slowly(*arguments: Any) -> Any:
        services.set_model(other_model, "test")
        return plan(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Preparation, "plan", slowly)
        with pytest.raises(BusyError, match="model in use"):
            services.publish("default", force="delta")
    assert published().manifest == before
    services.publish("default")
    assert published().manifest.feature_space == services.model.feature_space != before.feature_space


@pytest.mark.guarantee("G25")
def test_an_import_that_began_with_the_model_before_keeps_to_its_feature_space(
    services: Services, write_catalogue: Callable[..., Path], five_products: list[dict[str, Any]], other_model: Path
) -> None:
    installed = services.model.feature_space
    plan = read_csv(write_catalogue(five_products), 1_000_000, 1_000)
    with services.pool() as pool:
        services.set_model(other_model, "test")
        services.importer(pool).run(plan, "test")
    assert (features_of(services, installed), features_of(services, services.model.feature_space)) == (5, 0)


@pytest.mark.usefixtures("imported")
def test_what_is_no_artefact_is_refused_and_changes_nothing(
    services: Services, other_model: Path, tmp_path: Path
) -> None:
    before = services.model.feature_space
    damaged = tmp_path / "damaged"
    shutil.copytree(other_model, damaged)
    (damaged / HEAD_FILE).write_bytes((damaged / HEAD_FILE).read_bytes()[:-1])
    for folder, words in ((tmp_path, r"artifact\.json"), (damaged, "SHA-256")):
        with pytest.raises(ModelError, match=words):
            services.set_model(folder, "test")
    assert services.model.feature_space == before
    assert not (services.config.data_folder / "models").exists()


@pytest.mark.usefixtures("imported")
def test_a_picture_that_cannot_be_used_any_more_is_named_and_the_model_stays(
    services: Services, other_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = services.model.feature_space
    monkeypatch.setattr(type(services.pictures), "read", lambda *_: b"no picture")
    with pytest.raises(CatalogueError, match="SKU-"):
        services.set_model(other_model, "test")
    assert services.model.feature_space == before


def test_a_kept_model_is_a_copy_that_opens(other_model: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(other_model, mine)
    shelf = ModelShelf(tmp_path / "models", mine)
    kept = shelf.add(mine)
    assert shelf.in_use() == mine
    assert shelf.add(mine) == kept
    shelf.use(kept)
    shutil.rmtree(mine)
    assert Model.open_folder(shelf.in_use()).artifact.name == "turned"
