"""`gridops run`: trade, and say afterwards what happened."""

import os
import sys
from typing import TYPE_CHECKING, Any

import typer
from gridops.errors import ExitCode

from gridops_cli import attached, proof, render
from gridops_cli.app import sub_app
from gridops_cli.options import AccountOption, ConfigOption, EvidenceOption, HomeOption, JsonOption, place, seconds
from gridops_cli.run_options import (
    ArmedOption,
    DryRunOption,
    DurationOption,
    FreshOption,
    FromOption,
    HeadlessOption,
    LoopOption,
    MarketOption,
    RestartProofOption,
    SpeedOption,
    StopModeOption,
    StopOnExitOption,
    VenueOption,
    YesOption,
)

if TYPE_CHECKING:
    from gridops.config import Loaded
    from gridops.usecases.place import Place
    from gridops.usecases.run import Progress, RunReport

app = sub_app()


@app.command()
def run(
    duration: DurationOption = None,
    armed: ArmedOption = None,
    venue: VenueOption = None,
    market: MarketOption = None,
    start: FromOption = None,
    speed: SpeedOption = None,
    loop: LoopOption = False,
    fresh: FreshOption = False,
    headless: HeadlessOption = False,
    stop_on_exit: StopOnExitOption = False,
    stop_mode: StopModeOption = None,
    dry_run: DryRunOption = False,
    restart_proof: RestartProofOption = False,
    yes: YesOption = False,
    home: HomeOption = None,
    account: AccountOption = None,
    config: ConfigOption = None,
    evidence_dir: EvidenceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Trade the grid until told to stop, then say what happened.

    Example: gridops run --duration 60s --market synthetic:7
    """
    proof.check(wanted=restart_proof, yes=yes, fresh=fresh, dry_run=dry_run)
    where = place(home, account, config, evidence_dir, for_start=True)
    screen = attached.on_terminal() and not headless and not as_json and not dry_run
    if screen and not restart_proof:
        attached.run(where, sys.argv[1:], stop_on_exit=stop_on_exit)
        return
    from gridops.config import load
    from gridops.venue.options import market_time_ms

    options = {
        "account.name": account,
        "venue.url": venue,
        "venue.market": market,
        "venue.speed": speed,
        "operations.stop_mode": stop_mode,
    }
    loaded = load(file=where.config, environment=os.environ, options=options)
    from_ms = None if start is None else market_time_ms(start)
    if dry_run:
        _rehearse(loaded, where, from_ms, loop, as_json)
        return
    if restart_proof:
        proof.show(loaded, where, from_ms, loop, yes=yes, machine=as_json)
    if screen:
        attached.run(where, proof.without(sys.argv[1:]), stop_on_exit=stop_on_exit)
        return
    from gridops import bootstrap

    live = loaded.settings.account.mode == "live"
    status = StatusLine() if sys.stderr.isatty() and not headless else None
    report = bootstrap.execute(
        bootstrap.RunOptions(
            loaded=loaded,
            home=where.home,
            evidence_root=where.evidence_root,
            environment=os.environ,
            armed=not live if armed is None else armed,
            duration_s=seconds("--duration", duration),
            from_ms=from_ms,
            loop=loop,
            fresh=fresh,
            log_stderr=headless and loaded.settings.operations.log_stderr,
            on_progress=None if status is None else status.show,
            on_started=lambda about: _started(about, where),
        )
    )
    if status is not None:
        status.end()
    _tell(report, where, as_json)


def _tell(report: "RunReport", where: "Place", as_json: bool) -> None:
    """The summary, its evidence, and by the exit code whether the run ended in order."""
    from gridops_cli import run_text

    refs = run_text.references(report, where.evidence_root)
    if as_json:
        render.document("run", run_text.body(report), refs[0])
    else:
        render.text(run_text.lines(report))
        for ref in refs:
            render.evidence(ref)
    if not report.clean:
        raise typer.Exit(int(ExitCode.FINDING))


def _rehearse(loaded: "Loaded", where: "Place", from_ms: int | None, loop: bool, as_json: bool) -> None:
    """Plan, print, and say whether the engine would quote."""
    from gridops.usecases import dry_run

    from gridops_cli import dry_run_text

    options = dry_run.DryRunOptions(
        loaded=loaded,
        home=where.home,
        evidence_root=where.evidence_root,
        environment=os.environ,
        from_ms=from_ms,
        loop=loop,
    )
    report = dry_run.execute(options)
    if as_json:
        render.document("dry_run", {"quoting": report.quoting, **render.as_json(report)}, report.evidence)
    else:
        render.text(dry_run_text.lines(report))
        render.evidence(report.evidence)
    if not report.quoting:
        raise typer.Exit(int(ExitCode.FINDING))


def _started(about: dict[str, Any], where: "Place") -> None:
    from gridops.usecases import settings_known

    settings_known.remember(where, os.environ)
    render.narrate(", ".join(f"{name} {held}" for name, held in about.items() if held is not None))


class StatusLine:
    """One line on the terminal, rewritten each second; never on stdout."""

    def __init__(self) -> None:
        self._shown = 0

    def show(self, seen: "Progress") -> None:
        text = (
            f"{seen.state} {seen.since_s}s  {seen.bid}/{seen.ask}  position {seen.position}  working {seen.working}  "
            f"fills {seen.fills}  trips {seen.trips}  equity {seen.equity}"
        )
        sys.stderr.write("\r" + text.ljust(self._shown))
        sys.stderr.flush()
        self._shown = len(text)

    def end(self) -> None:
        if self._shown:
            sys.stderr.write("\n")
