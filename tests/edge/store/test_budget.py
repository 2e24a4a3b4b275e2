"""The disk budget: what an update needs, what gives way to it, and what never does."""

import pytest

from skuscan.errors import StoreError
from skuscan.store import Store
from skuscan.store.budget import DEFAULT_BYTES, RESERVE_BYTES, Allowance, OverBudgetError, derived_bytes
from skuscan.store.room import used_bytes


def free(store: Store, count: int) -> None:
    """Leave so many bytes of the budget."""
    store.set_disk_budget(RESERVE_BYTES + used_bytes(store) + count)


def files(store: Store) -> set[str]:
    return {
        str(path) for path in store.path.rglob("*") if path.is_file() and path.name not in ("lock", "settings.json")
    }


@pytest.fixture
def shown(store, publisher, pass_probes, records):
    """A store whose live generation has two display pictures, and a generation to come."""
    refs = []
    for sku in "AB":
        picture = f"picture of {sku}".encode() * 1_000
        publisher.displays.append(picture)
        refs.append(store.blobs.put(picture))
        kind = next(iter(publisher.state))[0]
        publisher.put(kind, records.product(sku, display=refs[-1]))
    store.activate(publisher.rebase().deliver(store), pass_probes)
    publisher.displays.clear()
    before = dict(publisher.state)
    publisher.add("G", price=7)
    return store, publisher.change(before), refs


def test_a_budget_is_kept_for_later_processes(store):
    assert store.disk_budget() == DEFAULT_BYTES
    store.set_disk_budget(5_000_000_000)
    assert Store.open(store.path).disk_budget() == 5_000_000_000


def test_damaged_settings_are_the_defaults(store):
    store.set_disk_budget(5_000_000_000)
    (store.path / "settings.json").write_bytes(b"{}")
    assert store.disk_budget() == DEFAULT_BYTES


@pytest.mark.guarantee("G9")
def test_an_update_over_the_budget_is_refused_and_changes_nothing(two):
    store, second = two
    for blob in second.blobs:
        store.blobs.put(blob)
    free(store, 100)
    with pytest.raises(OverBudgetError, match=r"generation 2.* MB too many; give it more"):
        second.deliver(store)
    assert store.current() == 1
    assert not store.folder(2).exists()
    assert list((store.path / "tmp").iterdir()) == []
    assert store.rejected() == {}
    store.set_disk_budget(DEFAULT_BYTES)
    assert second.deliver(store) == 2


@pytest.mark.guarantee("G9")
def test_what_a_generation_takes_is_known_before_it_is_built(two, pass_probes):
    store, second = two
    reuse = store.open_generation()
    for manifest, shared in ((reuse.manifest, None), (second.manifest, reuse)):
        needed = derived_bytes(manifest, shared, builds_index=False)
        if manifest is second.manifest:
            store.activate(second.deliver(store), pass_probes)
        made = store.open_generation()
        taken = sum(
            ref.length for path, ref in made.contents.files.items() if shared is None or path.startswith("delta")
        )
        assert taken <= needed
        assert needed < 2 * taken


@pytest.mark.guarantee("G9")
def test_display_pictures_give_way_before_an_update_is_refused(shown, pass_probes):
    store, second, displays = shown
    for blob in second.blobs:
        store.blobs.put(blob)
    needed = derived_bytes(second.manifest, store.open_generation(), builds_index=False)
    free(store, needed - 10_000)
    store.activate(second.deliver(store), pass_probes)
    assert store.current() == 2
    assert [store.blobs.has(display) for display in displays].count(False) == 1
    assert [event["reason"] for event in store.journal.last(9) if event["event"] == "budget"] == [
        "1 display pictures made room for it"
    ]


@pytest.mark.guarantee("G9", "G16")
def test_nothing_that_recognition_needs_gives_way(shown):
    store, second, displays = shown
    for blob in second.blobs:
        store.blobs.put(blob)
    kept = files(store) | {str(store.blobs.path(display)) for display in displays}
    free(store, -30_000)  # more than the display pictures take: then they may as well stay
    with pytest.raises(OverBudgetError):
        second.deliver(store)
    assert files(store) - {str(store.path / "journal.jsonl")} >= kept - {str(store.path / "journal.jsonl")}
    assert store.lost() == []


@pytest.mark.guarantee("G9")
def test_a_folder_that_grows_beyond_what_was_foreseen_is_not_finished(two, monkeypatch):
    store, second = two
    monkeypatch.setattr("skuscan.store.update.derived_bytes", lambda *_: 0)
    for blob in second.blobs:
        store.blobs.put(blob)
    free(store, 500)
    with pytest.raises(StoreError, match="disk budget"):
        second.deliver(store)
    assert list((store.path / "tmp").iterdir()) == []
    assert used_bytes(store) <= store.disk_budget()


def test_an_allowance_is_used_up():
    one = Allowance(budget=100, left=10)
    assert list(one.metered([b"12345", b"12345"])) == [b"12345", b"12345"]
    with pytest.raises(OverBudgetError):
        one.take(1)
