"""The signing keys."""

from pathlib import Path

import pytest

from skuscan.errors import BundleError, ConfigError
from skuscan_server.keys import KeyFolder, init_keys


@pytest.fixture
def keys(tmp_path: Path) -> KeyFolder:
    return init_keys(tmp_path / "keys")


def test_keys_are_readable_by_their_owner_only(keys):
    keys.create_online("default")
    files = list(keys.path.rglob("*.pem"))
    assert len(files) == 3 + 1 + 3
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert {path.parent.stat().st_mode & 0o777 for path in files} == {0o700}


def test_keys_are_never_replaced(keys):
    with pytest.raises(ConfigError, match="made once"):
        init_keys(keys.path)


def test_online_keys_made_twice_stay_the_same(keys):
    first = keys.create_online("default")["targets"].public_key
    assert keys.create_online("default")["targets"].public_key == first


def test_two_assortments_have_different_online_keys(keys):
    one, other = keys.create_online("one"), keys.create_online("other")
    assert {s.public_key.keyid for s in one.values()}.isdisjoint(s.public_key.keyid for s in other.values())


def test_two_of_three_root_keys_are_enough(keys):
    (keys.path / "offline" / "root-2.pem").unlink()
    assert len(keys.root_signers()) == 2


def test_a_root_key_too_few_is_said_with_where_to_put_it(keys):
    for number in (1, 2):
        (keys.path / "offline" / f"root-{number}.pem").unlink()
    with pytest.raises(ConfigError, match=r"1 in .*offline; move the offline keys back to .*offline"):
        keys.root_signers()


def test_a_missing_models_key_is_said_with_where_to_put_it(keys):
    (keys.path / "models.pem").rename(keys.path.parent / "stick.pem")
    assert not keys.is_here("models")
    with pytest.raises(ConfigError, match=r"move the offline key back to .*models\.pem"):
        keys.signers("models")


@pytest.mark.parametrize(
    "content", [b"", b"not a key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_damaged_key_is_a_clear_error(keys, content):
    (keys.path / "models.pem").write_bytes(content)
    with pytest.raises(ConfigError, match="Ed25519 key in PEM"):
        keys.signers("models")


@pytest.mark.parametrize("name", ["", "..", "a/b", "a.b", "-a", "x" * 65])
def test_an_assortment_name_cannot_leave_its_folder(keys, name):
    with pytest.raises(BundleError, match="assortment's name"):
        keys.create_online(name)
