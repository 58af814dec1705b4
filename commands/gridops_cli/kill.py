"""`gridops kill`: the kill switch, over the control socket or without the engine. Also `gridops fsm emergency`."""

import os
from typing import Annotated

import typer
from gridops.domain.vocabulary import OperatorCommand
from gridops.errors import ConfigError, ExitCode

from gridops_cli import render
from gridops_cli.app import sub_app
from gridops_cli.options import (
    AccountOption,
    AuthorOption,
    ConfigOption,
    EvidenceOption,
    HomeOption,
    JsonOption,
    ReasonOption,
    place,
)

app = sub_app()


@app.command()
def kill(
    reason: ReasonOption,
    direct: Annotated[
        bool,
        typer.Option("--direct", help="Without the engine if it does not answer: kill it, cancel, flatten, verify."),
    ] = False,
    force: Annotated[
        str | None,
        typer.Option(
            "--force", help="With --direct: the account's name, typed, to act beside a holder that cannot die."
        ),
    ] = None,
    author: AuthorOption = "",
    home: HomeOption = None,
    account: AccountOption = None,
    config: ConfigOption = None,
    evidence_dir: EvidenceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stop all trading now: cancel, flatten, latch until an ack.

    Example: gridops kill --direct --reason "engine hangs"
    """
    from gridops.usecases import kill_direct, operate

    if force is not None and not direct:
        raise ConfigError("--force stands only beside --direct")
    where = place(home, account, config, evidence_dir)
    wish = operate.Wish(command=OperatorCommand.KILL, reason=reason, author=author)
    if direct:
        done = kill_direct.execute(where, wish, force=force, environment=os.environ)
        accepted, evidence, shown = True, done.evidence, render.as_json(done)
    else:
        said = operate.execute(where, wish)
        accepted, evidence, shown = said.accepted, said.evidence, {"by": "engine", **render.as_json(said)}
    if as_json:
        render.document("kill", shown, evidence)
    else:
        shown.pop("evidence")
        render.text(render.pairs([(name, str(held)) for name, held in shown.items()]))
        render.evidence(evidence)
    if not accepted:
        raise typer.Exit(int(ExitCode.REFUSED))
