"""The EVIDENCE_REF line: what a command or a record says about its evidence, in one grammar with one producer.

Stands in the domain so that the engine's records, the log and the commands spell it alike. It names bundles and
renders or reads the line; it never touches a disk and never believes a line to be true: `parse` only says it is
well formed.
"""

import re
from enum import StrEnum
from typing import Self

from gridops.domain.values import value
from gridops.errors import EvidenceError

_PREFIX = "EVIDENCE_REF"
_NONE = "none"
_MAX_LINE = 16_384
_LAST_MS = 253_402_300_799_999
"""31 December 9999, 23:59:59.999 UTC: later does not fit four digits of a year."""


class EvidenceMode(StrEnum):
    """What a bundle is about. Closed: it is a folder name and a metric label."""

    RUN = "run"
    TRANSITION = "transition"
    MISMATCH = "mismatch"
    TIEOUT = "tieout"
    SYNC = "sync"
    REMEDIATION = "remediation"
    DRILL = "drill"
    ROUNDTRIP = "roundtrip"
    TRIAGE = "triage"
    INCIDENT = "incident"
    KILL = "kill"
    REPLAY = "replay"
    FSM = "fsm"
    VENUE = "venue"
    DOCTOR = "doctor"
    CONFIG = "config"
    EVIDENCE = "evidence"
    RUNBOOK = "runbook"


class EvidenceStatus(StrEnum):
    """How the thing the bundle speaks of ended."""

    OK = "ok"
    FINDING = "finding"
    FAILED = "failed"


@value
class EvidenceRef:
    """Where evidence lies and what it hashes to. No folder: nothing was written, and `reason` says why."""

    mode: EvidenceMode
    status: EvidenceStatus
    reason: str
    evidence_dir: str | None
    digest: str | None
    """sha256 of sha256sums.txt, 64 lower-case hex digits."""

    def __post_init__(self) -> None:
        if not self.reason or self.evidence_dir == "":
            raise ValueError("an evidence reference needs a reason, and a folder that is not the empty string")
        if self.digest is not None and not re.fullmatch("[0-9a-f]{64}", self.digest):
            raise ValueError(f"not a sha256: {self.digest[:80]!r}")

    @classmethod
    def none_yet(cls, mode: EvidenceMode) -> Self:
        """A viewing command found no bundle of this mode."""
        return cls(mode, EvidenceStatus.OK, "none_yet", None, None)

    @classmethod
    def unwritable(cls, mode: EvidenceMode) -> Self:
        """Not even the evidence could be written."""
        return cls(mode, EvidenceStatus.FAILED, "evidence_unwritable", None, None)

    def fields(self) -> dict[str, str]:
        """The line's fields in its order, unencoded: what stands in a JSON document under `evidence`."""
        folder = self.evidence_dir
        return {
            "v": "1",
            "mode": self.mode.value,
            "status": self.status.value,
            "reason": self.reason,
            "evidence_dir": _NONE if folder is None else folder,
            "summary": _NONE if folder is None else f"{folder}/summary.txt",
            "sha256sums": _NONE if folder is None else f"{folder}/sha256sums.txt",
            "digest": _NONE if self.digest is None else f"sha256:{self.digest}",
        }


_FIELDS = tuple(EvidenceRef.none_yet(EvidenceMode.RUN).fields())
_LINE = re.compile(_PREFIX + "".join(rf" {name}=([!-~]+)" for name in _FIELDS))


def line(ref: EvidenceRef) -> str:
    """The reference as one line of printable ASCII, without its newline."""
    return " ".join([_PREFIX, *(f"{name}={_encode(text)}" for name, text in ref.fields().items())])


def parse(text: str) -> EvidenceRef:
    """Read a line back. EvidenceError unless it is exactly what `line` would have written."""
    text = text.removesuffix("\n")
    found = _LINE.fullmatch(text) if len(text) <= _MAX_LINE else None
    if found is None:
        raise _malformed(text)
    _, mode, status, reason, folder, _, _, digest = (_decode(group) for group in found.groups())
    try:
        ref = EvidenceRef(
            EvidenceMode(mode),
            EvidenceStatus(status),
            reason,
            None if folder == _NONE else folder,
            None if digest == _NONE else digest.removeprefix("sha256:"),
        )
    except ValueError as error:
        raise _malformed(text) from error
    if line(ref) != text:
        raise _malformed(text)
    return ref


def bundle_name(mode: EvidenceMode, *, at_ms: int, run8: str, seq: int) -> str:
    """Folder of a bundle below the evidence root, known before it is written: a function of the record alone.

    `at_ms` is UTC unix milliseconds. ValueError for what cannot be a folder name.
    """
    if not re.fullmatch("[0-9A-Za-z]{8}", run8) or seq < 0:
        raise ValueError(f"a bundle needs an 8-character run id and a sequence from 0 on: {run8!r}, {seq}")
    return f"{mode.value}/{utc_basic(at_ms)}-{run8}-{seq}"


def utc_basic(at_ms: int) -> str:
    """Unix milliseconds as basic ISO time in UTC, such as `20240718T235959.877Z`."""
    if not 0 <= at_ms <= _LAST_MS:
        raise ValueError(f"not a time between 1970 and 9999: {at_ms} ms")
    days, in_day = divmod(at_ms, 86_400_000)
    year, month, day = _civil(days)
    seconds, milli = divmod(in_day, 1000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{year:04d}{month:02d}{day:02d}T{hour:02d}{minute:02d}{second:02d}.{milli:03d}Z"


def _civil(days: int) -> tuple[int, int, int]:
    """Year, month, day of a day number counted from 1970-01-01.

    Years are taken to begin in March, so that the leap day is the last of its year and month lengths follow one
    linear rule.
    """
    era, of_era = divmod(days + 719_468, 146_097)
    year_of_era = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    day_of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    from_march = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * from_march + 2) // 5 + 1
    month = from_march + 3 if from_march < 10 else from_march - 9
    return era * 400 + year_of_era + (month <= 2), month, day


def _encode(text: str) -> str:
    """Percent-encode all that is not visible ASCII, and `%`. Never fails: a path may hold any bytes."""
    try:
        raw = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raw = text.encode("utf-8", "replace")
    return "".join(chr(byte) if 0x21 <= byte <= 0x7E and byte != 0x25 else f"%{byte:02X}" for byte in raw)


def _decode(text: str) -> str:
    pieces = re.split("%([0-9A-F]{2})", text)
    raw = b"".join(bytes.fromhex(piece) if at % 2 else piece.encode() for at, piece in enumerate(pieces))
    return raw.decode("utf-8", "surrogateescape")


def _malformed(text: str) -> EvidenceError:
    return EvidenceError(f"not an {_PREFIX} line: {_encode(text[:120])}", hint="paste the line exactly as printed")
