"""`gridops triage`: where to begin when something is wrong, on one page."""

import os
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer
from gridops.errors import ConfigError, ExitCode

from gridops_cli import render
from gridops_cli.app import sub_app
from gridops_cli.options import AccountOption, ConfigOption, EvidenceOption, HomeOption, JsonOption, place, seconds

if TYPE_CHECKING:
    from gridops.usecases.place import Place
    from gridops.usecases.triage import TriageReport
    from gridops.usecases.triage_claims import Checked

app = sub_app()
SINCE = "15m"
WATCH_S = 2.0


@app.command()
def triage(
    since: Annotated[str, typer.Option("--since", help="How far back to tell, such as 5m or 1h.")] = SINCE,
    watch: Annotated[bool, typer.Option("--watch", help="Look again every two seconds until interrupted.")] = False,
    bundle: Annotated[bool, typer.Option("--bundle", help="Write the incident bundle; replay can re-run it.")] = False,
    venue: Annotated[
        bool, typer.Option("--venue", help="Also ask the venue, reads only, and mark where it disagrees.")
    ] = False,
    sanity: Annotated[bool, typer.Option("--sanity", help="Check this installation, a line each; no engine.")] = False,
    claims: Annotated[bool, typer.Option("--claims", help="What is claimed, and what proves it; no engine.")] = False,
    home: HomeOption = None,
    account: AccountOption = None,
    config: ConfigOption = None,
    evidence_dir: EvidenceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Name the first cause, on one page.

    Exit 1 on a finding. Example: gridops triage --since 1h
    """
    if sum((watch, bundle, sanity, claims)) > 1:
        raise ConfigError("--watch, --bundle, --sanity and --claims exclude each other", hint="give one of them")
    if venue and (watch or bundle or sanity or claims):
        raise ConfigError(
            "--venue goes with the page alone", hint="give it without --watch, --bundle, --sanity, --claims"
        )
    if sanity or claims:
        _checks("sanity" if sanity else "claims", evidence_dir, as_json)
        return
    span_s = seconds("--since", since) or 0.0
    where = place(home, account, config, evidence_dir)
    if watch:
        _watch(where, span_s, as_json)
    from gridops.usecases import triage as use_case

    if bundle:
        from gridops.usecases import triage_bundle

        report = triage_bundle.execute(where, os.environ, span_s)
    else:
        report = use_case.execute(where, os.environ, span_s)
    if venue:
        from gridops.usecases import triage_venue

        report = replace(report, venue=triage_venue.look(where, os.environ, span_s))
    _show(report, as_json)
    if report.found or report.venue_in_doubt:
        raise typer.Exit(int(ExitCode.FINDING))


def _show(report: "TriageReport", as_json: bool) -> None:
    from gridops_cli import triage_text

    if as_json:
        render.document("triage", report, report.evidence)
        return
    render.text(triage_text.lines(report))
    render.evidence(report.evidence)


def _watch(where: "Place", span_s: float, as_json: bool) -> None:
    """The page again and again; a bundle only when the first cause is another one than before."""
    from gridops.usecases import triage as use_case
    from gridops.usecases.triage_read import gather

    last = ""
    while True:
        looked = gather(where, os.environ)
        cause = use_case.cause(looked)
        report = use_case.report(where, looked, span_s, keep=cause != last)
        last = cause
        if sys.stdout.isatty() and not as_json:
            typer.echo("\x1b[H\x1b[2J", nl=False)
        _show(report, as_json)
        time.sleep(WATCH_S)


def _checks(kind: str, evidence_dir: str | None, as_json: bool) -> None:
    from gridops.usecases import triage_claims
    from gridops.usecases.place import evidence_root

    root = evidence_root(evidence_dir, os.environ)
    report = triage_claims.sanity(root) if kind == "sanity" else triage_claims.claims(root)
    if as_json:
        render.document(f"triage.{kind}", {"ok": report.ok, **render.as_json(report)}, report.evidence)
    else:
        render.text([_line(each) for each in report.checks])
        render.evidence(report.evidence)
    if not report.ok:
        raise typer.Exit(int(ExitCode.FINDING))


def _line(check: "Checked") -> str:
    return f"{check.verdict:8}  {check.name:28}  {check.detail}".rstrip()
