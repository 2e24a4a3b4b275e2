"""The client workflow of the TUF specification (1.0.31, 5.3 to 5.6), shown by the adapter of the conformance suite."""

import json

import pytest
from tuf.api.metadata import Metadata, Timestamp

BOTH = pytest.mark.parametrize("hashes", [False, True], ids=["versions", "hashes"])
FIRST = ["2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"]


def edited(data: bytes, **changes: object) -> bytes:
    """Signed metadata with other content under the same signatures."""
    metadata = json.loads(data)
    metadata["signed"].update(changes)
    return json.dumps(metadata).encode()


@pytest.fixture
def stranger(client):
    """A client whose trusted root is yet to come."""
    for path in list(client.metadata.rglob("*.json")):
        path.unlink()
    return client


def test_init_asks_for_nothing(client, asked):
    assert asked() == []
    assert client.versions == (1, None, None, None)


def test_the_first_refresh_asks_in_the_order_of_the_specification(client, asked):
    assert client.refresh() == 0
    assert asked() == FIRST
    assert client.versions == (1, 1, 1, 1)


def test_a_refresh_without_news_asks_for_root_and_timestamp(client, asked):
    client.refresh()
    asked()
    assert client.refresh() == 0
    assert asked() == FIRST[:2]


def test_a_download_refreshes_first(client, asked):
    assert client.download("no such target") == 1
    assert asked() == FIRST
    assert client.versions == (1, 1, 1, 1)


def test_what_is_kept_is_what_was_served_byte_for_byte(client, repository):
    client.refresh()
    for role in ("root", "timestamp", "snapshot", "targets"):
        assert (client.metadata / f"{role}.json").read_bytes() == repository.file(role).read_bytes()


def test_only_roles_lie_in_the_metadata_folder(client):
    client.refresh()
    names = {path.name for path in client.metadata.iterdir() if path.is_file()}
    assert names == {"root.json", "timestamp.json", "snapshot.json", "targets.json"}


@pytest.mark.parametrize("root", [b"", b"{}", b"not json", b'{"signed": {"_type": "root"}, "signatures": []}'])
def test_a_first_root_that_is_none_is_refused_before_anything_is_asked(stranger, asked, root):
    assert stranger.init(root) == 1
    assert stranger.refresh() == 1
    assert asked() == []


def test_a_first_root_of_another_role_is_refused(stranger, repository, asked):
    stranger.init(repository.file("timestamp").read_bytes())
    assert stranger.refresh() == 1
    assert asked() == []


def test_a_first_root_that_was_changed_is_refused(stranger, repository, asked):
    stranger.init(edited(repository.file("root").read_bytes(), expires="2099-01-01T00:00:00Z"))
    assert stranger.refresh() == 1
    assert asked() == []


def test_a_first_root_may_be_a_later_version(stranger, repository, asked):
    for _ in range(3):
        repository.publish_root()
    stranger.init(repository.file("root").read_bytes())
    assert stranger.refresh() == 0
    assert asked()[0] == "5.root.json"


def test_unknown_fields_are_signed_and_kept(client, repository):
    client.refresh()
    repository.root.unrecognized_fields["x-field"] = {"a": [1, 2]}
    repository.root.roles["root"].unrecognized_fields["x-other"] = "value"
    next(iter(repository.root.keys.values())).unrecognized_fields["x-key"] = "value"
    repository.publish_root()
    assert client.refresh() == 0
    assert client.version("root") == 2


def test_changed_bytes_under_an_old_signature_are_refused(client, repository):
    client.refresh()
    repository.publish("targets")
    for role in ("timestamp", "snapshot", "targets"):
        path, good = repository.file(role), repository.file(role).read_bytes()
        path.write_bytes(edited(good, expires="2099-01-01T00:00:00Z"))
        assert client.refresh() == 1
        path.write_bytes(good)
    assert client.refresh() == 0
    assert client.versions == (1, 2, 2, 2)


@pytest.mark.parametrize("role", ["root", "timestamp", "snapshot", "targets"])
@pytest.mark.parametrize("damage", [b"", b"{}", b"[]", b"\xff\xfe", b"<html>"], ids=repr)
def test_a_role_that_is_no_metadata_is_refused(client, repository, role, damage):
    client.refresh()
    repository.publish("targets")
    repository.publish_root()
    repository.file(role).write_bytes(damage)
    assert client.refresh() == 1
    assert client.version(role) == 1


@pytest.mark.parametrize(("role", "other"), [("timestamp", "snapshot"), ("snapshot", "targets"), ("targets", "root")])
def test_metadata_of_another_type_is_refused(client, repository, role, other):
    client.refresh()
    repository.publish("targets")
    repository.file(role).write_bytes(repository.file(other).read_bytes())
    assert client.refresh() == 1
    assert client.version(role) == 1


def test_another_timestamp_of_the_same_version_is_not_taken(client, repository):
    client.refresh()
    repository.timestamp.snapshot_meta.version = 100
    repository.write("timestamp")
    assert client.refresh() == 0
    kept = Metadata[Timestamp].from_file(str(client.metadata / "timestamp.json")).signed
    assert kept.snapshot_meta.version == 1


# Rollback


def test_an_older_timestamp_is_refused(client, repository, asked):
    repository.publish()
    client.refresh()
    repository.timestamp.version = 1
    repository.write("timestamp")
    assert client.refresh() == 1
    assert client.version("timestamp") == 2
    assert asked()[-1] == "timestamp.json"


@BOTH
def test_an_older_snapshot_is_refused(client, repository, hashes):
    repository.hashes = hashes
    repository.publish()
    client.refresh()
    repository.snapshot.version = 1
    repository.write("snapshot")
    repository.timestamp.version += 1
    repository.write("timestamp")
    assert client.refresh() == 1
    assert client.versions == (1, 2, 2, 1)


@BOTH
def test_older_targets_are_refused(client, repository, hashes):
    repository.hashes = hashes
    repository.publish("targets")
    client.refresh()
    repository.targets.version = 1
    repository.write("targets")
    repository.publish()
    assert client.refresh() == 1
    assert client.version("targets") == 2


def test_an_older_delegated_role_is_refused(client, repository):
    repository.delegate("targets", "books", "*")
    repository.publish("books", "targets")
    repository.publish("books")
    assert client.download("none") == 1
    assert client.version("books") == 3
    repository.roles["books"].version = 2
    repository.write("books")
    repository.publish()
    assert client.download("none") == 1
    assert client.version("books") == 3


def test_a_snapshot_that_forgets_a_role_is_refused(client, repository):
    repository.delegate("targets", "books", "*")
    repository.publish("books", "targets")
    client.refresh()
    del repository.snapshot.meta["books.json"]
    repository.publish()
    assert client.refresh() == 1
    assert client.version("snapshot") == 2


@pytest.mark.parametrize("role", ["timestamp", "snapshot"])
def test_new_keys_recover_from_a_version_that_was_driven_up(client, repository, role):
    repository.signed(role).version = 99_998
    repository.publish()
    assert client.refresh() == 0
    assert client.version(role) == 99_999
    repository.rotate("timestamp", 5)
    repository.rotate("snapshot", 6)
    repository.publish_root()
    repository.signed(role).version = 1
    repository.publish()
    assert client.refresh() == 0
    assert client.version(role) == 2


def test_new_snapshot_keys_recover_from_a_targets_version_that_was_driven_up(client, repository):
    repository.targets.version = 99_998
    repository.publish("targets")
    client.refresh()
    repository.rotate("timestamp", 5)
    repository.rotate("snapshot", 6)
    repository.publish_root()
    repository.targets.version = 1
    repository.publish("targets")
    assert client.refresh() == 0
    assert client.version("targets") == 2


# Mix and match


def test_a_snapshot_of_another_version_than_the_timestamp_says_is_refused(client, repository):
    path = repository.file("snapshot")
    repository.snapshot.version = 7
    path.write_bytes(repository.sign("snapshot"))
    assert client.refresh() == 1
    assert client.versions == (1, 1, None, None)


def test_targets_of_another_version_than_the_snapshot_says_are_refused(client, repository):
    path = repository.file("targets")
    repository.targets.version = 7
    path.write_bytes(repository.sign("targets"))
    assert client.refresh() == 1
    assert client.versions == (1, 1, 1, None)


@pytest.mark.parametrize("role", ["snapshot", "targets"])
@pytest.mark.parametrize("field", ["hashes", "length"])
def test_metadata_with_another_hash_or_length_is_refused(client, repository, role, field):
    client.refresh()
    repository.hashes = True
    repository.publish("targets")
    meta = repository.timestamp.snapshot_meta if role == "snapshot" else repository.snapshot.meta["targets.json"]
    if field == "hashes":
        meta.hashes = {"sha256": "0" * 64}
    else:
        meta.length -= 1
    if role == "targets":
        repository.snapshot.version += 1
        repository.write("snapshot")
    repository.timestamp.version += 1
    repository.write("timestamp")
    assert client.refresh() == 1
    assert client.version(role) == 1


# Freeze


@pytest.mark.parametrize(
    ("role", "left"),
    [("root", (2, 1, 1, 1)), ("timestamp", (1, 1, 1, 1)), ("snapshot", (1, 2, 1, 1)), ("targets", (1, 2, 2, 1))],
)
def test_an_expired_role_ends_the_refresh_there(client, repository, expired, role, left):
    client.refresh()
    repository.signed(role).expires = expired
    if role == "root":
        repository.publish_root()
    repository.publish("targets")
    assert client.refresh() == 1
    assert client.versions == left


def test_an_expired_root_on_the_way_to_a_good_one_is_no_obstacle(client, repository, expired):
    good = repository.root.expires
    repository.root.expires = expired
    repository.publish_root()
    repository.root.expires = good
    repository.publish_root()
    assert client.refresh() == 0
    assert client.version("root") == 3


def test_an_expired_delegated_role_is_refused(client, repository, expired):
    repository.delegate("targets", "books", "*").expires = expired
    repository.add_target("a", b"book", "books")
    repository.publish("books", "targets")
    assert client.download("a") == 1
    assert client.files == {}


def test_expired_local_metadata_is_still_good_to_go_on_from(client, repository, expired):
    client.refresh()
    valid = repository.timestamp.expires
    repository.timestamp.expires = repository.snapshot.expires = expired
    for role in ("timestamp", "snapshot"):
        (client.metadata / f"{role}.json").write_bytes(repository.sign(role))
    repository.timestamp.expires = repository.snapshot.expires = valid
    repository.publish("targets")
    assert client.refresh() == 0
    assert client.versions == (1, 2, 2, 2)


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_damaged_local_metadata_is_fetched_again(client, role):
    client.refresh()
    (client.metadata / f"{role}.json").write_bytes(b"{}")
    assert client.refresh() == 0
    assert client.versions == (1, 1, 1, 1)


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_a_role_that_is_not_there_fails_the_refresh(client, repository, role):
    repository.file(role).unlink()
    assert client.refresh() == 1
    assert client.version(role) is None


def test_a_server_that_fails_at_a_root_fails_the_refresh(client, web, faults):
    web.misbehave("root", faults.status(410))
    assert client.refresh() == 1
    assert client.version("timestamp") is None


@BOTH
def test_a_repository_without_consistent_snapshots_is_followed(make_repository, tmp_path, serve, client_of, hashes):
    repository = make_repository(consistent=False)
    web = serve(repository.folder)
    client = client_of(repository, web)
    repository.hashes = hashes
    repository.add_target("folder/a.txt", b"content")
    repository.publish("targets")
    assert client.download("folder/a.txt") == 0
    assert [path.rpartition("/")[2] for path in web.paths()] == [
        "2.root.json",
        "timestamp.json",
        "snapshot.json",
        "targets.json",
        "a.txt",
    ]
    assert list(client.files.values()) == [b"content"]


@pytest.fixture
def client_of(tmp_path, client_class):
    """A client of another repository than the usual one."""

    def make(repository, web):
        made = client_class(tmp_path, web.url)
        assert made.init(repository.file("root").read_bytes()) == 0
        return made

    return make


def test_exit_codes_and_folders_are_those_of_the_suites_protocol(process, repository):
    repository.add_target("a.txt", b"content")
    repository.publish("targets")
    assert process.init(repository.file("root").read_bytes()) == 0
    assert process.download("a.txt") == 0
    assert process.files == {"a.txt": b"content"}
    assert process.download("b.txt") == 1
    assert process.call("unknown") == 1
