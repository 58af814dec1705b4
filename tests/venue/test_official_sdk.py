"""The venue's own published client, given only other base addresses, trades, listens and reads without a surprise.

Its models are generated from the venue's API description, so every answer it parses is judged by a second source. It
takes seconds to import, so nothing of it is imported while tests are being collected.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from gridops.venue.handle import VenueHandle, spawn
from gridops.venue.options import VenueOptions

pytestmark = pytest.mark.wire
SYMBOL = "BTCUSDT"


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VenueHandle]:
    handle = spawn(VenueOptions(store=tmp_path_factory.mktemp("venue"), market="synthetic:11", idle_exit_s=60))
    yield handle
    handle.stop()


def client_of(venue: VenueHandle, secret: str | None = None) -> Any:
    from binance_common import configuration
    from binance_sdk_derivatives_trading_usds_futures import DerivativesTradingUsdsFutures

    keys: dict[str, Any] = {"api_key": venue.api_key, "api_secret": secret or venue.api_secret}
    return DerivativesTradingUsdsFutures(
        config_rest_api=configuration.ConfigurationRestAPI(**keys, base_path=venue.rest, retries=0, timeout=5_000),
        config_ws_api=configuration.ConfigurationWebSocketAPI(**keys, stream_url=venue.ws_api),
        config_ws_streams=configuration.ConfigurationWebSocketStreams(stream_url=venue.ws),
    )


@pytest.fixture(scope="module")
def rest(venue: VenueHandle) -> Any:
    return client_of(venue).rest_api


def price_below(rest: Any, share: float = 0.99) -> float:
    """A price on the tick grid under the best bid."""
    bid = float(rest.symbol_order_book_ticker(symbol=SYMBOL).data().actual_instance.bid_price)
    return round(bid * share, 1)


def test_an_order_lives_through_its_whole_life(rest: Any) -> None:
    price = price_below(rest)
    asked = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "time_in_force": "GTX", "quantity": 0.01}
    placed = rest.new_order(**asked, price=price, new_client_order_id="sdk:1").data()
    assert (placed.status, placed.client_order_id, float(placed.price)) == ("NEW", "sdk:1", price)
    moved = rest.modify_order(
        symbol=SYMBOL, side="BUY", quantity=0.02, price=price - 5, order_id=placed.order_id
    ).data()
    assert (moved.order_id, float(moved.orig_qty)) == (placed.order_id, 0.02)
    assert rest.query_order(symbol=SYMBOL, orig_client_order_id="sdk:1").data().order_id == placed.order_id
    assert rest.query_current_open_order(symbol=SYMBOL, order_id=placed.order_id).data().time_in_force == "GTX"
    assert [row.order_id for row in rest.current_all_open_orders(symbol=SYMBOL).data()] == [placed.order_id]
    (history,) = rest.get_order_modify_history(symbol=SYMBOL, order_id=placed.order_id).data()
    assert (history.amendment.count, float(history.amendment.orig_qty.before)) == (1, 0.01)
    assert rest.cancel_order(symbol=SYMBOL, order_id=placed.order_id).data().status == "CANCELED"
    assert rest.all_orders(symbol=SYMBOL).data()[-1].status == "CANCELED"
    rest.test_order(**asked, price=price)


def test_batches_and_the_dead_man(rest: Any) -> None:
    from binance_sdk_derivatives_trading_usds_futures.rest_api.models import (
        ModifyMultipleOrdersBatchOrdersParameterInner as Change,
    )
    from binance_sdk_derivatives_trading_usds_futures.rest_api.models import (
        PlaceMultipleOrdersBatchOrdersParameterInner as Leg,
    )

    price = price_below(rest)
    legs = [
        Leg(symbol=SYMBOL, side="BUY", type="LIMIT", timeInForce="GTC", quantity=quantity, price=price - n)
        for n, quantity in enumerate((0.01, 0.001, 0.01))
    ]
    rows = rest.place_multiple_orders(batch_orders=legs).data()
    assert [row.code for row in rows] == [None, -4164, None]
    changes = [
        Change(symbol=SYMBOL, side="BUY", orderId=row.order_id, quantity=0.02, price=price - 10)
        for row in rows
        if row.order_id
    ]
    assert [row.orig_qty for row in rest.modify_multiple_orders(batch_orders=changes).data()] == ["0.020"] * 2
    ids = [row.order_id for row in rows if row.order_id]
    gone = rest.cancel_multiple_orders(symbol=SYMBOL, order_id_list=[ids[0], 17]).data()
    assert (gone[0].status, gone[1].code) == ("CANCELED", -2011)
    rest.auto_cancel_all_open_orders(symbol=SYMBOL, countdown_time=300)
    time.sleep(0.6)
    assert rest.current_all_open_orders(symbol=SYMBOL).data() == []
    assert rest.cancel_all_open_orders(symbol=SYMBOL).data().code == 200


def test_conditional_orders(rest: Any) -> None:
    made = rest.new_algo_order(
        algo_type="CONDITIONAL", symbol=SYMBOL, side="SELL", type="STOP_MARKET", quantity=0.01,
        trigger_price=price_below(rest, 0.9),
    ).data()  # fmt: skip
    assert rest.query_algo_order(algo_id=made.algo_id).data().algo_status == "NEW"
    assert len(rest.current_all_algo_open_orders().data()) == 1
    assert rest.cancel_algo_order(algo_id=made.algo_id).data().code == "200"
    assert rest.query_all_algo_orders(symbol=SYMBOL).data()[-1].algo_status == "CANCELED"
    assert rest.cancel_all_algo_open_orders(symbol=SYMBOL).data().code == 200


ACCOUNT: dict[str, Callable[[Any], Any]] = {
    "account v2": lambda rest: rest.account_information_v2().data().assets[0].wallet_balance,
    "account v3": lambda rest: rest.account_information_v3().data().total_wallet_balance,
    "balance v2": lambda rest: rest.futures_account_balance_v2().data()[0].asset,
    "balance v3": lambda rest: rest.futures_account_balance_v3().data()[0].asset,
    "account config": lambda rest: rest.futures_account_configuration().data().can_trade,
    "rules": lambda rest: rest.futures_trading_quantitative_rules_indicators().data().update_time,
    "burn": lambda rest: rest.get_bnb_burn_status().data().fee_burn is False,
    "multi assets": lambda rest: rest.get_current_multi_assets_mode().data().multi_assets_margin is False,
    "position mode": lambda rest: rest.get_current_position_mode().data().dual_side_position is False,
    "brackets": lambda rest: rest.notional_and_leverage_brackets(symbol=SYMBOL).data().actual_instance,
    "order limits": lambda rest: rest.query_user_rate_limit().data()[0].limit,
    "symbol config": lambda rest: rest.symbol_configuration(symbol=SYMBOL).data()[0].leverage,
    "commission": lambda rest: rest.user_commission_rate(symbol=SYMBOL).data().maker_commission_rate,
    "positions v2": lambda rest: rest.position_information_v2(symbol=SYMBOL).data()[0].leverage,
    "positions v3": lambda rest: rest.position_information_v3(symbol=SYMBOL).data() is not None,
    "forced orders": lambda rest: rest.users_force_orders(symbol=SYMBOL).data() == [],
    "leverage": lambda rest: rest.change_initial_leverage(symbol=SYMBOL, leverage=7).data().leverage,
    "time": lambda rest: rest.check_server_time().data().server_time,
    "exchange info": lambda rest: rest.exchange_information().data().symbols[0].filters,
    "book": lambda rest: rest.order_book(symbol=SYMBOL, limit=5).data().bids,
    "trades": lambda rest: rest.recent_trades_list(symbol=SYMBOL).data()[0].price,
    "aggregates": lambda rest: rest.compressed_aggregate_trades_list(symbol=SYMBOL).data()[0].p,
    "candles": lambda rest: rest.kline_candlestick_data(symbol=SYMBOL, interval="1m").data()[0],
    "mark": lambda rest: rest.mark_price(symbol=SYMBOL).data().actual_instance.mark_price,
    "mark candles": lambda rest: rest.mark_price_kline_candlestick_data(symbol=SYMBOL, interval="1m").data()[0],
    "funding info": lambda rest: rest.get_funding_rate_info().data()[0].symbol,
    "day": lambda rest: rest.ticker24hr_price_change_statistics(symbol=SYMBOL).data().actual_instance.last_price,
    "price": lambda rest: rest.symbol_price_ticker_v2(symbol=SYMBOL).data().actual_instance.price,
}


@pytest.mark.parametrize("name", ACCOUNT)
def test_a_read_is_understood(rest: Any, name: str) -> None:
    if name in ("trades", "aggregates", "candles", "day"):
        rest.new_order(symbol=SYMBOL, side="BUY", type="MARKET", quantity=0.002)
        rest.new_order(symbol=SYMBOL, side="SELL", type="MARKET", quantity=0.002)
    assert ACCOUNT[name](rest)


def test_fills_and_income_are_understood(rest: Any) -> None:
    order = rest.new_order(symbol=SYMBOL, side="BUY", type="MARKET", quantity=0.01, new_order_resp_type="RESULT").data()
    assert order.status == "FILLED"
    fills = [row for row in rest.account_trade_list(symbol=SYMBOL).data() if row.order_id == order.order_id]
    assert sum(float(row.qty) for row in fills) == 0.01
    assert "COMMISSION" in {row.income_type for row in rest.get_income_history().data()}
    rest.new_order(symbol=SYMBOL, side="SELL", type="MARKET", quantity=0.01, reduce_only="true")
    assert rest.position_information_v3(symbol=SYMBOL).data() == []


def test_refusals_carry_code_and_status(venue: VenueHandle, rest: Any) -> None:
    from binance_common.errors import BadRequestError, UnauthorizedError

    with pytest.raises(BadRequestError) as refused:
        rest.cancel_order(symbol=SYMBOL, order_id=1)
    assert "-2011" in str(refused.value) or "Unknown order" in str(refused.value)
    with pytest.raises((BadRequestError, UnauthorizedError)):
        client_of(venue, "wrong").rest_api.account_information_v3()


async def heard(streams: Any, start: Callable[[Any], Any], act: Callable[[], Any], wanted: int = 1) -> list[Any]:
    """Messages of one subscription until there are enough of them."""
    kept: list[Any] = []
    enough = asyncio.Event()

    def on_message(message: Any) -> None:
        kept.append(message)
        if len(kept) >= wanted:
            enough.set()

    connection = await streams.create_connection()
    try:
        handle = await start(connection)
        handle.on("message", on_message)
        await asyncio.sleep(0.2)
        await act()
        await asyncio.wait_for(enough.wait(), 10)
    finally:
        await connection.close_connection(close_session=True)
    return kept


async def test_the_user_stream_tells_the_order(venue: VenueHandle, rest: Any) -> None:
    key = (await asyncio.to_thread(rest.start_user_data_stream)).data().listen_key
    price = await asyncio.to_thread(price_below, rest)

    async def act() -> None:
        asked = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "time_in_force": "GTC", "quantity": 0.01}
        await asyncio.to_thread(lambda: rest.new_order(**asked, price=price, new_client_order_id="sdk:u"))
        await asyncio.to_thread(lambda: rest.cancel_all_open_orders(symbol=SYMBOL))

    told = await heard(client_of(venue).websocket_streams, lambda c: c.user_data(key), act, wanted=2)
    orders = [event.actual_instance.o for event in told]
    assert [(order.x, order.X, order.c) for order in orders] == [
        ("NEW", "NEW", "sdk:u"), ("CANCELED", "CANCELED", "sdk:u")
    ]  # fmt: skip
    await asyncio.to_thread(rest.keepalive_user_data_stream)


async def nothing() -> None:
    return None


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("depth", lambda c: c.diff_book_depth_streams(symbol="btcusdt", update_speed="100ms")),
        ("partial", lambda c: c.partial_book_depth_streams(symbol="btcusdt", levels=5, update_speed="100ms")),
        ("top", lambda c: c.individual_symbol_book_ticker_streams(symbol="btcusdt")),
        ("mark", lambda c: c.mark_price_stream(symbol="btcusdt", update_speed="1s")),
        ("ticker", lambda c: c.individual_symbol_ticker_streams(symbol="btcusdt")),
        ("all tops", lambda c: c.all_book_tickers_stream()),
    ],
)
async def test_market_streams_are_understood(venue: VenueHandle, name: str, start: Callable[[Any], Any]) -> None:
    (message, *_more) = await heard(client_of(venue).websocket_streams, start, nothing)
    assert message.e in ("depthUpdate", "bookTicker", "markPriceUpdate", "24hrTicker")


@pytest.mark.filterwarnings("ignore:parameter 'timeout':DeprecationWarning")
async def test_orders_over_the_websocket(venue: VenueHandle, rest: Any) -> None:
    api = client_of(venue).websocket_api
    price = await asyncio.to_thread(price_below, rest)
    connection = await api.create_connection()
    try:
        asked = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "time_in_force": "GTC", "quantity": 0.01}
        placed = (await connection.new_order(**asked, price=price)).data().result
        moved = await connection.modify_order(
            symbol=SYMBOL, side="BUY", quantity=0.02, price=price - 5, order_id=placed.order_id, price_match=None,
        )  # fmt: skip
        assert moved.data().result.orig_qty == "0.020"
        assert (await connection.query_order(symbol=SYMBOL, order_id=placed.order_id)).data().result.status == "NEW"
        gone = (await connection.cancel_order(symbol=SYMBOL, order_id=placed.order_id)).data().result
        assert gone.status == "CANCELED"
        assert (await connection.account_information_v2()).data().result.assets
        assert (await connection.futures_account_balance_v2()).data().result
        assert (await connection.order_book(symbol=SYMBOL)).data().result
    finally:
        await connection.close_connection(close_session=True)


def test_zz_it_never_asked_for_an_unknown_path(venue: VenueHandle) -> None:
    summary = venue.summary()
    assert (summary["unknown_path_list"], summary["internal_errors"]) == ({}, [])
