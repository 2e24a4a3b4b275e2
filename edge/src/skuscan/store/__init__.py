"""The device's disk: blobs, generations, and which generation is live."""

from skuscan.store.generation import Generation
from skuscan.store.housekeeping import StoreStatus
from skuscan.store.pointers import DeviceIdentity
from skuscan.store.store import Store

__all__ = ["DeviceIdentity", "Generation", "Store", "StoreStatus"]
