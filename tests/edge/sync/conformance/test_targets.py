"""Targets and delegations (TUF 1.0.31, 5.6 and 5.7), shown by the adapter of the conformance suite."""

import hashlib

import pytest
from tuf.api.metadata import Delegations, SuccinctRoles, Targets

TOP = 4  # files of the top level that a first refresh asks for


@pytest.fixture
def visited(client, asked):
    """The delegated roles that looking for a target asks for, in order."""

    def visit(name: str = "missing") -> list[str]:
        client.download(name)
        return [file.split(".", 1)[1].removesuffix(".json") for file in asked()[TOP:] if file.endswith(".json")]

    return visit


# Graphs: role -> [(role below, terminating, patterns)]
GRAPHS = {
    "one": ({"targets": [("A", False, "*")]}, "A"),
    "siblings in order of appearance": ({"targets": [("B", False, "*"), ("A", False, "*")]}, "BA"),
    "depth first": ({"targets": [("A", False, "*"), ("B", False, "*")], "A": [("C", False, "*")]}, "ACB"),
    "depth first, twice": (
        {
            "targets": [("A", False, "*"), ("E", False, "*")],
            "A": [("B", False, "*"), ("D", False, "*")],
            "B": [("C", False, "*")],
        },
        "ABCDE",
    ),
    "a terminating role ends the search after its own": (
        {"targets": [("A", True, "*"), ("B", False, "*")], "A": [("C", False, "*")]},
        "AC",
    ),
    "a terminating role below ends it, too": (
        {"targets": [("A", False, "*"), ("B", False, "*")], "A": [("C", True, "*"), ("D", False, "*")]},
        "AC",
    ),
    "a terminating role that does not match ends nothing": (
        {"targets": [("A", True, "*.py"), ("B", False, "*")]},
        "B",
    ),
    "what does not match is not asked for": ({"targets": [("A", False, "*.py"), ("B", False, "m*")]}, "B"),
    "nor what is below it": ({"targets": [("A", False, "*.py")], "A": [("C", False, "*")]}, ""),
    "a pattern does not cross a slash": ({"targets": [("A", False, "*/*"), ("B", False, "miss?ng")]}, "B"),
    "a circle is walked once": (
        {"targets": [("A", False, "*")], "A": [("B", False, "*")], "B": [("A", False, "*")]},
        "AB",
    ),
    "two ways to a role": (
        {"targets": [("A", False, "*"), ("B", False, "*")], "A": [("C", False, "*")], "B": [("C", False, "*")]},
        "ACB",
    ),
}


@pytest.mark.parametrize(("graph", "order"), GRAPHS.values(), ids=GRAPHS)
def test_delegations_are_searched_in_preorder(repository, visited, graph, order):
    for above, below in graph.items():
        for role, terminating, pattern in below:
            repository.delegate(above, role, pattern, terminating=terminating)
    repository.publish(*repository.roles)
    assert visited() == [*order]


def test_a_search_ends_after_32_delegations(repository, visited):
    above = "targets"
    for number in range(40):
        repository.delegate(above, f"role-{number}", "*")
        above = f"role-{number}"
    repository.publish(*repository.roles)
    assert len(visited()) == 32


TREE = {"README.md": "docs", "releases/x/one": "x", "releases/y/two.zip": "y"}


@pytest.fixture
def tree(repository):
    repository.delegate("targets", "docs", "*.md", "*.txt")
    repository.delegate("targets", "releases", "releases/*/*")
    repository.delegate("releases", "x", "releases/x/*")
    repository.delegate("releases", "y", "releases/y/*.zip")
    for name, role in TREE.items():
        repository.add_target(name, f"{name} by {role}".encode(), role)
    repository.add_target("releases/z/three.zip", b"not delegated", "y")
    repository.publish(*repository.roles)
    return repository


@pytest.mark.parametrize(("name", "role"), TREE.items())
def test_a_target_is_found_in_the_role_it_was_delegated_to(tree, client, name, role):
    assert client.download(name) == 0
    assert [*client.files.values()] == [f"{name} by {role}".encode()]


def test_a_target_outside_what_was_delegated_is_not_found(tree, client):
    assert client.download("releases/z/three.zip") == 1
    assert client.files == {}


def test_the_first_role_that_signs_a_target_decides(repository, client):
    repository.delegate("targets", "A", "*")
    repository.delegate("targets", "B", "*")
    repository.add_target("a", b"by A", "A")
    repository.add_target("a", b"by B", "B")
    repository.publish(*repository.roles)
    assert client.download("a") == 0
    assert client.files == {"a": b"by A"}


def test_the_top_level_comes_before_every_delegation(repository, client, visited):
    repository.delegate("targets", "A", "*")
    repository.add_target("a", b"by A", "A")
    repository.add_target("a", b"by targets")
    repository.publish(*repository.roles)
    assert visited("a") == []
    assert client.files == {"a": b"by targets"}


def test_paths_may_be_delegated_by_prefixes_of_their_hash(repository, client, visited):
    digest = hashlib.sha256(b"some/target").hexdigest()
    other = "0" if digest[0] != "0" else "1"
    repository.delegate("targets", "A", prefixes=[other])
    repository.delegate("targets", "B", prefixes=[digest[:3]])
    repository.add_target("some/target", b"by B", "B")
    repository.publish(*repository.roles)
    assert visited("some/target") == ["B"]
    assert [*client.files.values()] == [b"by B"]


def test_succinct_roles_are_found_by_the_bits_of_the_hash(repository, client, visited, keys):
    roles = SuccinctRoles([], 1, bit_length=3, name_prefix="bin")
    repository.targets.delegations = Delegations({}, None, roles)
    repository.targets.add_key(keys[8].public_key)
    for role in roles.get_roles():
        repository.roles[role] = Targets(expires=repository.root.expires)
        repository.signers[role] = [keys[8]]
    number = int(hashlib.sha256(b"a").hexdigest()[:8], 16) >> 29
    repository.add_target("a", b"in its bin", f"bin-{number}")
    repository.publish(*repository.roles)
    assert visited("a") == [f"bin-{number}"]
    assert client.files == {"a": b"in its bin"}


@pytest.mark.parametrize("role", ["?", "#", "/books", "../books", "%2e%2e", "a b", "bücher", "a.b", "1.root"])
def test_odd_names_of_roles_are_quoted_and_stay_in_their_folder(repository, client, role):
    repository.delegate("targets", role, "*")
    repository.add_target("a", b"content", role)
    repository.publish(role, "targets")
    assert client.download("a") == 0
    assert len([path for path in client.metadata.iterdir() if path.is_file()]) == 5
    assert {path.name for path in client.metadata.parent.iterdir()} == {"metadata", "targets"}


def test_a_delegated_role_with_another_key_is_refused(repository, client, keys):
    repository.delegate("targets", "books", "*")
    repository.signers["books"] = [keys[9]]
    repository.add_target("a", b"content", "books")
    repository.publish("books", "targets")
    assert client.download("a") == 1
    assert client.files == {}


def test_a_delegated_role_with_too_few_signatures_is_refused(repository, client, keys):
    repository.delegate("targets", "books", "*")
    repository.targets.add_key(keys[9].public_key, "books")
    repository.targets.delegations.roles["books"].threshold = 2
    repository.add_target("a", b"content", "books")
    repository.publish("books", "targets")
    assert client.download("a") == 1
    repository.signers["books"].append(keys[9])
    repository.publish("books")
    assert client.download("a") == 0


def test_a_role_that_was_kept_is_verified_against_the_key_it_is_delegated_to_now(repository, client, keys):
    repository.delegate("targets", "books", "*")
    repository.add_target("a", b"content", "books")
    repository.publish("books", "targets")
    assert client.download("a") == 0
    repository.targets.delegations.roles["books"].keyids.clear()
    repository.targets.add_key(keys[9].public_key, "books")
    repository.publish("targets")
    assert client.download("a") == 1


def test_a_role_is_verified_for_each_of_its_delegators(repository, client, keys):
    """A delegates to C by the key that signs it, B by another one: what only B delegates is not believed."""
    repository.delegate("targets", "A", "*.a")
    repository.delegate("targets", "B", "*.b")
    repository.delegate("B", "C", "*", key=9)
    repository.delegate("A", "C", "*", key=8)
    repository.add_target("one.a", b"one", "C")
    repository.add_target("two.b", b"two", "C")
    repository.publish(*repository.roles)
    assert client.download("one.a") == 0
    assert client.download("two.b") == 1
    assert client.download("one.a", "two.b") == 1
    assert client.files == {"one.a": b"one"}
    repository.roles["B"].add_key(keys[8].public_key, "C")
    repository.publish("B")
    assert client.download("one.a", "two.b") == 0


def test_a_delegated_role_that_the_snapshot_does_not_name_is_refused(repository, client):
    repository.delegate("targets", "books", "*")
    repository.publish("targets")
    assert client.download("a") == 1
    assert client.version("books") is None


# Files


@pytest.mark.parametrize(
    "name", ["a.txt", "path/to/a.txt", "a b", "ä/ö.txt", "a%20b", "a+b", "a~b", "..a", "-a", "a'b", "a&b=c", "中文"]
)
def test_a_target_is_downloaded_whatever_its_name(repository, client, name):
    repository.add_target(name, b"content")
    repository.publish("targets")
    assert client.download(name) == 0
    assert [*client.files.values()] == [b"content"]


@pytest.mark.parametrize("size", [0, 1, 65_536, 3_000_000])
def test_a_target_of_any_size_is_downloaded(repository, client, size):
    repository.add_target("a", bytes(size))
    repository.publish("targets")
    assert client.download("a") == 0
    assert client.files == {"a": bytes(size)}


def test_a_file_that_is_there_is_not_fetched_again(repository, client, asked):
    repository.add_target("a", b"content")
    repository.publish("targets")
    client.download("a")
    asked()
    assert client.download("a") == 0
    assert asked() == ["2.root.json", "timestamp.json"]


def test_a_file_that_was_damaged_is_fetched_again(repository, client):
    repository.add_target("a", b"content")
    repository.publish("targets")
    client.download("a")
    (client.targets / "a").write_bytes(b"contemt")
    assert client.download("a") == 0
    assert client.files == {"a": b"content"}


def test_several_targets_take_one_refresh(repository, client, asked):
    for name in ("a", "b", "c"):
        repository.add_target(name, name.encode())
    repository.publish("targets")
    assert client.download("a", "b", "c") == 0
    assert client.files == {"a": b"a", "b": b"b", "c": b"c"}
    assert len(asked()) == TOP + 3


def test_what_comes_before_a_failure_is_kept(repository, client):
    repository.add_target("a", b"a")
    repository.publish("targets")
    assert client.download("a", "missing") == 1
    assert client.files == {"a": b"a"}


def test_a_changed_target_replaces_its_file(repository, client):
    for content in (b"one", b"two, longer", b"3"):
        repository.add_target("folder/a", content)
        repository.publish("targets")
        assert client.download("folder/a") == 0
        assert [*client.files.values()] == [content]


@pytest.mark.parametrize(
    "data", [b"CONTENT", b"content and more", b"cont", b""], ids=["other", "longer", "cut", "empty"]
)
def test_a_file_that_is_not_what_was_signed_is_refused(repository, client, data, monkeypatch):
    monkeypatch.setattr("skuscan.sync.options.SyncLimits.attempts", 1)
    repository.add_target("a", b"content")
    path = repository.add_target("b", b"content")
    repository.publish("targets")
    assert client.download("a") == 0
    path.write_bytes(data)
    assert client.download("b") == 1
    assert client.files == {"a": b"content"}


def test_an_endless_file_is_cut_off(repository, client, web, faults):
    repository.add_target("a", bytes(100_000))
    repository.publish("targets")
    web.misbehave("/targets/", faults.endless)
    assert client.download("a") == 1
    assert web.sent < 10_000_000  # bytes: what socket buffers hold
    assert client.files == {}


def test_a_target_that_the_server_does_not_have_fails(repository, client):
    repository.add_target("a", b"content").unlink()
    repository.publish("targets")
    assert client.download("a") == 1
    assert client.files == {}


@pytest.mark.parametrize("field", ["hashes", "length"])
def test_another_signed_hash_or_length_is_refused(repository, client, field):
    repository.add_target("a", b"content")
    target = repository.targets.targets["a"]
    if field == "hashes":
        path = repository.add_target("a", b"content")
        target = repository.targets.targets["a"]
        target.hashes["sha256"] = "0" * 64
        path.rename(path.with_name(f"{'0' * 64}.a"))
    else:
        target.length -= 1
    repository.publish("targets")
    assert client.download("a") == 1
    assert client.files == {}


def test_a_target_without_a_sha256_is_refused(repository, client):
    repository.add_target("a", b"content")
    repository.targets.targets["a"].hashes = {"sha512": hashlib.sha512(b"content").hexdigest()}
    repository.publish("targets")
    assert client.download("a") == 1
