"""What commands print: data on stdout, narration on stderr, the evidence line plain and unbroken.

Tables are built here and not by Rich: they never wrap, pad or colour, and cost no import.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer
from gridops.adapters.redaction import every_known, plain
from gridops.domain.evidence_ref import EvidenceRef, line


def evidence(ref: EvidenceRef, *, machine: bool = False) -> None:
    """The one line every command prints: stdout, or stderr when stdout is a machine's."""
    typer.echo(line(ref), err=machine)


def document(command: str, report: Any, ref: EvidenceRef) -> None:
    """A report as one JSON document with its schema; the evidence line goes to stderr."""
    body = as_json(report)
    body.pop("evidence", None)
    typer.echo(every_known().redact(dumps({"schema": f"gridops.{command}/1", **body, "evidence": ref.fields()})))
    evidence(ref, machine=True)


def as_json(report: Any) -> dict[str, Any]:
    """A report or mapping as JSON-ready data."""
    found = _jsonable(report)
    assert isinstance(found, dict)
    return found


def dumps(body: Mapping[str, Any]) -> str:
    return json.dumps(body, indent=2, default=str, ensure_ascii=True)


def narrate(text: str) -> None:
    """A line for the person at the terminal."""
    typer.echo(plain(every_known().redact(text)), err=True)


def text(lines: Sequence[str]) -> None:
    """Lines of data, safe on any terminal and without a secret this process has met."""
    known = every_known()
    for each in lines:
        typer.echo(plain(known.redact(each.rstrip()), keep="\t"))


def table(titles: Sequence[str], rows: Sequence[Sequence[str]], *, indent: str = "") -> list[str]:
    """Left-aligned columns, two blanks apart, the last one open."""
    cells = [titles, *rows]
    widths = [max(len(row[at]) for row in cells) for at in range(len(titles))]
    return [
        (indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))).rstrip()
        for row in cells
    ]


def pairs(items: Sequence[tuple[str, str]]) -> list[str]:
    """`name  value` lines."""
    width = max((len(name) for name, _ in items), default=0)
    return [f"{name.ljust(width)}  {held}".rstrip() for name, held in items]


def age(ms: int) -> str:
    """A span for people: `840 ms`, `12 s`, `3 min 4 s`, `2 h 5 min`, `3 d 4 h`."""
    if ms < 1_000:
        return f"{ms} ms"
    whole = ms // 1_000
    for size, name, below, below_name in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            return f"{whole // size} {name} {whole % size // below} {below_name}"
    return f"{whole} s"


def when(at_ms: int) -> str:
    """UTC, to the second."""
    return datetime.fromtimestamp(at_ms // 1_000, UTC).strftime("%Y-%m-%d %H:%M:%SZ") if at_ms else "never"


def _jsonable(held: Any) -> Any:
    if isinstance(held, EvidenceRef):
        return held.fields()
    if is_dataclass(held) and not isinstance(held, type):
        return {each.name: _jsonable(getattr(held, each.name)) for each in fields(held)}
    if isinstance(held, Mapping):
        return {str(name): _jsonable(inner) for name, inner in held.items()}
    if isinstance(held, list | tuple):
        return [_jsonable(inner) for inner in held]
    return str(held) if isinstance(held, Path) else held
