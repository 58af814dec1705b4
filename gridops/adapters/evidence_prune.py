"""Removing old bundles so that the root still verifies: each removal is one more line of the index.

Touches only real folders with a bundle's name, and half-written ones whose process is gone.
"""

import hashlib
import os
import shutil
from pathlib import Path

from gridops.adapters.evidence_files import SUMS
from gridops.adapters.evidence_index import TEMP, IndexRow, locked
from gridops.adapters.evidence_list import MAX_SUMMARY, age_key, bundle_names, bytes_or_empty
from gridops.domain.evidence_ref import EvidenceMode
from gridops.errors import EvidenceError


def prune(root: Path, keep: int) -> tuple[str, ...]:
    """Remove all but the newest `keep` bundles of each mode; names of those removed. EvidenceError on a bad disk.

    The index keeps its lines and gets one more per removed bundle, so the chain stays whole.
    """
    if keep < 1:
        raise EvidenceError(f"--keep {keep}: at least 1 bundle of each mode stays")
    removed: list[str] = []
    try:
        with locked(root) as index:
            index.adopt()
            for mode in EvidenceMode:
                for name in sorted(bundle_names(root, mode), key=age_key, reverse=True)[keep:]:
                    digest = hashlib.sha256(bytes_or_empty(root / name / SUMS, MAX_SUMMARY)).hexdigest()
                    index.append(IndexRow(kind="pruned", name=name, status="ok", reason="pruned", digest=digest))
                    shutil.rmtree(root / name)
                    removed.append(name)
            _drop_orphans(root / TEMP)
    except OSError as error:
        raise EvidenceError(f"cannot prune {root}: {error.strerror or error}") from error
    return tuple(removed)


def _drop_orphans(temp: Path) -> None:
    """Remove half-written folders of processes that are gone."""
    for entry in temp.iterdir():
        pid = entry.name.partition("-")[0]
        if entry.is_dir() and not entry.is_symlink() and pid.isdigit() and not _alive(int(pid)):
            shutil.rmtree(entry, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
