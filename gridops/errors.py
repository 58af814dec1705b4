"""Failures an operator can act on, and the exit code each one ends with.

Bugs are not in here: they keep their traceback and end with ExitCode.BUG.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process says to its caller. The table of the command line reference."""

    OK = 0
    FINDING = 1
    USAGE = 2
    VENUE = 3
    REFUSED = 4
    EVIDENCE = 5
    BUG = 70
    INTERRUPT = 130


class GridopsError(Exception):
    """An operator can fix this: one `error:` line, maybe a `hint:`, and its exit code."""

    exit_code = ExitCode.FINDING

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(GridopsError):
    """A setting is unknown, malformed, out of range, or contradicts another."""

    exit_code = ExitCode.USAGE


class RecordingError(GridopsError):
    """A market recording cannot be trusted; the message names file and line."""

    exit_code = ExitCode.USAGE


class BundledDataMissing(GridopsError):
    """The installed package lost its fixtures or runbooks."""

    exit_code = ExitCode.USAGE


class VenueUnavailable(GridopsError):
    """The venue cannot be reached or refuses the session."""

    exit_code = ExitCode.VENUE


class Refused(GridopsError):
    """A gate, a lock or the engine's condition forbids the request."""

    exit_code = ExitCode.REFUSED


class LeaseHeld(Refused):
    """Another process holds the account; the message names its pid and age."""


class JournalError(GridopsError):
    """The journal cannot be opened, written or trusted."""

    exit_code = ExitCode.EVIDENCE


class EvidenceError(GridopsError):
    """Evidence cannot be written or does not verify."""

    exit_code = ExitCode.EVIDENCE
