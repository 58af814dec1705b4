"""Reading back what lies in an evidence root: the bundles on disk, newest first, each by its own word.

Readers take no lock and follow no link. A name is trusted only after it fits the grammar; contents are data. Whether
they are what was written is for `evidence_verify` to say.
"""

import hashlib
import os
import re
from pathlib import Path

import orjson

from gridops.domain.evidence_ref import EvidenceMode, EvidenceRef, EvidenceStatus
from gridops.domain.values import value

MAX_SUMMARY = 16 * 1024 * 1024
_FOLDER = re.compile(r"(\d{8}T\d{6}\.\d{3}Z)-([0-9A-Za-z]{8})-(\d{1,18})", re.ASCII)


@value
class BundleEntry:
    """A bundle found on disk. `at` is the basic ISO time of its name."""

    ref: EvidenceRef
    name: str
    at: str


def latest(root: Path, mode: EvidenceMode) -> EvidenceRef | None:
    """The newest bundle of this mode, or None."""
    found = list_bundles(root, mode, limit=1)
    return found[0].ref if found else None


def list_bundles(root: Path, mode: EvidenceMode | None = None, *, limit: int = 50, run8: str = "") -> list[BundleEntry]:
    """Bundles on disk, newest first, of one run if it is named; a damaged one is listed as failed, `unreadable`."""
    modes = EvidenceMode if mode is None else (mode,)
    names = [name for each in modes for name in bundle_names(root, each) if run8 in ("", run_of(name))]
    names.sort(key=age_key, reverse=True)
    entries = (read_bundle(root, name) for name in names[:limit])
    return [entry for entry in entries if entry is not None]


def bundle_names(root: Path, mode: EvidenceMode) -> list[str]:
    """`<mode>/<folder>` of each real folder with a bundle's name; links and strange names are passed over."""
    try:
        if (root / mode).is_symlink():
            return []
        with os.scandir(root / mode) as entries:
            folders = [each.name for each in entries if each.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return [f"{mode.value}/{folder}" for folder in folders if is_bundle_folder(folder)]


def is_bundle_folder(folder: str) -> bool:
    """Whether this is the last part of a bundle's name."""
    return _FOLDER.fullmatch(folder) is not None


def age_key(name: str) -> tuple[str, int, str]:
    """Sorts bundle names of all modes by time, then by sequence."""
    at, _run8, seq = _parts(name)
    return at, int(seq), name


def run_of(name: str) -> str:
    """The part of a bundle's name that says which run or command wrote it."""
    return _parts(name)[1]


def _parts(name: str) -> tuple[str, str, str]:
    found = _FOLDER.fullmatch(name.partition("/")[2])
    assert found is not None, name
    return found[1], found[2], found[3]


def read_bundle(root: Path, name: str) -> BundleEntry | None:
    """What the bundle of this name says of itself; None when its name is not one or nothing stands there."""
    mode, _, folder = name.partition("/")
    found = _FOLDER.fullmatch(folder)
    if found is None or mode not in set(EvidenceMode):
        return None
    try:
        if not (root / name).is_dir():
            return None
        sums = read_plain(root / name / "sha256sums.txt", MAX_SUMMARY)
        said = orjson.loads(read_plain(root / name / "summary.json", MAX_SUMMARY))
        status, reason = EvidenceStatus(said["status"]), str(said["reason"])
        ref = EvidenceRef(EvidenceMode(mode), status, reason, str(root / name), hashlib.sha256(sums).hexdigest())
    except (OSError, ValueError, KeyError, TypeError):
        ref = EvidenceRef(EvidenceMode(mode), EvidenceStatus.FAILED, "unreadable", str(root / name), None)
    return BundleEntry(ref, name, found[1])


def read_plain(path: Path, limit: int) -> bytes:
    """The bytes of a regular file of at most `limit` bytes. OSError for a link, a device, or a longer one."""
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(file, "rb") as stream:
        if not os.path.isfile(stream.fileno()):
            raise OSError(f"not a regular file: {path.name}")
        found = stream.read(limit + 1)
    if len(found) > limit:
        raise OSError(f"longer than {limit} bytes: {path.name}")
    return found


def bytes_or_empty(path: Path, limit: int) -> bytes:
    """As `read_plain`, but nothing instead of an error."""
    try:
        return read_plain(path, limit)
    except OSError:
        return b""
