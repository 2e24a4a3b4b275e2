"""Where a device's generations come from: its server, or a bundle that somebody brought (`offline.py`)."""

import threading
from dataclasses import dataclass

from skuscan.store import DeviceIdentity
from skuscan.sync.options import SyncOptions
from skuscan.sync.transport import Transport, absolute_url


@dataclass(frozen=True)
class Source:
    """One place that has a repository and its blobs.

    Attributes:
        name: For people.
        transport: What fetches from it.
        metadata_url, targets_url, blobs_url: Its three folders, without a slash at the end.
        parts: The name of the folder for unfinished files.
        offline: True for a bundle: nobody is told how it went, and nothing is resumed.
    """

    name: str
    transport: Transport
    metadata_url: str
    targets_url: str
    blobs_url: str
    parts: str
    offline: bool


def server_source(identity: DeviceIdentity, options: SyncOptions, stop: threading.Event | None) -> Source:
    """The server that a device was enrolled at. Raises ConfigError when an address is none."""
    metadata, targets, blobs = (
        absolute_url(identity.server_url, url).rstrip("/")
        for url in (identity.metadata_url, identity.targets_url, identity.blobs_url)
    )
    transport = Transport(options, stop)
    transport.authorize(identity.server_url, identity.device_token)
    return Source(identity.server_url, transport, metadata, targets, blobs, "parts", offline=False)
