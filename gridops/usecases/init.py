"""Writes a first `gridops.toml` for a symbol and an equity, with every figure inside what venue and caps allow.

Asks the venue for the symbol's rules and its mark price, by public reads alone. What it writes is read back through the
same door as any config before a byte reaches the disk; a file that stands there is never overwritten.
"""

import asyncio
import contextlib
import os
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from gridops.adapters.ccxt_client import VenueSettings
from gridops.adapters.clock import Clock
from gridops.adapters.redaction import Secrets
from gridops.config import FILE, Settings, load
from gridops.decide.sizing import Infeasible, feasible_lots, highest_price_ticks, lowest_price_ticks, rung_lots
from gridops.domain.evidence_ref import EvidenceMode, EvidenceRef, EvidenceStatus
from gridops.domain.instrument import Instrument
from gridops.domain.rules import GridRules
from gridops.domain.values import record
from gridops.errors import ConfigError, Refused, VenueUnavailable
from gridops.usecases import feasible
from gridops.usecases.command_evidence import Story, write
from gridops.usecases.init_text import Wish, text
from gridops.usecases.place import Place
from gridops.usecases.venue_session import BINANCE, PAPER, MarketOptions, open_session

MOST_LEVELS = 10
USED = Decimal("0.9")
"""Part of the cap that the rungs of one side fill: the rest is room for the price to move."""
SPACING_BPS = Decimal(6)
"""Above the 4 bps that a round trip costs at regular maker fees."""
WITHIN_S = 20.0
_CENT = Decimal("0.01")


@record
class InitOptions:
    symbol: str
    equity: Decimal
    """In the settlement asset: the most the worst case may come to."""
    venue: str
    market: str
    output: Path


@record
class InitReport:
    """Money in the settlement asset."""

    file: str
    symbol: str
    levels: int
    rung_low: Decimal
    """Smallest rung the venue takes, at the ladder's lowest price."""
    rung: Decimal
    rung_high: Decimal
    """Largest rung with which one side stays within the cap."""
    mark: Decimal
    digest: str
    evidence: EvidenceRef


def execute(place: Place, options: InitOptions) -> InitReport:
    """Choose, check and write. ConfigError where no size fits, Refused where the file exists."""
    file = options.output
    if os.path.lexists(file):
        raise Refused(f"{file} exists already", hint="`gridops config show` tells what it says; --output names another")
    made, mark = _ask(options)
    wish = choose(options, made, mark)
    body = text(wish)
    settings = _read_back(body)
    feasible.check_symbols([made])
    feasible.check(settings, [made])
    _write(file, body)
    return InitReport(
        file=str(file),
        symbol=options.symbol,
        levels=wish.levels,
        rung_low=wish.rung_low,
        rung=wish.rung,
        rung_high=wish.rung_high,
        mark=mark,
        digest=settings.digest,
        evidence=write(place.evidence_root, _story(wish, str(file), body)),
    )


def _story(wish: Wish, file: str, body: str) -> Story:
    return Story(
        mode=EvidenceMode.CONFIG,
        status=EvidenceStatus.OK,
        reason="init",
        title=f"{file} written: {wish.levels} rungs a side of about {wish.rung} {wish.settle} on {wish.symbol}",
        facts={"equity": str(wish.equity), "mark": str(wish.mark), "feasible": f"{wish.rung_low} to {wish.rung_high}"},
        files={FILE: body.encode()},
    )


def choose(options: InitOptions, made: Instrument, mark: Decimal) -> Wish:
    """The most rungs, up to ten a side, that each reach the venue's minimum and together stay within the equity."""
    ticks, cap_units = made.nearest_ticks(mark), made.units(options.equity)
    said: Infeasible | None = None
    for levels in range(MOST_LEVELS, 0, -1):
        rules = _grid(levels)
        lots = rung_lots(options.equity, rules, made, ticks, cap_units=cap_units)
        if isinstance(lots, Infeasible):
            said = lots
            continue
        low = feasible_lots(made, lowest_price_ticks(ticks, rules), cap_units, levels)[0]
        high = feasible_lots(made, highest_price_ticks(ticks, rules), cap_units, levels)[1]
        return Wish(
            symbol=options.symbol,
            settle=made.settle_asset,
            venue=options.venue,
            market=options.market,
            equity=options.equity,
            mark=mark,
            levels=levels,
            spacing_bps=SPACING_BPS,
            rung_fraction=_fraction(levels),
            rung_low=made.notional(ticks, low).quantize(_CENT),
            rung=made.notional(ticks, lots).quantize(_CENT),
            rung_high=made.notional(ticks, high).quantize(_CENT),
            max_order=min(options.equity, (2 * made.notional(ticks, lots)).to_integral_value(ROUND_CEILING)),
        )
    needed = Decimal(0) if said is None else (said.low_notional / USED).to_integral_value(ROUND_CEILING)
    raise ConfigError(
        f"--equity {options.equity} is refused: too little for one rung of {options.symbol} at {mark.quantize(_CENT)}",
        hint=f"allowed: from {needed} {made.settle_asset}, or another symbol",
    )


def _fraction(levels: int) -> Decimal:
    return (USED / levels).quantize(Decimal("0.0001"), ROUND_FLOOR)


def _grid(levels: int) -> GridRules:
    section = {"levels": levels, "rung_fraction": _fraction(levels), "spacing_bps": SPACING_BPS}
    return Settings.model_validate({"grid": section}).rules().grid


def _ask(options: InitOptions) -> tuple[Instrument, Decimal]:
    """The symbol's rules and its mark price, by public reads."""
    try:
        chosen = {"venue": {"url": options.venue, "market": options.market}, "grid": {"symbols": (options.symbol,)}}
        settings = Settings.model_validate(chosen)
    except ValueError as error:
        raise ConfigError(f"--symbol {options.symbol!r} is refused", hint="write it as BTCUSDT") from error
    if options.venue == BINANCE:
        where = VenueSettings(api_key="", api_secret="", symbols=(options.symbol,))
        return asyncio.run(_within(where, options.symbol))
    if options.venue != PAPER:
        raise ConfigError(f"--venue {options.venue!r} is refused", hint="allowed: paper, binance")
    market = MarketOptions(market=options.market, speed="1", from_ms=None, loop=False)
    with TemporaryDirectory() as folder:
        store = Path(folder) / "venue"
        session = open_session(settings, market=market, store=store, armed=False, environment={}, secrets=Secrets())
        try:
            return asyncio.run(_within(session.settings, options.symbol))
        finally:
            if session.handle is not None:
                with contextlib.suppress(VenueUnavailable):
                    session.handle.stop()


async def _within(where: VenueSettings, symbol: str) -> tuple[Instrument, Decimal]:
    try:
        return await asyncio.wait_for(_read(where, symbol), WITHIN_S)
    except TimeoutError:
        raise VenueUnavailable(f"the venue gave no answer within {WITHIN_S:.0f} s") from None


async def _read(where: VenueSettings, symbol: str) -> tuple[Instrument, Decimal]:
    from gridops.adapters.venue_queries import ReadFailed, VenueReads
    from gridops.adapters.venue_wire import Wire

    wire = Wire(where, Clock(), lambda _: None)
    reads = VenueReads(wire=wire, symbols=(symbol,), grids=dict, put=lambda _: None)
    try:
        made = {each.symbol: each for each in await reads.rules()}.get(symbol)
        if made is None:
            raise ConfigError(f"--symbol {symbol} is refused: the venue does not list it", hint="write it as BTCUSDT")
        reply = await wire.call("fapiPublicGetPremiumIndex", {"symbol": symbol})
        told = reply.payload if isinstance(reply.payload, dict) else {}
        mark = Decimal(str(told["markPrice"]))
    except (ReadFailed, ArithmeticError, KeyError) as error:
        raise VenueUnavailable(f"the venue does not say the rules and price of {symbol}") from error
    finally:
        with contextlib.suppress(Exception):
            await wire.close()
    if mark <= 0:
        raise VenueUnavailable(f"the venue has no mark price of {symbol} yet")
    return made, mark


def _read_back(body: str) -> Settings:
    with TemporaryDirectory() as folder:
        file = Path(folder) / FILE
        file.write_text(body, "utf-8")
        return load(file=file, environment={}).settings


def _write(file: Path, body: str) -> None:
    """Created, never replaced: a file that came in between stays."""
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(body)
            out.flush()
            os.fsync(out.fileno())
    except FileExistsError:
        raise Refused(f"{file} exists already", hint="--output names another") from None
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}", hint="--output names another") from error
