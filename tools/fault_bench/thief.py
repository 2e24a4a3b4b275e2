"""Somebody who has stolen online keys and sits between a repository and a device."""

from typing import Any

from tuf.api.metadata import Metadata, MetaFile

from tools.fault_bench.http import Server
from tools.fault_bench.site import ASSORTMENT, Site

ONLINE_ROLES = ("targets", "snapshot", "timestamp")


class Thief:
    """Signs with the keys of some roles, and shows what was signed instead of what is published.

    Args:
        site: Whose keys were stolen.
        server: What the device asks.
        roles: Those whose keys were stolen.
    """

    def __init__(self, site: Site, server: Server, *roles: str) -> None:
        self.site, self.server, self.roles = site, server, roles
        self.live = site.repository.live_version()

    def load(self, role: str) -> Metadata[Any]:
        """A role's metadata as it is published."""
        return Metadata.from_file(str(self.site.repository.metadata / f"{getattr(self.live, role)}.{role}.json"))

    def put(self, role: str, metadata: Metadata[Any]) -> bytes:
        """Show other metadata of a role, signed anew if its key was stolen."""
        if role in self.roles:
            metadata.sign(self.site.keys.signers(role, ASSORTMENT)[0])
        data = metadata.to_bytes()
        prefix = "" if role == "timestamp" else f"{metadata.signed.version}."
        self.server.overlay[f"/tuf/{ASSORTMENT}/metadata/{prefix}{role}.json"] = data
        return data

    def publish_over(self, **files: bytes) -> None:
        """A snapshot and a timestamp over changed metadata, signed with what was stolen."""
        snapshot = self.load("snapshot")
        snapshot.signed.version += 1
        for role, data in files.items():
            version = Metadata.from_bytes(data).signed.version
            snapshot.signed.meta[f"{role}.json"] = MetaFile.from_data(version, data, ["sha256"])
        data = self.put("snapshot", snapshot)
        timestamp: Metadata[Any] = Metadata.from_file(str(self.site.repository.metadata / "timestamp.json"))
        timestamp.signed.version += 1
        timestamp.signed.snapshot_meta = MetaFile.from_data(snapshot.signed.version, data, ["sha256"])
        self.put("timestamp", timestamp)
