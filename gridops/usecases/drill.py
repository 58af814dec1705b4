"""Fire drills: list them, run them in virtual time, keep the evidence, and tell what changed since the last run.

The verdict is the simulator's, from the venue's truth and the journal; this finds the files, writes one bundle a drill
and reads old bundles back. Needs no engine, no network and no home.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from gridops import __version__
from gridops.adapters.evidence_list import BundleEntry, list_bundles, read_plain
from gridops.config import is_emulator
from gridops.domain.evidence_ref import EvidenceMode, EvidenceRef, EvidenceStatus
from gridops.domain.values import record
from gridops.errors import ConfigError
from gridops.resources import fixture
from gridops.sim.drill_catalogue import FILE, Scenario, read_catalogue
from gridops.sim.drill_rows import RowsWalked
from gridops.sim.drill_run import DrillReport, run_drill
from gridops.sim.drill_spec import Drill, read_drill
from gridops.usecases.command_evidence import Story, write
from gridops.usecases.place import Wanted, find

FOLDER = "drills"
MOST_ROWS = 20_000
"""Journal rows a bundle holds of one seed; the newest."""
_BUNDLES = 2_000
_SUMMARY = 16 * 1024 * 1024


@record
class LastRun:
    """The newest bundle of one drill. `changed` names what is not as it was then."""

    at: str
    ok: bool
    build: str
    changed: tuple[str, ...]
    evidence_dir: str


@record
class Listed:
    name: str
    tier: str
    title: str
    shows: str
    runbook: str
    last: LastRun | None


@record
class Outcome:
    """One drill: a report per seed. `skipped` says why it was not run here; such a drill has proven nothing."""

    name: str
    title: str
    runbook: str
    ok: bool
    skipped: str
    reports: tuple[DrillReport, ...]
    rows: RowsWalked | None
    """Coverage of the lifecycle table, when the drill asks for it."""
    evidence: EvidenceRef | None


def read_all() -> list[Drill]:
    """Every drill that came with this build, by name. ConfigError for one that is malformed."""
    return [read_drill(path) for path in sorted(fixture(FOLDER).glob("*.toml")) if path.name != FILE]


def scenarios() -> tuple[Scenario, ...]:
    """The catalogue: every scenario with the drills that rehearse it, or the reason why none does."""
    return read_catalogue(fixture(FOLDER), read_all())


def count(found: Sequence[Scenario]) -> dict[str, int]:
    """How many scenarios there are, and how many a drill covers."""
    covered = sum(each.covered for each in found)
    return {"scenarios": len(found), "covered": covered, "not_covered": len(found) - covered}


def listed(root: Path) -> list[Listed]:
    """Every drill with its last run in this evidence root."""
    last = _last_runs(root)
    return [
        Listed(
            name=drill.name,
            tier=drill.tier,
            title=drill.title,
            shows=drill.shows,
            runbook=drill.runbook,
            last=_last(last.get(drill.name), drill),
        )
        for drill in read_all()
    ]


def chosen(names: Sequence[str], *, everything: bool) -> list[Drill]:
    """The drills named, or all. A name may be a TOML file of one's own. ConfigError for a name that is none."""
    if everything == bool(names):
        raise ConfigError("name the drills, or say --all", hint="`gridops drill list` names them")
    known = fixture(FOLDER)
    if everything:
        return read_all()
    return [read_drill(_path(name, known)) for name in dict.fromkeys(names)]


def run(
    drill: Drill, root: Path, seeds: Sequence[int], said: Callable[[str], None], against: tuple[Path, str] | None = None
) -> Outcome:
    """Run one drill with each seed and write its bundle. `against`: home and account of an engine that runs."""
    reports: list[DrillReport] = []
    for seed in seeds:
        said(f"{drill.name}, seed {seed}: {drill.title}")
        reports.append(run_once(drill, seed, said, against))
    asks = any(expect.that == "every_row" for expect in drill.expects)
    rows = reports[0].rows_walked if asks else None
    ref = write(root, _story(drill, reports))
    return _outcome(drill, tuple(reports), "", rows, ref)


def engine_at(said: str, environment: Mapping[str, str]) -> tuple[Path, str] | None:
    """Home and account of the engine a drill shall act on; None for `paper`, a stage of the drill's own.

    ConfigError for an address: only a home holds the token by which its emulator takes faults, and none other may.
    """
    if said == "paper":
        return None
    if "://" in said or not Path(said).is_dir():
        where = "is no emulator of this machine" if not is_emulator(said) else "tells no control token"
        raise ConfigError(
            f"--against {said!r} {where if '://' in said else 'is no home'}",
            hint="name the home of the engine, as `gridops fsm show` prints it; the real venue is never drilled",
        )
    place = find(Wanted(home=said), environment, Path.cwd())
    return place.home.root, place.account


def run_once(
    drill: Drill, seed: int, said: Callable[[str], None], against: tuple[Path, str] | None = None
) -> DrillReport:
    """Where its tier wants it: in virtual time, in an empty folder, on an emulator of its own, or of that home."""
    if against is not None:
        from gridops.usecases.drill_wire import run_attached

        return run_attached(drill, seed, *against, said)
    if drill.tier == "command":
        from gridops.usecases.drill_command import run_command_drill

        return run_command_drill(drill, seed, said)
    if drill.tier == "wire":
        from gridops.usecases.drill_wire import run_wire_drill

        return run_wire_drill(drill, seed, said)
    return run_drill(drill, seed, said=said)


def _path(name: str, known: Path) -> Path:
    if name.endswith(".toml"):
        return Path(name)
    path = known / f"{name}.toml"
    if path.name == FILE or not re.fullmatch("[a-z0-9][a-z0-9-]*", name) or not path.is_file():
        names = ", ".join(sorted(each.stem for each in known.glob("*.toml") if each.name != FILE))
        raise ConfigError(f"drill {name!r} is unknown", hint=f"allowed: {names}")
    return path


def _outcome(
    drill: Drill, reports: tuple[DrillReport, ...], skipped: str, rows: RowsWalked | None, ref: EvidenceRef | None
) -> Outcome:
    return Outcome(
        name=drill.name,
        title=drill.title,
        runbook=drill.runbook,
        ok=bool(reports) and all(report.ok for report in reports),
        skipped=skipped,
        reports=reports,
        rows=rows,
        evidence=ref,
    )


def as_document(outcome: Outcome) -> dict[str, Any]:
    """What `--json` prints of one drill."""
    return {
        "name": outcome.name,
        "title": outcome.title,
        "runbook": outcome.runbook,
        "ok": outcome.ok,
        "skipped": outcome.skipped,
        "runs": [_facts(report) for report in outcome.reports],
        "rows": None if outcome.rows is None else _coverage(outcome.rows),
        "evidence": None if outcome.evidence is None else outcome.evidence.fields(),
    }


def _coverage(rows: RowsWalked) -> dict[str, Any]:
    return {
        "rows": rows.rows,
        "walked": list(rows.walked),
        "missed": list(rows.missed),
        "unreachable": dict(rows.unreachable),
    }


# Evidence.


def _story(drill: Drill, reports: Sequence[DrillReport]) -> Story:
    ok = all(report.ok for report in reports)
    facts: dict[str, object] = {
        "drill": drill.name,
        "ok": ok,
        "build": __version__,
        "code": code_digest(),
        "definition": _definition(drill),
        "seeds": [report.seed for report in reports],
        "runs": [_facts(report) for report in reports],
        "rows": _coverage(reports[0].rows_walked),
    }
    files = {"drill.toml": drill.source}
    for report in reports:
        files[f"records-{report.seed}.jsonl"] = b"\n".join(report.bodies[-MOST_ROWS:]) + b"\n"
    return Story(
        mode=EvidenceMode.DRILL,
        status=EvidenceStatus.OK if ok else EvidenceStatus.FINDING,
        reason="passed" if ok else "failed",
        title=f"drill {drill.name}: {'passed' if ok else 'FAILED'}: {drill.title}",
        facts=facts,
        files=files,
        told=_told(drill, reports),
    )


def _told(drill: Drill, reports: Sequence[DrillReport]) -> list[str]:
    """The verdict as a page: what was to be shown, each check of each seed, and where the account went meanwhile."""
    lines = [f"shows   {drill.shows}", f"covers  {', '.join(drill.covers) or 'no scenario of the catalogue'}"]
    lines += [f"build   {__version__}, code {code_digest()}, definition {_definition(drill)}"]
    lines += [f"runbook {drill.runbook}"]
    for report in reports:
        facts = _facts(report)
        lines += ["", f"seed {report.seed}: {'passed' if report.ok else 'FAILED'}, journal digest {report.digest}"]
        lines += [f"  {'pass' if check.ok else 'FAIL'}  {check.says}" for check in report.checks]
        lines += [f"  {each}" for each in facts["transitions"]]
    return lines


def _facts(report: DrillReport) -> dict[str, Any]:
    return {
        "seed": report.seed,
        "ok": report.ok,
        "checks": [{"ok": check.ok, "says": check.says} for check in report.checks],
        "detect_ms": report.detect_ms,
        "safe_ms": report.safe_ms,
        "worst_exposure": str(report.worst_exposure),
        "cap": str(report.cap),
        "transitions": [
            f"{each.at_ms} ms, input {each.seq}: {each.from_state} -> {each.to_state} by {each.event}: {each.reason}"
            for each in report.transitions
        ],
        "digest": report.digest,
    }


@cache
def code_digest() -> str:
    """Of every source file of this package: whether the engine is the one a drill was last run with."""
    package = Path(__file__).resolve().parents[1]
    made = sha256()
    for path in sorted(package.rglob("*.py")):
        made.update(str(path.relative_to(package)).encode() + b"\0" + path.read_bytes())
    return made.hexdigest()[:16]


def _definition(drill: Drill) -> str:
    return sha256(drill.source).hexdigest()[:16]


def _last_runs(root: Path) -> dict[str, tuple[BundleEntry, dict[str, Any]]]:
    """Drill -> its newest bundle with the facts it holds."""
    found: dict[str, tuple[BundleEntry, dict[str, Any]]] = {}
    for entry in list_bundles(root, EvidenceMode.DRILL, limit=_BUNDLES):
        facts = _read_facts(entry)
        name = facts.get("drill")
        if isinstance(name, str) and name not in found:
            found[name] = (entry, facts)
    return found


def _read_facts(entry: BundleEntry) -> dict[str, Any]:
    """Data of a file that anybody may have written: nothing is taken from a damaged one."""
    try:
        said = orjson.loads(read_plain(Path(entry.ref.evidence_dir or "") / "summary.json", _SUMMARY))
        facts = said["facts"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _last(found: tuple[BundleEntry, dict[str, Any]] | None, drill: Drill) -> LastRun | None:
    if found is None:
        return None
    entry, facts = found
    now = {"definition": _definition(drill), "build": __version__, "code": code_digest()}
    return LastRun(
        at=entry.at,
        ok=facts.get("ok") is True,
        build=str(facts.get("build", "")),
        changed=tuple(name for name, held in now.items() if facts.get(name) != held),
        evidence_dir=entry.ref.evidence_dir or "",
    )
