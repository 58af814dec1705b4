"""Panels of money: position and exposure against the caps, the stress lines, fills and round trips."""

from decimal import Decimal

from textual.content import Content

from gridops.decide import drawdown
from gridops.domain.records import Filled, TripClosed
from gridops.domain.vocabulary import Side
from gridops.runtime import facts
from gridops.runtime.state import EngineState, SymbolState
from gridops.tui import figures
from gridops.tui.panels.scene import Scene, nothing
from gridops.tui.text import (
    BAD,
    GOOD,
    MUTED,
    STRONG,
    Drawn,
    age,
    amount,
    bar,
    clock,
    columns,
    gain_style,
    line,
    share_style,
    signed,
    since,
)

_BAR = 16


def exposure(scene: Scene) -> Drawn:
    """Position, worst-case exposure, drawdown and margin, each against its limit."""
    state, symbol = scene.state, scene.symbol
    if state is None or symbol is None:
        return nothing(scene, "unknown: no data")
    lines = [
        _position(scene, symbol),
        _equity(state, symbol),
        _exposure(state, symbol),
        *_drawdowns(state),
        _margin(scene, state, symbol),
    ]
    return Drawn(lines=tuple(lines[: scene.height]), age_ms=scene.boot_age_ms(symbol.view.mark_seen_ms))


def _position(scene: Scene, symbol: SymbolState) -> Content:
    held = symbol.instrument.quantity(symbol.position_lots)
    notional = symbol.instrument.notional(facts.mark_ticks(symbol), symbol.position_lots)
    known = age(scene.venue_age_ms(symbol.venue_lots_ms))
    venue = (
        f"venue {symbol.instrument.quantity(symbol.venue_lots)} read {known} ago"
        if symbol.venue_lots_ms
        else "never read"
    )
    # A read older than the newest fill cannot agree with it.
    agree = symbol.venue_lots == symbol.position_lots or symbol.venue_lots_ms <= symbol.last_fill_ms
    return line(
        ("position  ", MUTED), (f"{held}" if symbol.position_known else "unknown", STRONG),
        f"  worth {signed(notional)}  ", (venue, MUTED if agree else BAD),
    )  # fmt: skip


def _equity(state: EngineState, symbol: SymbolState) -> Content:
    asset = symbol.instrument.settle_asset
    open_gain, realised = facts.unrealised(symbol), state.ledger.realised.get(asset, Decimal(0))
    fees = state.ledger.fees.get(asset, Decimal(0))
    return line(
        ("equity    ", MUTED), (f"{amount(facts.equity(state))} {asset}", STRONG), ("  open ", MUTED),
        (signed(open_gain), gain_style(open_gain)), ("  realised ", MUTED), (signed(realised), gain_style(realised)),
        ("  fees ", MUTED), amount(fees),
    )  # fmt: skip


def _exposure(state: EngineState, symbol: SymbolState) -> Content:
    worst = symbol.instrument.unit * facts.wce_units(symbol)
    cap = state.rules.risk.symbol_cap
    share = worst / cap if cap > 0 else Decimal(1)
    total = sum((s.instrument.unit * facts.wce_units(s) for s in state.symbols.values()), start=Decimal(0))
    return line(
        ("exposure  ", MUTED), bar(share, _BAR), f" {amount(worst, 0)} of {amount(cap, 0)}",
        (f"  account {amount(total, 0)} of {amount(state.rules.risk.account_cap, 0)}", MUTED),
    )  # fmt: skip


def _drawdowns(state: EngineState) -> list[Content]:
    memory, rules = state.drawdown, state.rules.risk
    if memory.baseline is None:
        return [line(("drawdown  ", MUTED), "unknown: no sample yet")]
    lines = []
    for name, now, limit in (
        ("drawdown  ", drawdown.drawdown_bps(memory), rules.max_drawdown_bps),
        ("  today   ", drawdown.daily_bps(memory), rules.daily_drawdown_bps),
    ):
        share = Decimal(max(0, now)) / limit if limit else Decimal(1)
        lines.append(line((name, MUTED), bar(share, _BAR), f" {now} of {limit} bps"))
    return lines


def _margin(scene: Scene, state: EngineState, symbol: SymbolState) -> Content:
    ratio, limit = state.health.margin_ratio_bps, state.rules.risk.margin_ratio_bps
    share = Decimal(ratio) / limit if limit else Decimal(1)
    distance = figures.liquidation_bps(symbol)
    if symbol.venue_lots_ms <= symbol.last_fill_ms:
        told = "no venue read since the newest fill"
    elif not symbol.venue_lots:
        told = "flat"
    else:
        told = "liquidation not stated" if distance is None else f"liquidation {amount(distance, 0)} bps away"
    if not state.ledger.opened:
        return line(("margin    ", MUTED), "unknown: no venue read yet")
    return line(("margin    ", MUTED), (f"{ratio} of {limit} bps", share_style(share)), f"  {told}",
                (f"  read {age(scene.venue_age_ms(symbol.venue_lots_ms))} ago", MUTED))  # fmt: skip


def stress(scene: Scene) -> Drawn:
    """If price runs through all buys, or all sells, to the last rung."""
    state, symbol = scene.state, scene.symbol
    if state is None or symbol is None:
        return nothing(scene, "unknown: no data")
    lines: list[Content] = []
    for side, word in ((Side.BUY, "down"), (Side.SELL, "up")):
        found = figures.stress(state, scene.model.history, symbol, side)
        lines += [line((f"{word}: nothing rests on that side", MUTED))] if found is None else _stress(word, found)
    return Drawn(lines=tuple(lines[: scene.height]), age_ms=scene.boot_age_ms(symbol.view.mark_seen_ms))


def _stress(word: str, found: figures.Stress) -> list[Content]:
    held = "flat" if found.average is None else f"{found.quantity} @ {amount(found.average, 1)}"
    if found.liquidation is not None and found.distance_bps is not None:
        where = f"liquidation ~{amount(found.liquidation, 1)}, {amount(found.distance_bps, 0)} bps beyond"
    elif found.rate is None or found.equity is None:
        where = "liquidation not known: the venue has not shown a margin with a position yet"
    else:
        where = "no liquidation: equity covers it to the end" if found.quantity else "no liquidation: flat"
    return [
        line(
            (f"{word} to {found.at_price}: ", STRONG), held,
            ("  notional ", MUTED), amount(found.notional, 0), ("  equity ", MUTED), amount(found.equity),
            (f" ({signed(found.unrealised)})", gain_style(found.unrealised)),
        ),
        line(("  " + where, MUTED)),
    ]  # fmt: skip


def fills(scene: Scene) -> Drawn:
    """Round trips and fills, newest first."""
    state, history = scene.state, scene.model.history
    if state is None:
        return nothing(scene, "unknown: no data")
    counters = state.counters
    lines = [
        line(
            ("this journal: ", MUTED), f"{counters.fills} fills  {counters.trips} round trips  net ",
            (signed(counters.trips_net, 4), gain_style(counters.trips_net)),
        )
    ]  # fmt: skip
    found = [(e.seq, e.at_ms, _fill(state, e.at_ms, e.said)) for e in list(history.fills)[-scene.height :]]
    found += [(e.seq, e.at_ms, _trip(state, e.at_ms, e.said)) for e in list(history.trips)[-scene.height :]]
    found.sort(key=lambda each: each[0], reverse=True)
    lines += [each[2] for each in found]
    if not found:
        lines.append(line(("none in the rows looked at", MUTED)))
    newest = found[0][1] if found else 0
    return Drawn(lines=tuple(lines[: scene.height]), age_ms=since(newest, scene.now_ms))


def _fill(state: EngineState, at_ms: int, said: Filled) -> Content:
    fill = said.fill
    symbol = state.symbols.get(fill.symbol)
    price = str(fill.price_ticks) if symbol is None else str(symbol.instrument.price(fill.price_ticks))
    quantity = str(fill.lots) if symbol is None else str(symbol.instrument.quantity(fill.lots))
    style = GOOD if fill.side is Side.BUY else BAD
    return columns(
        [
            ((clock(at_ms), MUTED), 8),
            ((f"{fill.side.lower()}", style), 5),
            (f"{fill.level:+d}", -4),
            (quantity, -8),
            (f"@ {price}", 13),
            (("maker" if fill.maker else "taker", MUTED), 5),
            ((f"fee {amount(fill.fee, 4)} {fill.fee_asset}", MUTED), 0),
        ]
    )


def _trip(state: EngineState, at_ms: int, said: TripClosed) -> Content:
    symbol = state.symbols.get(said.symbol)
    quantity = str(said.lots) if symbol is None else str(symbol.instrument.quantity(said.lots))
    return columns(
        [
            ((clock(at_ms), MUTED), 8),
            (("trip", "$text-accent"), 5),
            (f"{said.level:+d}", -4),
            (quantity, -8),
            ((signed(said.net, 4), gain_style(said.net)), 13),
            ((f"{said.net_bps:+d} bps", gain_style(said.net)), 8),
            ((f"held {age(said.exit_ms - said.entry_ms)} {said.close_reason}", MUTED), 0),
        ]
    )
