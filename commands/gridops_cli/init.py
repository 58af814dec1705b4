"""`gridops init`: a first config whose sizes are feasible."""

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer
from gridops.errors import ConfigError

from gridops_cli import render
from gridops_cli.app import sub_app
from gridops_cli.options import EvidenceOption, JsonOption, place

app = sub_app()


@app.command()
def init(
    symbol: Annotated[str, typer.Option("--symbol", help="What to trade, such as BTCUSDT.")] = "BTCUSDT",
    equity: Annotated[
        str, typer.Option("--equity", help="Worst-case exposure you accept, settlement asset.")
    ] = "10000",
    venue: Annotated[str, typer.Option("--venue", help="paper, or binance (public reads, no key).")] = "paper",
    market: Annotated[
        str, typer.Option("--market", help="Of the paper venue: synthetic:SEED or recorded:PATH[,PATH...].")
    ] = "synthetic:7",
    output: Annotated[str, typer.Option("--output", help="File to write; never overwritten.")] = "gridops.toml",
    evidence_dir: EvidenceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a commented config for a symbol and an equity, sizes feasible.

    Example: gridops init --symbol BTCUSDT --equity 5000
    """
    from gridops.usecases import init as use_case

    options = use_case.InitOptions(
        symbol=symbol, equity=_money(equity), venue=venue, market=market, output=Path(output)
    )
    report = use_case.execute(place(None, None, None, evidence_dir, for_start=True), options)
    if as_json:
        render.document("init", render.as_json(report), report.evidence)
        return
    chosen = f"{report.levels} rungs a side of about {report.rung}, feasible {report.rung_low} to {report.rung_high}"
    render.text(
        [
            f"{report.file}: {chosen} at {report.mark:.2f}",
            "next: `gridops config check`, `gridops doctor`, `gridops run`",
        ]
    )
    render.evidence(report.evidence)


def _money(text: str) -> Decimal:
    try:
        found = Decimal(text)
    except InvalidOperation:
        found = Decimal(0)
    if not found.is_finite() or not 0 < found <= Decimal("1e9"):
        raise ConfigError(f"--equity {text!r} is refused", hint="allowed: above 0, at most 1e9, such as 5000")
    return found
