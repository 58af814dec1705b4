"""`gridops config`: the settings in force, and where each one came from."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from gridops.errors import ConfigError

from gridops_cli import render
from gridops_cli.app import sub_app
from gridops_cli.options import AccountOption, ConfigOption, EvidenceOption, HomeOption, JsonOption, place

if TYPE_CHECKING:
    from gridops.usecases.place import Place

app = sub_app(group=True)


@app.callback()
def config() -> None:
    """Show, check or compare the effective settings, with the source of each.

    Example: gridops config show
    """


@app.command()
def show(
    home: HomeOption = None,
    account: AccountOption = None,
    config: ConfigOption = None,
    evidence_dir: EvidenceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show every setting with its value and source.

    Example: gridops config show --config gridops.toml
    """
    from gridops.usecases import settings_show

    report = settings_show.execute(place(home, account, config, evidence_dir), os.environ)
    if as_json:
        render.document("config.show", report, report.evidence)
        return
    body = [[each.key, each.value, each.source] for each in report.settings]
    render.text([*render.table(["setting", "value", "source"], body), "", f"digest {report.digest}"])
    render.evidence(report.evidence)


@app.command()
def check(
    home: HomeOption = None,
    account: AccountOption = None,
    config: ConfigOption = None,
    evidence_dir: EvidenceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check the settings; a refusal names the key, its value and what is allowed.

    Example: gridops config check --config gridops.toml
    """
    from gridops.usecases import settings_show

    report = settings_show.execute(place(home, account, config, evidence_dir), os.environ)
    if as_json:
        render.document("config.check", {"ok": True, "file": report.file, "digest": report.digest}, report.evidence)
        return
    render.text([f"{report.file}: {len(report.settings)} settings are valid", f"digest {report.digest}"])
    render.evidence(report.evidence)


@app.command()
def diff(
    against: Annotated[
        str | None, typer.Option("--against", help="Another config file; else what the account last ran with.")
    ] = None,
    ladder: Annotated[
        bool,
        typer.Option("--ladder", help="Also ask the venue and show what would become of each order; sends nothing."),
    ] = False,
    home: HomeOption = None,
    account: AccountOption = None,
    config: ConfigOption = None,
    evidence_dir: EvidenceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show which settings changed, and what the change would do.

    A change acts at the next start of the engine. Example: gridops config diff --ladder
    """
    from gridops.usecases import settings_diff

    where = place(home, account, config, evidence_dir)
    other = None if against is None else Path(against)
    if other is not None and not other.is_file():
        raise ConfigError(f"{against} is no file", hint="--against names a gridops.toml")
    report = settings_diff.execute(where, os.environ, other)
    if as_json and not ladder:
        render.document("config.diff", {"equal": not report.changes, **render.as_json(report)}, report.evidence)
        return
    if not as_json:
        rows = [(each.key, each.was or "-", each.now, each.source, "; ".join(each.rules)) for each in report.changes]
        shown = render.table(("setting", "was", "now", "source", "rules"), rows) if rows else ["nothing differs"]
        render.text([f"{report.file} against {report.against}", *shown])
    if ladder:
        _ladder(where, render.as_json(report), as_json=as_json)
    else:
        render.evidence(report.evidence)


def _ladder(where: "Place", changes: dict[str, object], *, as_json: bool) -> None:
    """The plan of a run with these settings, below the settings that led to it."""
    from gridops.config import load
    from gridops.usecases import dry_run

    from gridops_cli import dry_run_text

    loaded = load(file=where.config, environment=os.environ)
    options = dry_run.DryRunOptions(
        loaded=loaded, home=where.home, evidence_root=where.evidence_root, environment=os.environ
    )
    plan = dry_run.execute(options)
    if as_json:
        changes.pop("evidence", None)
        render.document("config.diff", {"settings": changes, "ladder": render.as_json(plan)}, plan.evidence)
        return
    render.text(["", *dry_run_text.lines(plan)])
    render.evidence(plan.evidence)
