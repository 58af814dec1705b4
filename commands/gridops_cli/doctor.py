"""`gridops doctor`: is everything ready for a run?"""

import os
from typing import Annotated

import typer
from gridops.errors import ExitCode

from gridops_cli import render
from gridops_cli.app import sub_app
from gridops_cli.options import AccountOption, ConfigOption, EvidenceOption, HomeOption, JsonOption, place

app = sub_app()


@app.command()
def doctor(
    fingerprint: Annotated[bool, typer.Option("--fingerprint", help="Print this account's fingerprint alone.")] = False,
    bundle: Annotated[bool, typer.Option("--bundle", help="Keep the answers as evidence.")] = False,
    home: HomeOption = None,
    account: AccountOption = None,
    config: ConfigOption = None,
    evidence_dir: EvidenceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check config, keys, clock, disk, filters, sizes, modes and journal.

    Asks the venue, reads only; exit 1 on a finding. Example: gridops doctor
    """
    from gridops.usecases import doctor as use_case

    report = use_case.execute(place(home, account, config, evidence_dir), os.environ, bundle=bundle)
    if as_json:
        render.document("doctor", {"ok": report.ok, **render.as_json(report)}, report.evidence)
    elif fingerprint:
        render.text([report.fingerprint or "none: no key of a venue is configured"])
        render.evidence(report.evidence)
    else:
        rows = [
            (each.answer, each.name, each.detail + (f" ({each.hint})" if each.hint else "")) for each in report.checks
        ]
        render.text(render.table(("answer", "check", "detail"), rows))
        render.evidence(report.evidence)
    if not report.ok:
        raise typer.Exit(int(ExitCode.FINDING))
