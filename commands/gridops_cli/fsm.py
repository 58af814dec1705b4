"""`gridops fsm`: look at the lifecycle, and give an operator's word to the running engine."""

import os
from typing import TYPE_CHECKING, Annotated

import typer
from gridops.domain.vocabulary import OperatorCommand
from gridops.errors import ConfigError, ExitCode

from gridops_cli import render
from gridops_cli.app import sub_app
from gridops_cli.kill import kill
from gridops_cli.options import (
    AccountOption,
    AuthorOption,
    ConfigOption,
    EvidenceOption,
    HomeOption,
    JsonOption,
    ReasonOption,
    place,
    seconds,
)

if TYPE_CHECKING:
    from gridops.usecases.operate import SetSignal

FORMATS = ("text", "json", "mermaid", "dot", "markdown")

app = sub_app(group=True)


@app.callback()
def fsm() -> None:
    """Show the lifecycle, and pause, resume or acknowledge with a reason.

    Example: gridops fsm show
    """


@app.command()
def show(
    table: Annotated[bool, typer.Option("--table", help="The transition table alone, of no engine.")] = False,
    format_: Annotated[str, typer.Option("--format", help="One of text, json, mermaid, dot, markdown.")] = "text",
    home: HomeOption = None,
    account: AccountOption = None,
    config: ConfigOption = None,
    evidence_dir: EvidenceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show state, cause, open levels and last transitions.

    Example: gridops fsm show --format mermaid
    """
    from gridops.usecases import fsm_show

    from gridops_cli import fsm_text

    if format_ not in FORMATS:
        raise ConfigError(f"--format {format_!r} is refused", hint=f"allowed: {', '.join(FORMATS)}")
    chosen = "json" if as_json else format_
    if table:
        _show_table(chosen, evidence_dir)
        return
    report = fsm_show.execute(place(home, account, config, evidence_dir))
    if chosen == "json":
        render.document("fsm.show", report, report.evidence)
    else:
        render.text(fsm_text.lines(report, chosen))
        render.evidence(report.evidence, machine=chosen != "text")


def _show_table(form: str, evidence_dir: str | None) -> None:
    """The table itself: no engine, no home."""
    from gridops.domain.evidence_ref import EvidenceMode
    from gridops.usecases.command_evidence import newest
    from gridops.usecases.place import evidence_root

    from gridops_cli import fsm_text

    ref = newest(evidence_root(evidence_dir, os.environ), EvidenceMode.TRANSITION, EvidenceMode.FSM)
    if form == "json":
        render.document("fsm.table", {"rows": fsm_text.rows()}, ref)
    else:
        render.text(fsm_text.table_lines(form))
        render.evidence(ref, machine=form != "text")


def _tell(
    command: OperatorCommand,
    reason: str,
    author: str,
    where: tuple[str | None, str | None, str | None, str | None],
    as_json: bool,
    *,
    accept_position: bool = False,
    signal: "SetSignal | None" = None,
) -> None:
    from gridops.usecases import operate

    wish = operate.Wish(command=command, reason=reason, author=author, accept_position=accept_position, signal=signal)
    report = operate.execute(place(*where), wish)
    if as_json:
        render.document(f"fsm.{command}", report, report.evidence)
    else:
        word = "accepted" if report.accepted else "refused"
        render.text(render.pairs([(command.value, word), ("state", report.state), ("detail", report.detail)]))
        render.evidence(report.evidence)
    if not report.accepted:
        raise typer.Exit(int(ExitCode.REFUSED))


@app.command()
def pause(
    reason: ReasonOption,
    author: AuthorOption = "",
    home: HomeOption = None,
    account: AccountOption = None,
    config: ConfigOption = None,
    evidence_dir: EvidenceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pause quoting: cancel increasing orders, keep reduce-only ones.

    Example: gridops fsm pause --reason "news at 14:30"
    """
    _tell(OperatorCommand.PAUSE, reason, author, (home, account, config, evidence_dir), as_json)


@app.command()
def resume(
    reason: ReasonOption,
    author: AuthorOption = "",
    home: HomeOption = None,
    account: AccountOption = None,
    config: ConfigOption = None,
    evidence_dir: EvidenceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Lift an operator's pause; whatever else holds back stays.

    Example: gridops fsm resume --reason "news is over"
    """
    _tell(OperatorCommand.RESUME, reason, author, (home, account, config, evidence_dir), as_json)


@app.command()
def ack(
    reason: ReasonOption,
    accept_position: Annotated[
        bool, typer.Option("--accept-position", help="Also when the account is not flat: the position is accepted.")
    ] = False,
    author: AuthorOption = "",
    home: HomeOption = None,
    account: AccountOption = None,
    config: ConfigOption = None,
    evidence_dir: EvidenceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Acknowledge an emergency, so that the engine starts over.

    Example: gridops fsm ack --reason "cause found, account flat"
    """
    where = (home, account, config, evidence_dir)
    _tell(OperatorCommand.ACK, reason, author, where, as_json, accept_position=accept_position)


@app.command()
def signal(
    name: Annotated[str, typer.Argument(help="toxicity, loss_streak or maintenance.")],
    value: Annotated[str, typer.Argument(help="low, mid, high or 0..3 for toxicity; on or off for the others.")],
    reason: ReasonOption,
    ttl: Annotated[str, typer.Option("--ttl", help="How long it holds, such as 90s or 5m; at most a day.")] = "60s",
    author: AuthorOption = "",
    home: HomeOption = None,
    account: AccountOption = None,
    config: ConfigOption = None,
    evidence_dir: EvidenceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set a test signal by hand, until it expires; refused in live mode unless the config allows it.

    Example: gridops fsm signal toxicity high --ttl 30s --reason "drill"
    """
    from gridops.usecases import operate

    wanted = operate.read_signal(name, value, seconds("--ttl", ttl) or 0.0)
    where = (home, account, config, evidence_dir)
    _tell(OperatorCommand.SIGNAL, reason, author, where, as_json, signal=wanted)


app.command("emergency")(kill)
