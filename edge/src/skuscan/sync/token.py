"""The enrolment token: what an operator hands to a device. The server writes it with the same code.

    sk1.<assortment>.<secret, base64url>.<SHA-256 of 1.root.json, hex>

The secret enrols one device, once. The digest pins the root: whatever network lies between, the device accepts no
other.
"""

import re
from dataclasses import dataclass

from skuscan.bundle.manifest import check_assortment
from skuscan.errors import BundleError, ConfigError

_TOKEN = re.compile(r"sk1\.(?P<assortment>[^.]+)\.(?P<secret>[A-Za-z0-9_-]{16,128})\.(?P<root>[0-9a-f]{64})")


@dataclass(frozen=True)
class EnrolToken:
    """A parsed token.

    Attributes:
        assortment: Which repository the device follows.
        secret: base64url, 16 to 128 characters; the server keeps its digest only.
        root_sha256: 32 bytes, the digest of `1.root.json`.
    """

    assortment: str
    secret: str
    root_sha256: bytes

    @classmethod
    def parse(cls, text: str) -> "EnrolToken":
        """Read a token as it was typed or pasted. Raises ConfigError when it is not one."""
        match = _TOKEN.fullmatch(text.strip())
        try:
            if match is None:
                raise BundleError("a token has four parts", "another text")
            check_assortment(match["assortment"])
        except BundleError as error:
            raise ConfigError(
                "an enrolment token reads sk1.<assortment>.<secret>.<digest of the root>",
                f"{len(text)} characters that do not",  # never the secret itself
                "copy it whole from `skuscan-server enrol-token`",
            ) from error
        return cls(match["assortment"], match["secret"], bytes.fromhex(match["root"]))

    def __str__(self) -> str:
        return f"sk1.{self.assortment}.{self.secret}.{self.root_sha256.hex()}"

    def __repr__(self) -> str:
        return f"EnrolToken(assortment={self.assortment!r}, secret=..., root_sha256={self.root_sha256.hex()!r})"
