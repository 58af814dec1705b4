"""`gridops config`: the settings in force, and where each one came from."""

import os

from gridops_cli import render
from gridops_cli.app import sub_app
from gridops_cli.options import AccountOption, ConfigOption, EvidenceOption, HomeOption, JsonOption, place

app = sub_app(group=True)


@app.callback()
def config() -> None:
    """Show or check the effective settings with the source of each.

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
