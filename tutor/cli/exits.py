"""Exit codes, after sysexits.h where it has one. Listed for users in ``kubetutor --help``."""

from __future__ import annotations

from enum import IntEnum

from tutor.errors import (
    Conflict,
    ContentError,
    InvalidInput,
    KubetutorError,
    NotFound,
    Refused,
    SettingsError,
    Unavailable,
)


class Exit(IntEnum):
    """What the command's exit code means."""

    OK = 0
    NO = 1
    UNKNOWN = 2
    USAGE = 64
    INPUT = 65
    UNAVAILABLE = 69
    INTERNAL = 70


def exit_for(error: KubetutorError) -> Exit:
    """The exit code for an error of the one tree."""
    if isinstance(error, InvalidInput | NotFound | ContentError | SettingsError | Conflict | Refused):
        return Exit.INPUT
    return Exit.UNAVAILABLE if isinstance(error, Unavailable) else Exit.INTERNAL
