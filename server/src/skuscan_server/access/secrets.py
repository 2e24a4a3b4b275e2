"""Secrets are 32 random bytes; only their SHA-256 is kept. So much randomness needs no salt and no stretching."""

import hashlib
import secrets

SECRET_BYTES = 32
OPERATOR_PREFIX = "sko1."
DEVICE_PREFIX = "skd1."


def new_secret(prefix: str = "") -> str:
    """A new secret, base64url, behind a prefix that tells what it is for."""
    return prefix + secrets.token_urlsafe(SECRET_BYTES)


def digest(secret: str) -> bytes:
    """What is kept of a secret, 32 bytes."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
