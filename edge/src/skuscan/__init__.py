"""skuscan: which product is this? Answered on the device, offline.

    from skuscan import Recognizer

    recognition = Recognizer.open("store").identify("photo.jpg")

The public names are those of `__all__`. All but the errors are loaded when they are first asked for, so that importing
the package costs nothing and a command that needs no recogniser starts at once.
"""

import importlib
from typing import TYPE_CHECKING

from skuscan.errors import (
    BundleError,
    ConfigError,
    FeatureSpaceError,
    ModelError,
    NetworkError,
    PictureError,
    SkuscanError,
    StoreError,
    SyncError,
    TrustError,
)

if TYPE_CHECKING:
    from skuscan.decision import Decision, Evidence
    from skuscan.picture import PictureLimits
    from skuscan.recognition import Candidate, Recognition, RecognizerOptions
    from skuscan.recognizer import Recognizer
    from skuscan.runtime import RuntimeOptions

__all__ = [
    "BundleError",
    "Candidate",
    "ConfigError",
    "Decision",
    "Evidence",
    "FeatureSpaceError",
    "ModelError",
    "NetworkError",
    "PictureError",
    "PictureLimits",
    "Recognition",
    "Recognizer",
    "RecognizerOptions",
    "RuntimeOptions",
    "SkuscanError",
    "StoreError",
    "SyncError",
    "TrustError",
]

_LATE = {
    "Candidate": "recognition",
    "Decision": "decision",
    "Evidence": "decision",
    "PictureLimits": "picture",
    "Recognition": "recognition",
    "Recognizer": "recognizer",
    "RecognizerOptions": "recognition",
    "RuntimeOptions": "runtime",
}


def __getattr__(name: str) -> object:
    """Load a name when it is first asked for (PEP 562)."""
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{_LATE[name]}"), name)
    globals()[name] = value
    return value
