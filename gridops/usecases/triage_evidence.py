"""The newest evidence of every mode and its verification: what the index names, what stands on disk, what it hashes to.

Reads only, and within a time: what would take longer is said to be unchecked, never to be good.
"""

import time
from pathlib import Path

import orjson

from gridops.adapters.evidence_chain import INDEX
from gridops.adapters.evidence_list import latest
from gridops.adapters.evidence_verify import verify
from gridops.domain.evidence_ref import EvidenceMode, EvidenceRef
from gridops.domain.values import record

WITHIN_S = 0.3
LARGEST = 4_000_000
_TAIL = 262_144


@record
class ModeEvidence:
    """`verified` is `ok`, `none_yet`, `missing` (indexed, and its folder is gone), `unchecked: why`, or a finding."""

    mode: EvidenceMode
    ref: EvidenceRef
    verified: str


def newest(root: Path) -> tuple[ModeEvidence, ...]:
    """One line per mode of the closed list."""
    named, until_s = _named(root), time.monotonic() + WITHIN_S
    return tuple(_of(root, mode, named.get(mode.value, ""), until_s) for mode in EvidenceMode)


def _of(root: Path, mode: EvidenceMode, named: str, until_s: float) -> ModeEvidence:
    found = latest(root, mode)
    if named and not (root / named).is_dir():
        return ModeEvidence(
            mode=mode, ref=found or EvidenceRef.none_yet(mode), verified=f"missing: the index names {named}"
        )
    if found is None or found.evidence_dir is None:
        return ModeEvidence(mode=mode, ref=EvidenceRef.none_yet(mode), verified="none_yet")
    return ModeEvidence(mode=mode, ref=found, verified=_verified(Path(found.evidence_dir), until_s))


def _verified(folder: Path, until_s: float) -> str:
    try:
        size = sum(each.stat().st_size for each in folder.iterdir())
    except OSError as error:
        return f"unreadable: {error.strerror}"
    if size > LARGEST or time.monotonic() > until_s:
        return f"unchecked: `gridops evidence verify {folder}`"
    report = verify(folder)
    if report.ok:
        return "ok"
    first = report.findings[0]
    return f"{first.code}: {first.path} {first.detail}"


def _named(root: Path) -> dict[str, str]:
    """Mode -> newest bundle that the end of the index names and nobody pruned."""
    try:
        with (root / INDEX).open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _TAIL))
            lines = file.read().splitlines()
    except OSError:
        return {}
    found: dict[str, str] = {}
    for line in lines:
        try:
            row = orjson.loads(line)
            kind, name = row["kind"], str(row["name"])
        except (ValueError, KeyError, TypeError):
            continue
        mode = name.partition("/")[0]
        if kind == "bundle":
            found[mode] = name
        elif found.get(mode) == name:
            del found[mode]
    return {mode: name for mode, name in found.items() if ".." not in name}
