"""Every error that skuscan raises on purpose.

    SkuscanError
    ├── PictureError         a picture that cannot be used: truncated, empty, not a picture, too large
    ├── ModelError           a model artefact or runtime that cannot be used
    ├── FeatureSpaceError    vectors or descriptors of two feature spaces met
    ├── BundleError          a manifest, segment or record that breaks its format or its limits
    ├── StoreError           the device's store: missing, damaged, locked, full
    ├── SyncError            an update that did not come about
    │   ├── NetworkError     the server is down, slow, or answered with an error
    │   └── TrustError       what came was not signed as it must be
    └── ConfigError          an option or a configuration file

A message names the rule, what was received and what to do. The command line prints it in one line and exits 2; anything
else is a bug and shows its traceback.
"""

from typing import Any

__all__ = [
    "BundleError",
    "ConfigError",
    "FeatureSpaceError",
    "ModelError",
    "NetworkError",
    "PictureError",
    "SkuscanError",
    "StoreError",
    "SyncError",
    "TrustError",
]


def _made_again(kind: type["SkuscanError"], arguments: tuple[str, ...], attributes: dict[str, Any]) -> "SkuscanError":
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(attributes)
    return error


class SkuscanError(Exception):
    """A rule was broken by something from outside.

    Args:
        rule: What must hold, e.g. "a picture has at most 25,000,000 pixels".
        received: What came instead, e.g. "shelf.jpg: 8000 x 6000".
        advice: What the reader can do, e.g. "scale it down"; empty when there is nothing to say.
    """

    def __init__(self, rule: str, received: str, advice: str = "") -> None:
        self.rule = _one_line(rule)
        self.received = _one_line(received)
        self.advice = _one_line(advice)
        super().__init__(f"{self.rule}; received {self.received}" + (f"; {self.advice}" if self.advice else ""))

    def __reduce__(self) -> tuple[Any, ...]:
        """So that one raised in a worker process arrives: otherwise, it would be made again of its message alone."""
        return _made_again, (type(self), self.args, self.__dict__)


class PictureError(SkuscanError):
    """A picture that cannot be used."""


class ModelError(SkuscanError):
    """A model artefact or a runtime that cannot be used."""


class FeatureSpaceError(SkuscanError):
    """Vectors or descriptors of two feature spaces met."""


class BundleError(SkuscanError):
    """A manifest, a segment or a record that breaks its format or its limits."""


class StoreError(SkuscanError):
    """The device's store is missing, damaged, locked or full."""


class SyncError(SkuscanError):
    """An update that did not come about."""


class NetworkError(SyncError):
    """The server is down, slow, or answered with an error."""


class TrustError(SyncError):
    """What came was not signed as it must be."""


class ConfigError(SkuscanError):
    """An option or a configuration file that cannot be used."""


def _one_line(text: str) -> str:
    """Outside text may hold line breaks and control characters; a message is one bounded printable line."""
    line = "".join(c if c.isprintable() else " " for c in text)
    return line if len(line) <= 500 else line[:497] + "..."
