"""The one error tree. Each error carries a stable code and a message a learner may read; none knows HTTP.

The edges (``web``, ``cli``) translate an error once: into a status page, or an exit code.
"""

from __future__ import annotations

from typing import ClassVar


class KubetutorError(Exception):
    """Base of every error that Kubetutor raises on purpose.

    :param message: one plain sentence, safe to show to a learner (no secret, no traceback).
    :param cure: what the reader can do about it, as one sentence; empty when there is nothing to do.
    """

    code: ClassVar[str] = "internal"

    def __init__(self, message: str, *, cure: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.cure = cure

    def __str__(self) -> str:
        return f"{self.message} {self.cure}".strip()


class InvalidInput(KubetutorError):
    """Something a person or program sent cannot be used as it is."""

    code = "invalid"


class NotFound(KubetutorError):
    """The thing named does not exist, or not for this learner."""

    code = "not_found"


class Conflict(KubetutorError):
    """The request is sound but the present state does not allow it (already closed, still running, …)."""

    code = "conflict"


class Refused(KubetutorError):
    """Not allowed, for a reason that is told."""

    code = "refused"


class Unavailable(KubetutorError):
    """Something of ours (cluster, engine, disk, port) is missing or broken; never the learner's fault."""

    code = "unavailable"


class SettingsError(KubetutorError):
    """A setting in the environment cannot be used."""

    code = "settings"


class ContentError(KubetutorError):
    """A content file is broken; the message names file and line."""

    code = "content"


class ProvisionError(Unavailable):
    """A cluster could not be made.

    :param permanent: trying again unchanged cannot help.
    """

    code = "provision"

    def __init__(self, message: str, *, cure: str = "", permanent: bool = False, log: str = "") -> None:
        super().__init__(message, cure=cure)
        self.permanent = permanent
        self.log = log
