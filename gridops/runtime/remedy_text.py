"""A look at both sides as one JSON document: what differs, what would end it, and which gate stops that.

Read by `remedy` for its answers and its evidence. It decides nothing.
"""

from json import dumps

from gridops.decide import tieout_rows
from gridops.decide.remedies import Item, RemedyPlan
from gridops.decide.sync import slot
from gridops.decide.sync_table import ROWS
from gridops.domain.vocabulary import QueryKind
from gridops.runtime import facts, tie
from gridops.runtime.state import EngineState, SymbolState

MOST_CAUSES = 40


def document(
    state: EngineState, proposed: RemedyPlan, missing: list[str], *, refused: str, done: list[str], applied: bool
) -> str:
    """Money and units as text, ages in ms; stable for equal states."""
    body = {
        "state": state.fsm.state.value,
        "digest": proposed.digest,
        "refused_by": refused or proposed.refused_by,
        "not_read": missing,
        "symbols": [_symbol(state, state.symbols[name]) for name in sorted(state.symbols)],
        "wallet": _wallet(state),
        "tieout": _tieout(state),
        "items": [_item(item) for item in proposed.items],
        "applied": done if applied else None,
    }
    return dumps(body, ensure_ascii=True)


def _symbol(state: EngineState, symbol: SymbolState) -> dict[str, object]:
    instrument = symbol.instrument
    read_ms = state.sync.last_ok.get(slot(QueryKind.POSITIONS, ""), 0)
    return {
        "symbol": symbol.symbol,
        "local": str(instrument.quantity(symbol.position_lots)),
        "venue": str(instrument.quantity(symbol.venue_lots)),
        "local_lots": symbol.position_lots,
        "venue_lots": symbol.venue_lots,
        "read_age_ms": state.now_ms - read_ms if read_ms else None,
        "local_orders": len(symbol.orders),
        "venue_orders": len(symbol.listed),
        "wce_quote": str(instrument.unit * facts.wce_units(symbol)),
        "leverage": symbol.leverage or None,
    }


def _wallet(state: EngineState) -> list[dict[str, str]]:
    ledger = state.ledger
    assets = sorted({*ledger.wallet, *ledger.venue_wallet})
    return [
        {"asset": asset, "local": str(ledger.wallet.get(asset, 0)), "venue": str(ledger.venue_wallet.get(asset, 0))}
        for asset in assets
        if ledger.wallet.get(asset) or ledger.venue_wallet.get(asset)
    ]


def _tieout(state: EngineState) -> dict[str, object]:
    """Our rows against those the venue lists, up to when complete income was asked for last; 0 = never."""
    rows = state.ledger.tie
    return {
        "covered_ms": rows.covered_ms,
        "residual": {asset: f"{amount:f}" for asset, amount in sorted(tie.residuals(state).items())},
        "causes": list(tieout_rows.lines(tieout_rows.wrong(rows, rows.covered_ms)))[:MOST_CAUSES],
    }


def _item(item: Item) -> dict[str, object]:
    return {
        "remedy": item.remedy.value,
        "kind": item.kind.value,
        "severity": item.severity.value,
        "symbol": item.symbol,
        "key": item.key,
        "local": item.local,
        "venue": item.venue,
        "safe": item.safe,
        "automatic": item.automatic,
        "writes": item.writes,
        "ready": item.ready,
        "why": item.why,
        "impact": ROWS[item.kind].impact,
        "gates": [{"gate": name, "allowed": not why, "detail": why} for name, why in item.gates],
        "refused_by": item.refused_by,
        "wce_before": item.wce_before,
        "wce_after": item.wce_after,
        "lots": item.lots,
    }
