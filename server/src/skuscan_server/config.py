"""The server's configuration: one typed object, built once at the edge and passed in.

Every field can be set in the environment as `SKUSCAN_SERVER_<FIELD>`; the command line sets a few. Nothing else in
the package reads the environment.
"""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from skuscan.errors import ConfigError
from skuscan_models.artifacts import released_folder

ENVIRONMENT_PREFIX = "SKUSCAN_SERVER_"
DAY = 86_400  # seconds


class ServerConfig(BaseSettings):
    """Everything that an operator can choose.

    Paths default to places inside `data_folder`, so one folder is the whole server and its backup.
    """

    model_config = SettingsConfigDict(env_prefix=ENVIRONMENT_PREFIX, frozen=True, extra="forbid")

    data_folder: Path = Path("skuscan-data")
    database_url: str = ""  # SQLAlchemy URL; empty: SQLite in the data folder
    published_folder: Path | None = None  # what devices download; None: in the data folder
    keys_folder: Path | None = None  # signing keys; None: in the data folder
    files: Literal["public", "authenticated"] = "public"  # whether published files ask for a device's token
    offline_keys_folder: Path | None = None  # root keys; None: `offline` in the folder of keys
    model_folder: Path = Field(default_factory=released_folder)  # until `skuscan-server model set` brings another

    workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=256)  # feature processes
    feature_batch: int = Field(default=32, ge=1, le=1_000)  # pictures computed between two commits
    web_workers: int = Field(default=2, ge=1, le=64)  # gunicorn processes
    web_threads: int = Field(default=8, ge=1, le=256)  # threads of each
    web_waiting: int = Field(default=256, ge=1)  # requests that wait for one of them; while more do, 503
    metrics_bind: str = Field(default="", pattern=r"^(\S+:[0-9]{1,5})?$")  # address:port for Prometheus; empty: none

    events_bind: str = Field(default="", pattern=r"^(\S+:[0-9]{1,5})?$")  # address:port; empty: next to `run --bind`
    event_listeners: int = Field(default=5_000, ge=1, le=100_000)  # devices that listen at once

    max_request_bytes: int = Field(default=20_000_000, ge=1_000)  # bytes, one request's body
    max_picture_bytes: int = Field(default=16_000_000, ge=1_000)  # bytes, one reference picture
    max_csv_bytes: int = Field(default=200_000_000, ge=1_000)  # bytes, one catalogue CSV
    max_csv_rows: int = Field(default=2_000_000, ge=1)  # rows
    device_rate: float = Field(default=1.0, gt=0)  # requests/s of one device, steadily, to each web process
    device_burst: int = Field(default=20, ge=1)  # requests of one device at once
    concurrent_decodes: int = Field(default=2, ge=1, le=64)  # uploads decoded at once, each process

    display_side: int = Field(default=240, ge=32, le=512)  # px, longest side; even noise of 512 px fits the limit
    annoy_from: int = Field(default=30_000, ge=1)  # references of a base; fewer are searched exactly, in less time
    annoy_trees: int = Field(default=50, ge=1, le=1_000)
    false_accept_rate: float = Field(default=0.01, gt=0.0, lt=1.0)
    probes: int = Field(default=8, ge=0, le=16)  # probe pictures in each manifest

    regenerate_interval: float = Field(default=3_600.0, gt=0)  # s, changes older than this are published
    regenerate_changes: int = Field(default=100, ge=1)  # so many changes are published at once
    regenerate_quiet: float = Field(default=30.0, ge=0)  # s without a change before changes are published
    resign_interval: float = Field(default=DAY, gt=0)  # s, metadata is signed again this often
    keep_days: float = Field(default=7.0, ge=0.01)  # days that a superseded version and its files are kept
    prune_interval: float = Field(default=DAY, gt=0)  # s, what is no longer needed is removed this often
    lease: float = Field(default=60.0, gt=1)  # s, a builder that died is taken over after this
    compaction_share: float = Field(default=0.10, gt=0, le=1)  # a new base when deltas hold more of the records
    compaction_segments: int = Field(default=48, ge=1)  # or when there are more delta segments than this

    enrolment_days: float = Field(default=7.0, gt=0)  # days, an enrolment token's life

    @property
    def url(self) -> str:
        """The SQLAlchemy URL in use."""
        return self.database_url or f"sqlite:///{(self.data_folder / 'skuscan.db').absolute()}"

    @property
    def published(self) -> Path:
        """The folder that devices download from."""
        return self.published_folder or self.data_folder / "published"

    @property
    def keys(self) -> Path:
        """The folder of signing keys."""
        return self.keys_folder or self.data_folder / "keys"

    @property
    def pictures(self) -> Path:
        """The folder of reference pictures, as they were uploaded; not published."""
        return self.data_folder / "pictures"


def load_config(**overrides: object) -> ServerConfig:
    """Read the environment; `overrides` win. Raises ConfigError naming the field that is wrong."""
    try:
        return ServerConfig(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = ENVIRONMENT_PREFIX + "_".join(str(part) for part in first["loc"]).upper()
        raise ConfigError(f"{name}: {first['msg']}", str(first.get("input"))) from error
