import hashlib
from collections.abc import Iterable, Iterator

from hypothesis import given
from hypothesis import strategies as st

from skuscan.bundle.segment import read_segment, segment_ref
from skuscan.proto.catalogue_pb2 import RECORD_KIND_PRODUCT, Product
from skuscan_server.builder.delta import Change, compare, cut_segments, delta_segments
from skuscan_server.builder.records import RecordId, StoredRecord

State = dict[str, str]  # SKU -> name

STATES = st.dictionaries(st.sampled_from([f"SKU-{n}" for n in range(12)]), st.sampled_from(["a", "b", "c"]))


def source(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


class Table:
    """Records of products, by row, in memory."""

    def __init__(self, state: State) -> None:
        self.records = [Product(sku=sku, name=name).SerializeToString() for sku, name in state.items()]
        self.stored: dict[RecordId, StoredRecord] = {
            (RECORD_KIND_PRODUCT, sku): StoredRecord(row, source(name), b"", len(self.records[row]))
            for row, (sku, name) in enumerate(state.items())
        }

    def load(self, records: Iterable[StoredRecord]) -> Iterator[bytes]:
        return (self.records[record.row] for record in records)


def change_between(before: State, after: State) -> tuple[Change, Table]:
    table = Table(after)
    wanted = {identity: record.source for identity, record in table.stored.items()}
    return compare(wanted, Table(before).stored), table


@given(STATES, STATES)
def test_a_published_state_and_its_delta_make_the_wanted_state(before: State, after: State) -> None:
    change, table = change_between(before, after)
    state = dict(before)
    for data in delta_segments(change, table.stored, table.load):
        content = read_segment(data, segment_ref(data))
        state.update({key: Product.FromString(record).name for key, record in content.records})
        for key in content.tombstones:
            del state[key]
    assert state == after


@given(STATES)
def test_nothing_changed_makes_no_segment(state: State) -> None:
    change, table = change_between(state, state)
    assert change.is_empty
    assert list(delta_segments(change, table.stored, table.load)) == []


def test_a_changed_price_makes_a_segment_of_that_product_alone() -> None:
    before = {f"SKU-{n}": "a" for n in range(1_000)}
    change, table = change_between(before, {**before, "SKU-7": "b"})
    (segment,) = delta_segments(change, table.stored, table.load)
    assert len(segment) < 100


def test_a_base_is_cut_so_that_a_change_rewrites_one_segment() -> None:
    before = {f"SKU-{n}": "a" * 400 for n in range(6_000)}
    segments = []
    for state in (before, {**before, "SKU-7": "b" * 400}):
        table = Table(state)
        stored = {key: record for (_, key), record in table.stored.items()}
        segments.append(set(cut_segments(RECORD_KIND_PRODUCT, stored, table.load)))
    assert len(segments[0]) > 2
    assert len(segments[0] - segments[1]) == 1
