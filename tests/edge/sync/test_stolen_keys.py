"""What somebody cannot do who has stolen keys and sits between the repository and the device."""

import shutil

import pytest
from tuf.api.metadata import Delegations, Metadata, TargetFile

from skuscan.errors import TrustError
from tools.fault_bench.thief import ONLINE_ROLES, Thief


@pytest.mark.guarantee("G4")
def test_all_online_keys_together_cannot_name_another_model_in_targets(published, server, trust):
    thief = Thief(published, server, *ONLINE_ROLES)
    targets = thief.load("targets")
    targets.signed.version += 1
    targets.signed.targets["model"] = TargetFile.from_data("model", b"evil", ["sha256"])
    thief.publish_over(targets=thief.put("targets", targets))
    with pytest.raises(TrustError, match="this role signs the target manifest and nothing else"):
        trust.refresh()


@pytest.mark.guarantee("G4")
def test_all_online_keys_together_cannot_appoint_another_models_key(published, server, trust):
    """Plain TUF lets the role targets choose who signs as models."""
    thief = Thief(published, server, *ONLINE_ROLES)
    own = published.keys.signers("targets", "default")[0]
    targets = thief.load("targets")
    targets.signed.version += 1
    role = targets.signed.delegations.roles["models"]
    role.keyids = [own.public_key.keyid]
    targets.signed.delegations = Delegations({own.public_key.keyid: own.public_key}, {"models": role})
    models = thief.load("models")
    models.signed.version += 1
    models.signed.targets["model"] = TargetFile.from_data("model", b"evil", ["sha256"])
    models.sign(own)
    files = {"targets": thief.put("targets", targets), "models": thief.put("models", models)}
    thief.publish_over(**files)
    with pytest.raises(TrustError, match=r"targets\.json delegates as the root says"):
        trust.refresh()


@pytest.mark.guarantee("G4")
@pytest.mark.parametrize("stolen", ONLINE_ROLES)
def test_one_stolen_online_key_changes_nothing(published, server, trust, stolen):
    thief = Thief(published, server, stolen)
    targets = thief.load("targets")
    targets.signed.version += 1
    targets.signed.targets["manifest"] = TargetFile.from_data("manifest", b"evil", ["sha256"])
    thief.publish_over(targets=thief.put("targets", targets))
    with pytest.raises(TrustError, match="signed by the keys of its role"):
        trust.refresh()


@pytest.mark.guarantee("G4")
def test_the_stolen_targets_key_cannot_change_a_file_under_its_version(published, server, trust, tmp_path):
    """The snapshot names targets.json by content, so the key alone is worth nothing."""
    shutil.rmtree(tmp_path / "tuf")
    thief = Thief(published, server, "targets")
    targets = thief.load("targets")
    targets.signed.targets["manifest"] = TargetFile.from_data("manifest", b"evil", ["sha256"])
    thief.put("targets", targets)
    with pytest.raises(TrustError):
        trust.refresh()


@pytest.mark.guarantee("G4")
def test_a_root_signed_by_one_root_key_is_refused(published, server, trust):
    path = published.repository.metadata / "1.root.json"
    root = Metadata.from_file(str(path))
    root.signed.version = 2
    root.sign(published.keys.root_signers()[0])
    server.overlay["/tuf/default/metadata/2.root.json"] = root.to_bytes()
    with pytest.raises(TrustError, match="signed by the keys of its role"):
        trust.refresh()
