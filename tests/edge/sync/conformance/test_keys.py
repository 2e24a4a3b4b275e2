"""Thresholds and rotations (TUF 1.0.31, 5.3.4 and 5.4): every choice of signers, not a few."""

import itertools
import json

import pytest
from securesystemslib.signer import CryptoSigner

OLD, NEW = (1, 2, 3), (2, 3, 4)
CHOICES = [signers for count in range(1, 5) for signers in itertools.combinations((1, 2, 3, 4), count)]
ROLES = ("timestamp", "snapshot", "targets")


@pytest.mark.parametrize("signers", CHOICES, ids=str)
@pytest.mark.parametrize("thresholds", [(1, 1), (1, 2), (2, 1), (2, 2), (3, 2)], ids=str)
def test_a_new_root_needs_the_old_and_the_new_threshold(client, repository, signers, thresholds):
    old, new = thresholds
    repository.rotate("root", *OLD, threshold=old, signed_by=(0, *OLD))
    repository.publish_root()
    assert client.refresh() == 0
    repository.rotate("root", *NEW, threshold=new, signed_by=signers)
    repository.publish_root()
    good = len({*signers} & {*OLD}) >= old and len({*signers} & {*NEW}) >= new
    assert client.refresh() == (0 if good else 1)
    assert client.version("root") == (3 if good else 2)


def test_many_roots_are_followed_one_by_one(client, repository, asked):
    for step in range(8):
        repository.rotate("root", step + 1, signed_by=(step, step + 1))
        repository.publish_root()
    assert client.refresh() == 0
    assert asked()[:9] == [f"{number}.root.json" for number in range(2, 11)]
    assert client.version("root") == 9


def test_a_root_of_another_version_than_its_name_is_refused(client, repository):
    repository.root.version = 3
    data = repository.sign("root")
    repository.root.version = 2
    repository.file("root").write_bytes(data)
    assert client.refresh() == 1
    assert client.version("root") == 1


def test_a_root_that_lists_a_key_it_does_not_hold_counts_it_not(client, repository):
    repository.root.roles["snapshot"].keyids.append("0" * 64)
    repository.root.roles["snapshot"].threshold = 2
    repository.publish_root()
    repository.publish()
    assert client.refresh() == 1
    assert client.versions == (2, 2, None, None)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("signers", [c for c in CHOICES if 4 not in c] + [(4,), (1, 4), (1, 2, 4)], ids=str)
def test_a_role_needs_its_threshold_of_its_own_keys(client, repository, role, signers):
    repository.rotate(role, *OLD, threshold=2, signed_by=signers)
    repository.publish_root()
    repository.publish("targets")
    good = len({*signers} & {*OLD}) >= 2
    assert client.refresh() == (0 if good else 1)
    assert client.version(role) == (2 if good else None)


@pytest.mark.parametrize("role", ROLES)
def test_a_rotated_key_signs_nothing_any_more(client, repository, role):
    client.refresh()
    repository.rotate(role, 5, signed_by=[ROLES.index(role) + 1])
    repository.publish_root()
    repository.publish("targets")
    assert client.refresh() == 1
    assert client.version("root") == 2


@pytest.mark.parametrize("role", ROLES)
def test_a_key_of_another_role_signs_nothing(client, repository, role, keys):
    repository.signers[role] = [keys[0]]
    repository.publish("targets")
    assert client.refresh() == 1
    assert client.version(role) is None


def test_a_threshold_above_the_number_of_keys_is_never_reached(client, repository):
    repository.rotate("snapshot", 1, 2, 3, threshold=4)
    repository.publish_root()
    repository.publish()
    assert client.refresh() == 1
    assert client.version("snapshot") is None


def test_two_signatures_of_one_key_count_once(client, repository):
    repository.rotate("timestamp", 1, 2, threshold=2, signed_by=[1])
    repository.publish_root()
    repository.publish()
    metadata = json.loads(repository.file("timestamp").read_bytes())
    metadata["signatures"] *= 2
    repository.file("timestamp").write_bytes(json.dumps(metadata).encode())
    assert client.refresh() == 1
    assert client.version("timestamp") is None


def test_a_key_that_is_listed_twice_counts_once(client, repository):
    repository.rotate("timestamp", 1, threshold=1)
    repository.publish_root()
    metadata = json.loads(repository.file("root").read_bytes())
    metadata["signed"]["roles"]["timestamp"]["keyids"] *= 2
    repository.file("root").write_bytes(json.dumps(metadata).encode())
    assert client.refresh() == 1
    assert client.version("root") == 1


@pytest.mark.parametrize(
    "make",
    [
        CryptoSigner.generate_ecdsa,
        lambda: CryptoSigner.generate_rsa(scheme="rsassa-pss-sha256"),
        lambda: CryptoSigner.generate_rsa(scheme="rsa-pkcs1v15-sha256"),
    ],
    ids=["ecdsa", "rsa-pss", "rsa-pkcs1"],
)
def test_keys_of_other_kinds_are_understood(client, repository, make):
    signer = make()
    repository.rotate("snapshot")
    repository.root.add_key(signer.public_key, "snapshot")
    repository.signers["snapshot"] = [signer]
    repository.publish_root()
    repository.publish()
    assert client.refresh() == 0
    assert client.version("snapshot") == 2


def test_signatures_of_unknown_keys_and_kinds_do_no_harm(client, repository):
    repository.publish()
    metadata = json.loads(repository.file("timestamp").read_bytes())
    metadata["signatures"] += [{"keyid": "f" * 64, "sig": "00"}, {"keyid": "an odd id", "sig": "zz"}]
    repository.file("timestamp").write_bytes(json.dumps(metadata).encode())
    assert client.refresh() == 0
    assert client.version("timestamp") == 2


@pytest.mark.parametrize("field", [{"keyid_hash_algorithms": ["md5"]}, {"x-anything": 1}], ids=str)
def test_further_fields_of_a_key_change_nothing(client, repository, field):
    for key in repository.root.keys.values():
        key.unrecognized_fields.update(field)
    repository.publish_root()
    repository.publish()
    assert client.refresh() == 0
    assert client.versions == (2, 2, 2, 1)
