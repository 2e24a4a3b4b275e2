"""Operators' API keys. A role may do what the roles before it may."""

import time
from dataclasses import dataclass
from enum import IntEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from skuscan_server.access.secrets import OPERATOR_PREFIX, digest, new_secret
from skuscan_server.db.models import ApiKey
from skuscan_server.errors import AccessError, ConflictError, ForbiddenError

KEY_NAME_LENGTH = 100  # characters


class Role(IntEnum):
    """What an operator may do."""

    READER = 1  # look at everything
    EDITOR = 2  # change the catalogue and publish it
    ADMIN = 3  # enrol and revoke devices


@dataclass(frozen=True)
class Operator:
    """A known operator."""

    name: str
    role: Role

    def require(self, role: Role) -> None:
        """Raises ForbiddenError when the operator's role may not do it."""
        if self.role < role:
            raise ForbiddenError(f"this needs the role {role.name.lower()}", f"{self.name}: {self.role.name.lower()}")


def create_api_key(session: Session, name: str, role: Role) -> str:
    """A new key, to be shown once. Raises ConflictError when the name is taken."""
    if session.scalars(select(ApiKey).where(ApiKey.name == name)).first():
        raise ConflictError("every API key has a name of its own", name)
    key = new_secret(OPERATOR_PREFIX)
    session.add(ApiKey(key_sha256=digest(key), name=name, role=role.name.lower(), created_at=time.time()))
    session.flush()
    return key


def find_operator(session: Session, key: str) -> Operator:
    """Who this key belongs to. Raises AccessError."""
    row = session.get(ApiKey, digest(key))
    if row is None:
        raise AccessError("the API key is known", "another key", "make one with `skuscan-server api-key`")
    return Operator(row.name, Role[row.role.upper()])
