"""Look at evidence: list, show one bundle, verify offline, prune by count. Only pruning changes anything."""

from pathlib import Path

from gridops.adapters import evidence_list, evidence_verify
from gridops.adapters.evidence_files import SUMS
from gridops.adapters.evidence_list import BundleEntry
from gridops.adapters.evidence_prune import prune as prune_root
from gridops.adapters.evidence_verify import VerifyReport
from gridops.adapters.redaction import plain
from gridops.domain.evidence_ref import EvidenceMode, EvidenceRef, EvidenceStatus
from gridops.domain.values import record
from gridops.errors import ConfigError, EvidenceError
from gridops.usecases.command_evidence import Story, newest_of_all, write

_MAX_SHOWN = 256 * 1024


@record
class Listing:
    root: str
    bundles: tuple[BundleEntry, ...]
    evidence: EvidenceRef


@record
class Shown:
    """One bundle: what it says of itself, its summary, and its files with their sizes in bytes."""

    entry: BundleEntry
    summary: str
    files: tuple[tuple[str, int], ...]

    @property
    def evidence(self) -> EvidenceRef:
        return self.entry.ref


@record
class Verified:
    target: str
    report: VerifyReport
    evidence: EvidenceRef


@record
class Pruned:
    root: str
    removed: tuple[str, ...]
    evidence: EvidenceRef


def listing(root: Path, mode: str | None, limit: int) -> Listing:
    """Newest first. ConfigError for a mode that is none."""
    chosen = None if mode is None else _mode(mode)
    found = tuple(evidence_list.list_bundles(root, chosen, limit=limit))
    nothing = EvidenceRef.none_yet(chosen or EvidenceMode.EVIDENCE)
    return Listing(root=str(root), bundles=found, evidence=found[0].ref if found else nothing)


def show(root: Path, named: str | None) -> Shown:
    """The bundle of this name, of this mode's newest, or the newest of all. EvidenceError when there is none."""
    entry = _find(root, named)
    folder = root / entry.name
    summary = evidence_list.bytes_or_empty(folder / "summary.txt", _MAX_SHOWN).decode("utf-8", "replace")
    files = tuple(sorted((each.name, each.lstat().st_size) for each in folder.iterdir()))
    return Shown(entry=entry, summary=plain(summary, keep="\n\t"), files=files)


def verify(root: Path, target: str | None) -> Verified:
    """Check a bundle's folder, or a whole root. Findings are the report, and a bundle of their own."""
    folder = _target(root, target)
    report = evidence_verify.verify(folder)
    empty = not report.bundles and [each.code for each in report.findings] in (["no_evidence"], ["absent"])
    if target is None and empty:
        return Verified(target=str(folder), report=VerifyReport(0, 0, ()), evidence=newest_of_all(root))
    if report.ok:
        return Verified(target=str(folder), report=report, evidence=_verified_ref(root, folder))
    findings = [f"{each.code} {each.path}: {each.detail}" for each in report.findings]
    story = Story(
        mode=EvidenceMode.EVIDENCE,
        status=EvidenceStatus.FINDING,
        reason=report.findings[0].code,
        title=f"{len(findings)} findings in {folder}",
        facts={"target": str(folder), "bundles": report.bundles, "files": report.files, "findings": findings},
    )
    return Verified(target=str(folder), report=report, evidence=write(root, story))


def prune(root: Path, keep: int) -> Pruned:
    """Remove all but the newest `keep` of each mode; what was removed is a bundle of its own."""
    removed = prune_root(root, keep) if root.is_dir() else ()
    if not removed:
        return Pruned(root=str(root), removed=(), evidence=newest_of_all(root))
    story = Story(
        mode=EvidenceMode.EVIDENCE,
        status=EvidenceStatus.OK,
        reason="pruned",
        title=f"removed {len(removed)} bundles, kept the newest {keep} of each mode",
        facts={"keep": keep, "removed": list(removed)},
    )
    return Pruned(root=str(root), removed=removed, evidence=write(root, story))


def _find(root: Path, named: str | None) -> BundleEntry:
    if named is None or named in set(EvidenceMode):
        found = evidence_list.list_bundles(root, None if named is None else EvidenceMode(named), limit=1)
        entry = found[0] if found else None
    else:
        parts = Path(named).parts[-2:]
        entry = evidence_list.read_bundle(root, "/".join(parts))
    if entry is None:
        raise EvidenceError(f"no bundle {named or ''} in {root}".replace("  ", " "), hint="see `gridops evidence list`")
    return entry


def _target(root: Path, target: str | None) -> Path:
    if target is None:
        return root
    below = root / target
    return below if below.is_dir() and not Path(target).is_dir() else Path(target)


def _verified_ref(root: Path, folder: Path) -> EvidenceRef:
    if (folder / SUMS).is_file():
        entry = evidence_list.read_bundle(folder.parent.parent, f"{folder.parent.name}/{folder.name}")
        if entry is not None:
            return entry.ref
    return newest_of_all(folder if folder.is_dir() else root)


def _mode(text: str) -> EvidenceMode:
    try:
        return EvidenceMode(text)
    except ValueError as error:
        raise ConfigError(f"{text!r} is no mode of evidence", hint=f"one of {', '.join(EvidenceMode)}") from error
