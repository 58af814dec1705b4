"""The incident bundle: what an inquiry needs, in one folder that any machine can check and re-run.

Journal slice with its checkpoint, settings with sources, metrics, end of the log, timeline and the page itself. A part
that cannot be had is a line of `missing.txt`; secrets are blanked by the writer.
"""

import json
import os
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

from gridops.adapters.journal_reader import JournalReader
from gridops.adapters.redaction import Secrets, plain
from gridops.domain.evidence_ref import EvidenceMode, EvidenceStatus
from gridops.errors import GridopsError
from gridops.usecases import triage, triage_slice
from gridops.usecases.command_evidence import Story, write
from gridops.usecases.place import Place
from gridops.usecases.triage import TriageReport
from gridops.usecases.triage_read import Gathered, gather

LOG_TAIL = 1_000_000
METRICS_MOST = 4_000_000
WITHIN_S = 2.0


def execute(place: Place, environment: Mapping[str, str], since_s: float) -> TriageReport:
    """Look once and keep everything. The report's evidence is the incident bundle."""
    found = gather(place, environment)
    report = triage.report(place, found, since_s, keep=False)
    return _with_bundle(report, place, found, since_s, environment)


def _with_bundle(
    report: TriageReport, place: Place, found: Gathered, since_s: float, environment: Mapping[str, str]
) -> TriageReport:
    files: dict[str, bytes] = {}
    missing: list[str] = []
    since_ms = found.snapshot.now_ms - int(since_s * 1_000)
    _try(files, missing, "journal slice", lambda: _slice(place, since_ms))
    _try(files, missing, "metrics", lambda: {"metrics.txt": _metrics(found)})
    _try(files, missing, "log", lambda: {"log.jsonl": _log(place)})
    _try(files, missing, "settings", lambda: {"settings.txt": _settings(place, environment)})
    _try(files, missing, "page", lambda: {"triage.json": _json(report)})
    _try(files, missing, "timeline", lambda: {"timeline.txt": _timeline(report)})
    if missing:
        files["missing.txt"] = ("\n".join(missing) + "\n").encode()
    first = report.first
    story = Story(
        mode=EvidenceMode.INCIDENT,
        status=EvidenceStatus.FINDING if report.found else EvidenceStatus.OK,
        reason=first.reason if first is not None and report.found else "asked",
        title=f"incident bundle of {report.account}",
        facts={
            "account": report.account, "home": report.home, "process": report.process, "state": report.fsm.state,
            "first": None if first is None else f"{first.question}: {first.reason}", "missing": missing,
            "since_ms": since_ms, "replay": "gridops replay FOLDER",
        },
        files=files,
    )  # fmt: skip
    return replace(report, evidence=write(place.evidence_root, story, _secrets()))


def _try(files: dict[str, bytes], missing: list[str], what: str, make: Callable[[], Mapping[str, bytes]]) -> None:
    try:
        files.update(make())
    except (GridopsError, OSError, ValueError, KeyError, TypeError) as error:
        missing.append(plain(f"{what}: {type(error).__name__}: {error}"[:300]))


def _slice(place: Place, since_ms: int) -> dict[str, bytes]:
    with JournalReader(place.home.journal(place.account)) as reader:
        return triage_slice.cut(reader, since_ms)


def _metrics(found: Gathered) -> bytes:
    port = (found.pulse.reply or {}).get("metrics_port")
    if not isinstance(port, int):
        raise OSError("no engine answers")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=WITHIN_S) as answer:
        body: bytes = answer.read(METRICS_MOST)
    return body


def _log(place: Place) -> bytes:
    """The end of the newest log file, from a whole line on."""
    logs = sorted(place.home.log_dir.glob("*.jsonl"), key=lambda path: path.stat().st_mtime)
    if not logs:
        raise OSError(f"no log in {place.home.log_dir}")
    with logs[-1].open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - LOG_TAIL))
        tail = file.read()
    return tail if size <= LOG_TAIL else tail.partition(b"\n")[2]


def _settings(place: Place, environment: Mapping[str, str]) -> bytes:
    from gridops.config import load

    loaded = load(file=place.config, environment=environment)
    lines = [
        f"{section}.{key} = {held}  ({loaded.sources.get(f'{section}.{key}', 'default')})"
        for section, content in loaded.settings.model_dump(mode="json").items()
        for key, held in content.items()
    ]
    return ("\n".join(lines) + "\n").encode()


def _timeline(report: TriageReport) -> bytes:
    told = report.recent.timeline if report.recent is not None else ()
    return "".join(f"{each.at_ms} {each.seq} {each.what}\n" for each in reversed(told)).encode()


def _json(report: TriageReport) -> bytes:
    return json.dumps(_plain(report), indent=1, default=str).encode()


def _plain(held: object) -> object:
    if is_dataclass(held) and not isinstance(held, type):
        return {each.name: _plain(getattr(held, each.name)) for each in fields(held)}
    if isinstance(held, Mapping):
        return {str(name): _plain(inner) for name, inner in held.items()}
    if isinstance(held, list | tuple):
        return [_plain(inner) for inner in held]
    return str(held) if isinstance(held, Path) else held


def _secrets() -> Secrets:
    """Whatever of the environment is named as a secret is blanked in every byte."""
    secrets = Secrets()
    for name, held in os.environ.items():
        if len(held) >= 8 and any(word in name.upper() for word in ("SECRET", "TOKEN", "PASSWORD", "API_KEY")):
            secrets.register(held)
    return secrets
