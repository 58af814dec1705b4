"""`gridops replay`: does the journal still say what it said, why did it decide so, and what would a setting change?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from gridops.errors import ConfigError, ExitCode

from gridops_cli import render
from gridops_cli.app import sub_app
from gridops_cli.options import AccountOption, ConfigOption, EvidenceOption, HomeOption, JsonOption, place

if TYPE_CHECKING:
    from gridops.usecases.explain import Explained
    from gridops.usecases.replay import ReplayReport
    from gridops.usecases.what_if import WhatIf

app = sub_app()
SHOWN = 20
"""Decisions of one level that the text shows; the bundle and the JSON document hold all."""


@app.command()
def replay(
    bundle: Annotated[
        str | None, typer.Argument(help="An incident bundle's folder, with the slice of a journal in it.")
    ] = None,
    journal: Annotated[
        str | None, typer.Option("--journal", help="A journal file; else the account's in the home.")
    ] = None,
    explain: Annotated[
        int | None, typer.Option("--explain", help="A level, such as -1: why each decision about it, and why no other.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", help="KEY=VALUE, such as grid.hold_band=0.5: what it would have decided."),
    ] = None,
    home: HomeOption = None,
    account: AccountOption = None,
    config: ConfigOption = None,
    evidence_dir: EvidenceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Re-run a journal and compare every row, state and digest.

    Exit 1 at the first divergence. Example: gridops replay --explain -1
    """
    from gridops.usecases import replay as use_case
    from gridops.usecases.explain import Explainer
    from gridops.usecases.what_if import Comparison

    if explain is not None and changes:
        raise ConfigError("--explain and --set were both given", hint="ask one thing at a time")
    explainer = Explainer(explain) if explain is not None else None
    comparison = Comparison(changes) if changes else None
    if bundle and journal:
        raise ConfigError("a bundle and --journal were both given", hint="re-run one of them")
    where = place(home, account, config, evidence_dir)
    path = Path(bundle or journal or "") if bundle or journal else where.home.journal(where.account)
    report = use_case.execute(path, where.evidence_root, explainer or comparison)
    if as_json:
        body = {"ok": report.ok, **render.as_json(report)}
        if explainer is not None:
            body["decisions"] = [render.as_json(each) for each in explainer.found]
        if comparison is not None:
            body["what_if"] = render.as_json(comparison.result())
        render.document("replay", body, report.evidence)
    else:
        lines = _lines(report)
        lines += _explained(explainer.level, explainer.found) if explainer is not None else []
        lines += _compared(comparison.result()) if comparison is not None else []
        render.text(lines)
        render.evidence(report.evidence)
    if not report.ok:
        raise typer.Exit(int(ExitCode.FINDING))


def _explained(level: int, found: "list[Explained]") -> list[str]:
    lines = ["", f"level {level:+d}: {len(found)} decisions, the newest {min(len(found), SHOWN)} below"]
    for each in found[-SHOWN:]:
        instead = each.instead + (f" ({each.instead_cost})" if each.instead_cost else "")
        lines += [
            f"{render.when(each.at_ms)}  input {each.seq}  {each.symbol}  {each.decision} ({each.rule})",
            f"  case     {each.case}",
            f"  why      {each.why}",
            f"  cost     {each.cost}",
            f"  instead  {instead}",
        ]
        if each.retry_ms:
            lines.append(f"  again    {render.when(each.retry_ms)}")
    return lines


def _compared(found: "WhatIf") -> list[str]:
    names = sorted(found.before.keys() | found.after.keys())
    counts = [(name, found.before.get(name, 0), found.after.get(name, 0)) for name in names]
    rows = [(name, str(was), str(would), f"{would - was:+d}" if would != was else "") for name, was, would in counts]
    lines = [
        "",
        f"with {found.setting}: {found.differing} of {found.moments} moments decide something else",
        *render.table(("decision", "as it was", "would be", ""), rows),
    ]
    first = found.first
    if first is None:
        return [*lines, "first difference: none"]
    return [
        *lines,
        f"first difference: input {first.seq}, {render.when(first.at_ms)}, {first.symbol} level {first.level:+d}",
        f"  as it was  {first.before or 'no decision'}",
        f"  would be   {first.after or 'no decision'}",
    ]


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
