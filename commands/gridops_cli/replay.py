"""`gridops replay`: does the journal still say what it said?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from gridops.errors import ExitCode

from gridops_cli import render
from gridops_cli.app import sub_app
from gridops_cli.options import AccountOption, ConfigOption, EvidenceOption, HomeOption, JsonOption, place

if TYPE_CHECKING:
    from gridops.usecases.replay import ReplayReport

app = sub_app()


@app.command()
def replay(
    journal: Annotated[
        str | None, typer.Option("--journal", help="A journal file; else the account's in the home.")
    ] = None,
    home: HomeOption = None,
    account: AccountOption = None,
    config: ConfigOption = None,
    evidence_dir: EvidenceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Re-run a journal and compare every row, state and digest.

    Exit 1 at the first divergence. Example: gridops replay --home .gridops
    """
    from gridops.usecases import replay as use_case

    where = place(home, account, config, evidence_dir)
    path = Path(journal) if journal else where.home.journal(where.account)
    report = use_case.execute(path, where.evidence_root)
    if as_json:
        render.document("replay", {"ok": report.ok, **render.as_json(report)}, report.evidence)
    else:
        render.text(_lines(report))
        render.evidence(report.evidence)
    if not report.ok:
        raise typer.Exit(int(ExitCode.FINDING))


def _lines(report: "ReplayReport") -> list[str]:
    other = "" if report.build == report.journal_build else f"; written by {report.journal_build or 'an unknown build'}"
    lines = render.pairs(
        [
            ("journal", report.journal),
            ("account", report.account),
            ("build", report.build + other),
            ("rows", f"{report.rows} ({report.from_seq} to {report.to_seq})"),
            ("checkpoints", f"{report.checkpoints} compared"),
            ("records digest", report.records_digest or "no records"),
            ("state digest", report.state_digest),
        ]
    )
    found = report.divergence
    if found is None:
        return [*lines, "result          equal: every row and every checkpoint came out as recorded"]
    seen = [f"  journal  {found.journaled}", f"  replay   {found.replayed}"]
    return [*lines, f"result          DIVERGED at input {found.seq} ({found.kind}): the {found.what} differs", *seen]
