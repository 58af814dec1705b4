"""`gridops evidence`: what was written down, and whether it is still what was written."""

import os
from pathlib import Path
from typing import Annotated

import typer
from gridops.errors import ExitCode

from gridops_cli import render
from gridops_cli.app import sub_app
from gridops_cli.options import EvidenceOption, JsonOption

app = sub_app(group=True)

NameArgument = Annotated[
    str | None, typer.Argument(help="A bundle's folder, its name, or a mode for its newest; else the newest of all.")
]


@app.callback()
def evidence() -> None:
    """List, show, verify and prune evidence bundles.

    Example: gridops evidence list
    """


def _root(evidence_dir: str | None) -> Path:
    from gridops.usecases.place import evidence_root

    return evidence_root(evidence_dir, os.environ)


@app.command("list")
def list_(
    mode: Annotated[str | None, typer.Option("--mode", help="Only this mode, such as transition or kill.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="At most this many, newest first.")] = 20,
    evidence_dir: EvidenceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List bundles, newest first.

    Example: gridops evidence list --mode transition
    """
    from gridops.usecases import evidence_read

    found = evidence_read.listing(_root(evidence_dir), mode, limit)
    if as_json:
        render.document("evidence.list", found, found.evidence)
        return
    body = [[each.at, each.ref.mode, each.ref.status, each.ref.reason, each.name] for each in found.bundles]
    render.text(render.table(["at", "mode", "status", "reason", "name"], body) if body else ["no bundles"])
    render.evidence(found.evidence)


@app.command()
def show(name: NameArgument = None, evidence_dir: EvidenceOption = None, as_json: JsonOption = False) -> None:
    """Show one bundle: its summary and its files.

    Example: gridops evidence show kill
    """
    from gridops.usecases import evidence_read

    found = evidence_read.show(_root(evidence_dir), name)
    if as_json:
        render.document("evidence.show", found, found.evidence)
        return
    render.text(found.summary.splitlines())
    render.text(["", *render.table(["file", "bytes"], [[each, str(size)] for each, size in found.files])])
    render.evidence(found.evidence)


@app.command()
def verify(
    target: Annotated[str | None, typer.Argument(help="A bundle or a root; else the evidence root.")] = None,
    evidence_dir: EvidenceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check sums, chain and schema offline; exit 1 when anything is not as it was written.

    Example: gridops evidence verify
    """
    from gridops.usecases import evidence_read

    done = evidence_read.verify(_root(evidence_dir), target)
    report = done.report
    if as_json:
        render.document("evidence.verify", {"ok": report.ok, **render.as_json(done)}, done.evidence)
    else:
        findings = [f"{each.code}  {each.path}  {each.detail}" for each in report.findings]
        checked = f"{done.target}: {report.bundles} bundles, {report.files} files"
        render.text([*findings, f"{checked}, {len(findings)} findings" if findings else f"{checked}, all as written"])
        render.evidence(done.evidence)
    if not report.ok:
        raise typer.Exit(int(ExitCode.FINDING))


@app.command()
def prune(
    keep: Annotated[int, typer.Option("--keep", min=1, help="How many of each mode stay, the newest.")],
    evidence_dir: EvidenceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove old bundles; the index keeps a line for each, so the root still verifies.

    Example: gridops evidence prune --keep 100
    """
    from gridops.usecases import evidence_read

    done = evidence_read.prune(_root(evidence_dir), keep)
    if as_json:
        render.document("evidence.prune", done, done.evidence)
        return
    render.text([*done.removed, f"{len(done.removed)} bundles removed"])
    render.evidence(done.evidence)
