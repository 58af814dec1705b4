"""Every recorded and documented payload of a served kind finds its fields, JSON types and words in what we send."""

import asyncio
import csv
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.venue.payload_scenes import Kept, whole_day
from tests.venue.payload_schema import Shape, lacking, learn, words

pytestmark = pytest.mark.wire

NOT_SERVED = {
    "/sapi/": "another product: asking for it is counted as an unknown path",
    "/papi/": "another product: asking for it is counted as an unknown path",
    "/futures/data/": "statistics of the whole venue; this one has our accounts and a market source",
    "openInterest": "positions of the outside world are not modelled",
    "symbolAdlRisk": "there is no ranking of foreign positions",
    "allForceOrders": "withdrawn by the venue",
    "insuranceBalance": "the insurance fund has no bottom here",
    "assetIndex": "single-asset mode only",
    "multi_asset": "single-asset mode only",
    "constituents": "the index comes from the market source as one figure",
    "indexInfo": "no composite index symbol is traded",
    "compositeIndex": "no composite index symbol is traded",
    "EquityUpdate": "no equity contract is traded",
    "rpiDepth": "no retail price improvement orders",
    "STRATEGY_UPDATE": "grids that run at the venue are not offered",
    "sequence.": "whole life cycles, reproduced by test_core_sequences",
}
NOT_SENT = {
    "cumBase": "coin-margined contracts",
    "baseQty": "coin-margined contracts",
    "[].pair": "coin-margined contracts",
    "indicators.": "no quantitative rule is ever broken, so the table is empty",
    "settlePlan": "withdrawn by the venue",
    "orderType": "a misspelling of orderTypes in one client's test",
    "underlyingSubType[]": "the labels of a symbol's trade are not in its specification",
    "icebergQuantity": "null, which one recorder printed as text",
    "multiplierDecimal": "text in every recorded payload, a number in one client's test",
    "autoAssetExchange": "text in every recorded payload, a number in one client's test",
    "tradeId": "text or number, the sources disagree",
    "tranId": "text or number, the sources disagree",
    "isAutoAddMargin": "text or boolean, the sources disagree",
    "exchangeFilters": "empty at the venue; one generated example has an empty object in it",
    "k.s": "an older layout of one client's test",
    "result[].unrealizedProfit": "one client's spelling of unRealizedProfit",
}
NOT_THAT_KIND = {
    "GET_fapi_v2_positionRisk__go_binance__TestGetPositionRisk_0": "a v3 answer in a v2 test",
    "cancel_conditional_order__": "one client's test repeats the answer to placing",
    "go_binance__TestCancelAllOpenOrders_0": "an old answer with the code as text",
    "order_book__binance_connector_python": "the documentation moved the levels out of the result",
}
ORDER_STATES = "NEW PARTIALLY_FILLED FILLED CANCELED REJECTED EXPIRED EXPIRED_IN_MATCH"
ALGO_STATES = "NEW TRIGGERING TRIGGERED FINISHED CANCELED REJECTED EXPIRED"
ORDER_TYPES = "LIMIT MARKET STOP STOP_MARKET TAKE_PROFIT TAKE_PROFIT_MARKET TRAILING_STOP_MARKET LIQUIDATION"
TIFS, MATCHES = (
    "GTC IOC FOK GTX GTD",
    "NONE OPPONENT OPPONENT_5 OPPONENT_10 OPPONENT_20 QUEUE QUEUE_5 QUEUE_10 QUEUE_20",
)
STP, WORKING = "NONE EXPIRE_TAKER EXPIRE_MAKER EXPIRE_BOTH", "CONTRACT_PRICE MARK_PRICE"
# Closed sets of the venue's "common definition" page; SETTLING and the like are symbol states.
WORDS = {
    "side": "BUY SELL", "S": "BUY SELL", "type": ORDER_TYPES, "origType": ORDER_TYPES, "orderType": ORDER_TYPES,
    "orderTypes": ORDER_TYPES, "ot": ORDER_TYPES, "o": ORDER_TYPES, "act": ORDER_TYPES, "actualType": ORDER_TYPES,
    "timeInForce": TIFS, "f": TIFS, "status": f"{ORDER_STATES} TRADING SETTLING", "algoStatus": ALGO_STATES,
    "X": f"{ORDER_STATES} {ALGO_STATES} MARKET", "x": "NEW CANCELED CALCULATED EXPIRED TRADE AMENDMENT",
    "selfTradePreventionMode": STP, "V": STP, "priceMatch": MATCHES, "pm": MATCHES, "workingType": WORKING,
    "wt": WORKING, "positionSide": "BOTH LONG SHORT", "marginType": "CROSSED ISOLATED", "mt": "CROSSED ISOLATED",
    "m": "DEPOSIT WITHDRAW ORDER FUNDING_FEE INSURANCE_CLEAR MARGIN_TRANSFER MARGIN_TYPE_CHANGE "
    "ADMIN_DEPOSIT ADJUSTMENT", "deltaType": "USER_ADJUST TRADE",
    "incomeType": "TRANSFER REALIZED_PNL FUNDING_FEE COMMISSION INSURANCE_CLEAR", "cs": "TRADING SETTLING CLOSE",
    "rateLimitType": "REQUEST_WEIGHT ORDERS", "interval": "MINUTE SECOND", "contractType": "PERPETUAL",
    "ct": "PERPETUAL", "algoType": "CONDITIONAL", "at": "CONDITIONAL", "underlyingType": "COIN",
    "filterType": "PRICE_FILTER LOT_SIZE MARKET_LOT_SIZE MAX_NUM_ORDERS MAX_NUM_ALGO_ORDERS MIN_NOTIONAL "
    "PERCENT_PRICE POSITION_RISK_CONTROL",
}  # fmt: skip


@pytest.fixture(scope="module")
def said() -> Kept:
    return asyncio.run(whole_day())


def payloads(shared_data: Path) -> Iterator[tuple[dict[str, str], Any]]:
    """Index row and document of every USDT-M payload."""
    with (shared_data / "protocol" / "index.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["venue"] == "binance_usdm":
                yield row, json.loads((shared_data / "protocol" / row["file"]).read_text())


def bare(document: Any) -> Any:
    """Without the envelope of a combined stream."""
    return document["data"] if isinstance(document, dict) and set(document) == {"stream", "data"} else document


def shape_of(values: list[Any], like: Any) -> Shape:
    """Everything said under a kind; a list also counts as its rows where the other side has one row, and back."""
    shape = Shape()
    for value in map(bare, values):
        if isinstance(value, list) == isinstance(like, list):
            learn(shape, value)
        elif isinstance(value, list):
            for row in value:
                learn(shape, row)
        else:
            learn(shape, [value])
    return shape


def excused(row: dict[str, str], place: str, what: str) -> bool:
    """Text for a number is how one recorder keeps exact decimals."""
    text = "__ccxt__" in row["file"] and what == "type string, ours number"
    return text or any(part in place for part in NOT_SENT)


def test_every_served_kind_has_every_field_type_and_word(shared_data: Path, said: Kept) -> None:
    covered: dict[str, int] = defaultdict(int)
    reasons: dict[str, str] = {}
    wrong: list[str] = []
    for row, document in payloads(shared_data):
        kind, reason = row["kind"], next((text for part, text in NOT_SERVED.items() if part in row["kind"]), None)
        if reason is not None:
            assert kind not in said, f"{kind} is served: {reason}"
            reasons[kind] = reason
            continue
        assert kind in said, f"{kind} is neither served nor excused"
        if any(part in row["file"] for part in NOT_THAT_KIND):
            continue
        theirs = bare(document)
        shape = learn(Shape(), theirs)
        found = lacking(shape_of(said[kind], theirs), shape)
        wrong += [f"{row['file']}: {place} {what}" for place, what in found if not excused(row, place, what)]
        covered[kind] += 1
    report(covered, reasons)
    assert wrong == []


def report(covered: dict[str, int], reasons: dict[str, str]) -> None:
    """The list of kinds, for whoever reads the run with -s or a failure."""
    print(f"covered: {len(covered)} kinds, {sum(covered.values())} payloads")
    for kind, count in sorted(covered.items()):
        print(f"  {kind} ({count})")
    print(f"not covered: {len(reasons)} kinds")
    for kind, reason in sorted(reasons.items()):
        print(f"  {kind}: {reason}")


def test_every_word_we_say_belongs_to_the_venues_closed_sets(said: Kept) -> None:
    strange = {
        (name, word)
        for values in said.values()
        for name, word in words(list(map(bare, values)))
        if name in WORDS and word not in WORDS[name].split() and word != "BTCUSDT"
    }
    assert strange == set()


def test_the_closed_sets_contain_what_was_recorded(shared_data: Path) -> None:
    unknown = set()
    for row, document in payloads(shared_data):
        if any(part in row["kind"] for part in NOT_SERVED) or row["channel"] == "error":
            continue
        unknown |= {pair for pair in words(document) if pair[0] in WORDS and pair[1] not in WORDS[pair[0]].split()}
    assert {pair for pair in unknown if not pair[1].endswith(("USDT", "BTC"))} <= ELSEWHERE


# Delivery contracts and index symbols of the full list of instruments.
ELSEWHERE = {
    ("contractType", "CURRENT_QUARTER"), ("contractType", "NEXT_QUARTER"), ("contractType", "PERPETUAL_DELIVERING"),
    ("contractType", "CURRENT_QUARTER_DELIVERING"), ("underlyingType", "INDEX"), ("status", "PENDING_TRADING"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [({"a": 1}, {"a": "1"}), ({}, {"a": 1}), ({"a": []}, {"a": [{"b": 1}]}), ([1, "x"], [1, "x", 2]), ({}, [])],
)
def test_the_comparison_sees_a_missing_field_another_type_and_a_shorter_row(ours: Any, theirs: Any) -> None:
    assert lacking(learn(Shape(), ours), learn(Shape(), theirs))
    assert not lacking(learn(Shape(), theirs), learn(Shape(), theirs))
