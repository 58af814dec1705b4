"""The one writer of evidence bundles: a folder of plain files that `sha256sum -c` can check.

Everything is written to a temporary folder of the same root, synced, and made visible by one rename, so a bundle is
whole or absent. Registered secrets are blanked in every byte. A bundle is never overwritten. Writing blocks on the
disk: whatever protects the account goes through `evidence_queue`.
"""

import hashlib
import itertools
import os
import re
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import orjson

from gridops.adapters.evidence_index import TEMP, bundle_row, locked
from gridops.adapters.evidence_list import read_plain
from gridops.adapters.redaction import Secrets, plain, plain_json
from gridops.domain.evidence_ref import EvidenceMode, EvidenceRef, EvidenceStatus, bundle_name
from gridops.domain.values import record
from gridops.errors import EvidenceError

SCHEMA_VERSION = 1
SUMS = "sha256sums.txt"
MAX_BUNDLE = 256 * 1024 * 1024
_REASON = re.compile(r"[A-Za-z0-9_.:*-]{1,120}")
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
# Only text: a secret inside something compressed could not be seen.
SUFFIXES = frozenset({".txt", ".json", ".jsonl", ".csv", ".html", ".md", ".toml"})
RESERVED = frozenset({"summary.txt", "summary.json", "context.json", SUMS})


@record
class Bundle:
    """What shall be written. The caller hands the contents over and does not change them afterwards."""

    mode: EvidenceMode
    status: EvidenceStatus
    reason: str
    at_ms: int
    seq: int
    summary_text: str
    summary: dict[str, object]
    """JSON-ready facts, found under `facts` in summary.json; Decimals become strings."""
    files: Mapping[str, bytes]
    """The records and inputs it speaks of, by plain file name (`records.jsonl`)."""
    context: dict[str, object]
    """Build, config hash, environment fingerprint without secrets, thresholds in force."""


class EvidenceWriter:
    """Writes bundles below one root, for one run."""

    def __init__(self, root: Path, *, run8: str, secrets: Secrets | None = None) -> None:
        self.root = root
        self.run8 = run8
        self._secrets = secrets or Secrets()
        self._attempt = itertools.count()

    def name(self, mode: EvidenceMode, at_ms: int, seq: int) -> str:
        """`<mode>/<time>-<run8>-<seq>`, below the root: known as soon as the record is."""
        return bundle_name(mode, at_ms=at_ms, run8=self.run8, seq=seq)

    def folder(self, mode: EvidenceMode, at_ms: int, seq: int) -> str:
        """The folder as it will stand in `evidence_dir`."""
        return str(self.root / self.name(mode, at_ms, seq))

    def write(self, bundle: Bundle) -> EvidenceRef:
        """Write and index it. EvidenceError if it cannot be, or if another bundle has its name.

        The same bundle written twice stays one.
        """
        reason = self._reason(bundle)
        contents = self._contents(bundle, reason)
        sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(contents.items()))
        name = self.name(bundle.mode, bundle.at_ms, bundle.seq)
        try:
            self._place(name, {**contents, SUMS: sums.encode()}, bundle.status, reason)
        except OSError as error:
            raise EvidenceError(
                f"cannot write evidence {name} under {self.root}: {error.strerror or error}",
                hint="check free space and permissions, or choose another --evidence-dir",
            ) from error
        digest = hashlib.sha256(sums.encode()).hexdigest()
        return EvidenceRef(bundle.mode, bundle.status, reason, str(self.root / name), digest)

    def _reason(self, bundle: Bundle) -> str:
        reason = self._secrets.redact(bundle.reason)
        if _REASON.fullmatch(reason) is None:
            raise EvidenceError(f"not a reason code: {plain(reason[:120])!r}")
        return reason

    def _contents(self, bundle: Bundle, reason: str) -> dict[str, bytes]:
        for name in bundle.files:
            _refuse_bad_name(name)
        contents = {
            **({} if any(name.endswith(".jsonl") for name in bundle.files) else {"records.jsonl": b""}),
            **bundle.files,
            "summary.txt": plain(bundle.summary_text.rstrip("\n") + "\n", keep="\n\t").encode(),
            "summary.json": _document(self._summary(bundle, reason)),
            "context.json": _document({**bundle.context, "schema_version": SCHEMA_VERSION}),
        }
        if (size := sum(map(len, contents.values()))) > MAX_BUNDLE:
            raise EvidenceError(f"evidence of {size} bytes is larger than {MAX_BUNDLE}")
        return {name: self._secrets.redact(data) for name, data in contents.items()}

    def _summary(self, bundle: Bundle, reason: str) -> dict[str, object]:
        return {
            "schema_version": SCHEMA_VERSION,
            "name": self.name(bundle.mode, bundle.at_ms, bundle.seq),
            "mode": bundle.mode.value,
            "status": bundle.status.value,
            "reason": reason,
            "at_ms": bundle.at_ms,
            "at": datetime.fromtimestamp(bundle.at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            + f".{bundle.at_ms % 1000:03d}Z",
            "run": self.run8,
            "seq": bundle.seq,
            "facts": bundle.summary,
        }

    def _place(self, name: str, contents: Mapping[str, bytes], status: EvidenceStatus, reason: str) -> None:
        temp = self.root / TEMP / f"{os.getpid()}-{next(self._attempt)}-{name.replace('/', '-')}"
        target = self.root / name
        temp.mkdir(parents=True)
        try:
            for file_name, data in contents.items():
                _write_synced(temp / file_name, data)
            _sync_folder(temp)
            _make_mode_folder(target.parent)
            self._publish(temp, target, status, reason)
        finally:
            shutil.rmtree(temp, ignore_errors=True)

    def _publish(self, temp: Path, target: Path, status: EvidenceStatus, reason: str) -> None:
        """Make it visible and indexed, both under the index lock."""
        sums = (temp / SUMS).read_bytes()
        name = f"{target.parent.name}/{target.name}"
        row = bundle_row(name, status.value, reason, hashlib.sha256(sums).hexdigest())
        with locked(self.root) as index:
            index.adopt()
            if target.exists():
                _require_same(target, sums)
                if not index.holds(name):
                    index.append(row)
                return
            index.mark_pending(name)
            temp.rename(target)
            _sync_folder(target.parent)
            index.append(row)
            index.clear_pending()


def _refuse_bad_name(name: str) -> None:
    if FILE_NAME.fullmatch(name) is None or Path(name).suffix not in SUFFIXES or name in RESERVED:
        raise EvidenceError(f"not a file name for evidence: {plain(name[:120])!r}")


def _require_same(target: Path, sums: bytes) -> None:
    if read_plain(target / SUMS, MAX_BUNDLE) != sums:
        raise EvidenceError(f"evidence {target} exists and says something else; it stays as it is")


def _make_mode_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if folder.is_symlink():
        raise EvidenceError(f"{folder} is a link; evidence is not written through links")


def _document(content: Mapping[str, object]) -> bytes:
    options = orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS
    try:
        return plain_json(orjson.dumps(content, default=str, option=options))
    except TypeError as error:
        raise EvidenceError(f"evidence holds what JSON cannot say: {error}") from error


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
