"""What an operator can choose of a sync, and every limit that it keeps to."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from skuscan.errors import ConfigError

THROTTLED_MARGIN = 2  # times the slowest rate that is no stuck line: connections share the bandwidth unevenly

IndexPolicy = Literal["auto", "download", "build"]


@dataclass(frozen=True)
class SyncLimits:
    """Limits on what a server, a proxy or a bad line can cost. No bare number elsewhere decides what is too much."""

    # One exchange
    connect_seconds: float = 10.0  # until a connection stands, TLS included
    gap_seconds: float = 15.0  # longest silence between two received pieces
    header_seconds: float = 20.0  # until the whole head of an answer is there
    answer_seconds: float = 60.0  # one metadata file or API answer, from beginning to end
    file_seconds: float = 3_600.0  # one file, all its attempts; the next sync goes on where it was
    minimum_rate: float = 200.0  # bytes/s, over each window of rate_window_seconds
    rate_window_seconds: float = 30.0
    redirects: int = 3  # in a row, on one host

    # Attempts
    attempts: int = 4  # in a row without a new block
    backoff_seconds: float = 0.5  # the first pause is up to this long, the next up to twice as long, ...
    backoff_cap_seconds: float = 30.0
    retry_after_seconds: float = 300.0  # a server that asks for a longer pause is left for the next sync

    # Listening for publications
    silence_seconds: float = 45.0  # without a line, then the connection counts as dead: three heartbeats of the server
    listen_backoff_seconds: float = 2.0  # as backoff_seconds
    listen_backoff_cap_seconds: float = 300.0  # also of a pause that the server asks for
    event_stream_seconds: float = 7_200.0  # one stream; the server ends it after an hour
    event_stream_bytes: int = 1 << 20  # bytes of one stream
    event_line_bytes: int = 1_024  # bytes of one line
    spread_floor_seconds: float = 2.0  # a server may ask for less, and gets this
    spread_cap_seconds: float = 600.0

    # Sizes
    answer_bytes: int = 65_536  # bytes, one answer of the API
    root_bytes: int = 65_536  # bytes, one root.json
    timestamp_bytes: int = 16_384  # bytes
    snapshot_bytes: int = 65_536  # bytes
    targets_bytes: int = 65_536  # bytes, targets.json or models.json
    root_rotations: int = 64  # new roots in one sync
    piece_bytes: int = 65_536  # bytes read at once
    block_bytes: int = 1 << 20  # bytes that are flushed together: an interruption costs one at most

    parallel_files: int = 4
    index_build_items: int = 200_000  # `auto` builds an index of up to this many references, and fetches a larger one


@dataclass(frozen=True)
class SyncOptions:
    """How a device talks to its server.

    Attributes:
        proxy: URL of a proxy for all requests; None: none.
        ca_file: Certificates to trust, PEM; None: the system's.
        insecure_http: Allow http:// beyond loopback. Signatures still hold; the device token travels in the clear.
        bandwidth: Bytes/s that all downloads together may take; None: no cap.
        disk_budget: Bytes that the store may take from now on, see `Store.disk_budget`; None: as it was set before.
        index_policy: Where the Annoy file comes from; `auto` moves the fewest bytes.
        poll_seconds: Between two polls of `watch`, while it listens, too; each is jittered by a quarter.
        sweep_seconds: Between two sweeps of `watch`, which read every file and fetch damaged ones again.
        limits: What a sync may cost.
    """

    proxy: str | None = None
    ca_file: Path | None = None
    insecure_http: bool = False
    bandwidth: int | None = None
    disk_budget: int | None = None
    index_policy: IndexPolicy = "auto"
    poll_seconds: float = 300.0
    sweep_seconds: float = 86_400.0
    limits: SyncLimits = field(default_factory=SyncLimits)

    def __post_init__(self) -> None:
        slowest = round(self.limits.minimum_rate * self.limits.parallel_files * THROTTLED_MARGIN)
        if self.bandwidth is not None and self.bandwidth < slowest:
            raise ConfigError(
                f"the bandwidth is at least {slowest} bytes/s, or every transfer counts as stuck", f"{self.bandwidth}"
            )
