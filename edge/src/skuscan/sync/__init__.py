"""The network: trust, what to fetch, fetching it, and making it live."""

from skuscan.sync.agent import SyncResult, import_bundle, sync_once
from skuscan.sync.enrolment import enrol
from skuscan.sync.options import IndexPolicy, SyncLimits, SyncOptions
from skuscan.sync.watch import watch

__all__ = ["IndexPolicy", "SyncLimits", "SyncOptions", "SyncResult", "enrol", "import_bundle", "sync_once", "watch"]
