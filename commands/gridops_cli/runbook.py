"""`gridops runbook`: print a page, or run what it says to look at."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from gridops.errors import ExitCode

from gridops_cli import render
from gridops_cli.app import sub_app
from gridops_cli.options import EvidenceOption, HomeOption, JsonOption

if TYPE_CHECKING:
    from gridops.usecases.runbook import Ran

app = sub_app()


@app.command()
def runbook(
    name: Annotated[str | None, typer.Argument(help="PAGE, or PAGE#SECTION; else the pages are listed.")] = None,
    execute: Annotated[bool, typer.Option("--execute", help="Run its commands that only look, and show both.")] = False,
    home: HomeOption = None,
    evidence_dir: EvidenceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a runbook page, or run what it says to look at.

    Example: gridops runbook fsm --execute
    """
    from gridops.domain.evidence_ref import EvidenceMode
    from gridops.usecases import runbook as use_case
    from gridops.usecases.command_evidence import newest
    from gridops.usecases.place import evidence_root

    root = evidence_root(evidence_dir, os.environ)
    if name is None:
        ref = newest(root, EvidenceMode.RUNBOOK)
        if as_json:
            render.document("runbook.list", {"runbooks": use_case.names()}, ref)
            return
        render.text(use_case.names())
        render.evidence(ref)
        return
    page = use_case.execute(name, root, _environment(home, root)) if execute else use_case.read(name, root)
    if as_json:
        render.document("runbook", page, page.evidence)
    else:
        render.text(page.text.splitlines() if not execute else [*_answers(page.ran), f"verdict: {page.verdict}"])
        render.evidence(page.evidence)
    if not page.ok:
        raise typer.Exit(int(ExitCode.FINDING))


def _environment(home: str | None, root: Path) -> dict[str, str]:
    """The commands of a page look at the same home and evidence."""
    said = {"GRIDOPS_EVIDENCE_DIR": str(root)} | ({"GRIDOPS_HOME": home} if home else {})
    return {**os.environ, **said}


def _answers(ran: "Sequence[Ran]") -> list[str]:
    lines: list[str] = []
    for each in ran:
        lines += [f"$ {each.command}", *(f"  {line}" for line in (each.out + each.err).splitlines())]
        lines += [f"  exit {each.exit_code}" if each.exit_code is not None else "", ""]
    return lines
