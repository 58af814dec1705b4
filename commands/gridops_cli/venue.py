"""`gridops venue`: the emulator by hand, for any client that speaks the venue's protocol."""

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer
from gridops.errors import ConfigError

from gridops_cli import render
from gridops_cli.app import sub_app
from gridops_cli.options import (
    AccountOption,
    ConfigOption,
    EvidenceOption,
    HomeOption,
    JsonOption,
    place,
    seconds,
)

app = sub_app()


@app.callback(invoke_without_command=True)
def venue(
    ctx: typer.Context,
    market: Annotated[
        str, typer.Option("--market", help="synthetic:SEED[:REGIME] or recorded:PATH[,PATH...].")
    ] = "synthetic:1",
    faults: Annotated[str | None, typer.Option("--faults", help="TOML file of [[fault]] tables.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of whatever the venue draws.")] = 1,
    port: Annotated[int, typer.Option("--port", help="0 takes a free port.")] = 0,
    clock: Annotated[str, typer.Option("--clock", help="real, or manual: moved by the control port.")] = "real",
    start: Annotated[str | None, typer.Option("--from", help="Market time to start at, ISO in UTC or ms.")] = None,
    speed: Annotated[str, typer.Option("--speed", help="Of the market only; protocol clocks stay real.")] = "1",
    loop: Annotated[bool, typer.Option("--loop", help="Repeat a recording.")] = False,
    wallet: Annotated[str, typer.Option("--wallet", help="USDT of a new account.")] = "10000",
    idle_exit: Annotated[str, typer.Option("--idle-exit", help="Ends after this long without a client.")] = "15m",
    store: Annotated[
        str | None, typer.Option("--store", help="Folder of the account; else by-hand in the home.")
    ] = None,
    home: HomeOption = None,
    evidence_dir: EvidenceOption = None,
) -> None:
    """Run the venue emulator by hand, or list and stop the ones that run.

    The first line on stdout is JSON with its URLs and throw-away keys. Example: gridops venue --market synthetic:7
    """
    if ctx.invoked_subcommand is not None:
        return
    from gridops.usecases import venues
    from gridops.venue.options import VenueOptions, market_time_ms

    where = place(home, None, None, evidence_dir, for_start=True)
    done = venues.serve(
        where,
        VenueOptions(
            store=venues.store(where, store),
            market=market,
            port=port,
            speed=_number("--speed", speed),
            from_ms=None if start is None else market_time_ms(start),
            loop=loop,
            seed=seed,
            idle_exit_s=int(seconds("--idle-exit", idle_exit) or 0),
            clock=clock,
            faults=None if faults is None else Path(faults),
            wallet=_number("--wallet", wallet),
        ),
    )
    render.evidence(done.evidence, machine=True)
    raise typer.Exit(done.code)


@app.command("list")
def list_(
    home: HomeOption = None,
    account: AccountOption = None,
    config: ConfigOption = None,
    evidence_dir: EvidenceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the venues of this home that run.

    Example: gridops venue list
    """
    from gridops.usecases import venues

    found = venues.listing(place(home, account, config, evidence_dir))
    if as_json:
        render.document("venue.list", found, found.evidence)
        return
    body = [[each.name, str(each.pid), each.rest, each.market, each.account] for each in found.venues]
    titles = ["name", "pid", "rest", "market", "account"]
    render.text(render.table(titles, body) if body else [f"no venue runs in {found.home}"])
    render.evidence(found.evidence)


@app.command()
def stop(
    name: Annotated[str | None, typer.Argument(help="Name or account of the venue; else the only one.")] = None,
    home: HomeOption = None,
    account: AccountOption = None,
    config: ConfigOption = None,
    evidence_dir: EvidenceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stop a venue in order: its account is kept.

    Example: gridops venue stop by-hand
    """
    from gridops.usecases import venues

    done = venues.stop(place(home, account, config, evidence_dir), name)
    if as_json:
        render.document("venue.stop", done, done.evidence)
        return
    render.text([f"stopped {each.name} (pid {each.pid})" for each in done.venues])
    render.evidence(done.evidence)


@app.command()
def probe(
    venue: Annotated[
        str | None, typer.Option("--venue", help="binance, a loopback URL, or a running emulator; none only lists.")
    ] = None,
    symbol: Annotated[str, typer.Option("--symbol", help="What to ask about.")] = "BTCUSDT",
    with_order: Annotated[
        bool, typer.Option("--with-order", help="Allow one far post-only order of least size; cancelled at the end.")
    ] = False,
    home: HomeOption = None,
    account: AccountOption = None,
    config: ConfigOption = None,
    evidence_dir: EvidenceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what the emulator assumes of the real venue, and check what can be checked.

    Exits 1 when an assumption is refuted. Example: gridops venue probe
    """
    from gridops.usecases import venue_ask

    done = venue_ask.run(place(home, account, config, evidence_dir), venue, symbol, with_order=with_order)
    if as_json:
        render.document("venue.probe", done, done.evidence)
    else:
        body = [[each.name, each.verdict.value, each.statement, each.seen] for each in done.findings]
        render.text(render.table(["assumption", "verdict", "statement", "seen"], body))
        render.evidence(done.evidence)
    raise typer.Exit(int(done.refuted))


def _number(name: str, text: str) -> Decimal:
    try:
        found = Decimal(text)
    except InvalidOperation as error:
        raise ConfigError(f"{name} {text!r} is no number") from error
    if not found.is_finite():
        raise ConfigError(f"{name} {text!r} is not finite")
    return found
