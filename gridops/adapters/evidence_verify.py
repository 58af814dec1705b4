"""Checks evidence offline: sums, chain, schema. Changes nothing and believes nothing.

A folder may come from anywhere: links, absolute or climbing paths, huge files and strange names are findings; they
are never followed or read.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

import orjson

from gridops.adapters.evidence_chain import INDEX, read_rows
from gridops.adapters.evidence_files import FILE_NAME, RESERVED, SCHEMA_VERSION, SUMS
from gridops.adapters.evidence_index import settle
from gridops.adapters.evidence_list import (
    MAX_SUMMARY,
    age_key,
    bundle_names,
    bytes_or_empty,
    is_bundle_folder,
    read_plain,
)
from gridops.adapters.redaction import plain
from gridops.domain.evidence_ref import EvidenceMode, EvidenceStatus
from gridops.domain.values import value

MAX_FILE = 256 * 1024 * 1024
_SUM_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")
_FAULTS = (OSError, ValueError, KeyError, TypeError)


@value
class Finding:
    """One thing that is not as it was written. `code` is closed and stable, `path` relative to what was checked."""

    code: str
    path: str
    detail: str


@value
class VerifyReport:
    """What was looked at, and what was wrong with it."""

    bundles: int
    files: int
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Nothing was wrong."""
        return not self.findings


def verify(folder: Path) -> VerifyReport:
    """Check one bundle, or every bundle and the index of a root. Never raises for what it finds."""
    if folder.is_symlink() or not folder.is_dir():
        return VerifyReport(0, 0, (Finding("absent", ".", "no such folder, or a link"),))
    check = _Check(folder)
    if (folder / SUMS).exists() or (folder / "summary.json").exists() or is_bundle_folder(folder.name):
        check.bundle(folder, ".")
        check.against_index_of_its_root()
    else:
        check.root()
    return VerifyReport(check.bundles, check.files, tuple(check.findings))


class _Check:
    def __init__(self, top: Path) -> None:
        self.top = top
        self.bundles = self.files = 0
        self.findings: list[Finding] = []

    def root(self) -> None:
        """What was indexed before the folders are listed has one, and what is listed is indexed by the end."""
        before = _newest(read_rows(self.top, lambda *_: None))
        digests: dict[str, str] = {}
        for mode in EvidenceMode:
            self._mode_folder(mode)
            for name in sorted(bundle_names(self.top, mode), key=age_key):
                digests[name] = self.bundle(self.top / name, name)
        self._index(digests, before)

    def bundle(self, folder: Path, shown: str) -> str:
        """Check one bundle; its digest."""
        self.bundles += 1
        try:
            sums = read_plain(folder / SUMS, MAX_SUMMARY)
        except OSError as error:
            self._find("sums_missing", f"{shown}/{SUMS}", str(error))
            return ""
        listed = dict(self._listed(sums, shown))
        present = self._present(folder, shown)
        for name in sorted(listed.keys() | present):
            self._file(folder, shown, name, listed.get(name), name in present)
        for name in sorted(RESERVED - {SUMS} - listed.keys()):
            self._find("unlisted_file", f"{shown}/{name}", "every bundle must list it")
        self._schema(folder, shown)
        return hashlib.sha256(sums).hexdigest()

    def against_index_of_its_root(self) -> None:
        folder = self.top.resolve()
        root = folder.parent.parent
        if not is_bundle_folder(folder.name) or not (root / INDEX).is_file():
            return
        name = f"{folder.parent.name}/{folder.name}"
        digest = hashlib.sha256(bytes_or_empty(folder / SUMS, MAX_SUMMARY)).hexdigest()
        if name not in _newest(read_rows(root, lambda *_: None)):
            settle(root)
        rows = [row for row in self._rows(root) if row.get("name") == name and row.get("kind") == "bundle"]
        if not rows:
            self._find("not_indexed", ".", "the index of its root does not name it")
        elif rows[-1].get("digest") != digest:
            self._find("index_digest", ".", "the index of its root has another digest")

    def _mode_folder(self, mode: EvidenceMode) -> None:
        folder = self.top / mode
        if folder.is_symlink():
            self._find("symlink", mode.value, "a link is not followed")
        elif folder.is_dir():
            for entry in sorted(os.listdir(folder)):
                if not is_bundle_folder(entry):
                    self._find("bad_name", f"{mode.value}/{entry}", "not a bundle's name")
                elif (folder / entry).is_symlink() or not (folder / entry).is_dir():
                    self._find("symlink", f"{mode.value}/{entry}", "a bundle is a real folder")

    def _listed(self, sums: bytes, shown: str) -> Iterator[tuple[str, str]]:
        """(file name, sum) of each usable line."""
        for at, text in enumerate(sums.decode("utf-8", "replace").splitlines(), 1):
            found = _SUM_LINE.fullmatch(text)
            if found is None:
                self._find("sums_malformed", f"{shown}/{SUMS}", f"line {at}")
            elif FILE_NAME.fullmatch(found[2]) is None:
                self._find("path_escape", f"{shown}/{SUMS}", f"line {at} names {plain(found[2][:120])!r}")
            else:
                yield found[2], found[1]

    def _present(self, folder: Path, shown: str) -> set[str]:
        names: set[str] = set()
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_symlink():
                    self._find("symlink", f"{shown}/{entry.name}", "a link is not followed")
                elif not entry.is_file(follow_symlinks=False):
                    self._find("not_a_file", f"{shown}/{entry.name}", "a bundle holds plain files only")
                elif entry.name != SUMS:
                    names.add(entry.name)
        return names

    def _file(self, folder: Path, shown: str, name: str, expected: str | None, present: bool) -> None:
        path = f"{shown}/{name}"
        if expected is None:
            self._find("unlisted_file", path, f"not in {SUMS}")
        elif not present:
            self._find("missing_file", path, f"listed in {SUMS}")
        else:
            self.files += 1
            try:
                found = _sum(folder / name)
                if found is None:
                    self._find("oversized", path, f"more than {MAX_FILE} bytes, not read")
                elif found != expected:
                    self._find("sum_mismatch", path, "its bytes changed after it was written")
            except OSError as error:
                self._find("unreadable_file", path, str(error))

    def _schema(self, folder: Path, shown: str) -> None:
        path = f"{shown}/summary.json"
        try:
            said = orjson.loads(read_plain(folder / "summary.json", MAX_SUMMARY))
            if said["schema_version"] != SCHEMA_VERSION:
                self._find("schema", path, f"version {plain(str(said['schema_version'])[:40])} is not known")
                return
            EvidenceStatus(said["status"])
            if not isinstance(said["facts"], dict) or not isinstance(said["at_ms"], int) or not said["reason"]:
                raise ValueError("facts, at_ms or reason")
            if said["name"] != f"{EvidenceMode(said['mode']).value}/{folder.resolve().name}":
                self._find("schema", path, "it names another bundle")
        except _FAULTS as error:
            self._find("schema", path, plain(f"{type(error).__name__}: {error}"[:160]))

    def _index(self, digests: dict[str, str], before: dict[str, str | None]) -> None:
        if digests.keys() != {name for name, digest in before.items() if digest is not None}:
            settle(self.top)
        said = _newest(self._rows(self.top))
        for name, digest in said.items():
            if digest is not None and name not in digests:
                if name in before:
                    self._find("bundle_missing", name, "indexed, but not there")
            elif digest is not None and digests[name] != digest:
                self._find("index_digest", name, "the index has another digest")
        for name in sorted(digests.keys() - said.keys()):
            self._find("not_indexed", name, "the index does not name it")
        if not said and not digests:
            self._find("no_evidence", ".", "neither a bundle nor an index")

    def _rows(self, root: Path) -> Iterator[dict[str, object]]:
        return read_rows(root, lambda code, detail: self._find(code, INDEX, detail))

    def _find(self, code: str, path: str, detail: str) -> None:
        self.findings.append(Finding(code, plain(path[:400]), detail))


def _newest(rows: Iterable[dict[str, object]]) -> dict[str, str | None]:
    """Name -> digest by the newest line about it; None once it was pruned."""
    return {str(row.get("name")): None if row.get("kind") == "pruned" else str(row.get("digest")) for row in rows}


def _sum(path: Path) -> str | None:
    """sha256 of a plain file; None when it is too large to read."""
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(file, "rb") as stream:
        about = os.fstat(stream.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise OSError("not a plain file")
        if about.st_size > MAX_FILE:
            return None
        return hashlib.file_digest(stream, "sha256").hexdigest()
