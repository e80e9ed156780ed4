"""Who may call: bearer tokens that are HMACs of one secret, so that no credential is ever stored."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

USERS = ("learner", "verifier")
_KEY_FILE = "installation.key"


def load_secret(directory: Path) -> bytes:
    """The installation's secret, made at first use (readable by its owner only).

    :raises OSError: the directory cannot be used.
    """
    path = directory / _KEY_FILE
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        temporary = directory / f"{_KEY_FILE}.{os.getpid()}"
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as f:
            f.write(secrets.token_bytes(32))
        try:
            os.link(temporary, path)  # the first one to get here wins, whole
        except FileExistsError:
            return path.read_bytes()
        finally:
            temporary.unlink()
    return path.read_bytes()


def token(secret: bytes, cluster: str, user: str) -> str:
    """The token of one user in one cluster; the admin API's has an empty cluster and user ``admin``."""
    return f"{user}." + hmac.new(secret, f"{cluster}\n{user}".encode(), hashlib.sha256).hexdigest()


def user_of(secret: bytes, cluster: str, header: str) -> str | None:
    """The user an Authorization header stands for in a cluster, or None."""
    scheme, _, given = header.partition(" ")
    user = given.partition(".")[0]
    if scheme.lower() != "bearer" or not given or user not in (*USERS, "admin"):
        return None
    if not hmac.compare_digest(given.encode(), token(secret, cluster, user).encode()):
        return None
    return user
