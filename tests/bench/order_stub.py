"""An HTTP server in a process of its own with canned answers to order calls, so that only the client is measured.

It checks no signature and keeps no state; ids and figures are echoed from the request.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

_HEADERS = {"X-MBX-USED-WEIGHT-1M": "1", "X-MBX-ORDER-COUNT-10S": "1", "X-MBX-ORDER-COUNT-1M": "1"}


@contextmanager
def serving() -> Iterator[str]:
    """The stub's URL while the block runs."""
    process = subprocess.Popen([sys.executable, "-m", __name__], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


async def _answer(request: web.Request) -> web.Response:
    body = (await request.read()).decode()
    fields: dict[str, Any] = dict(parse_qsl(request.query_string)) | dict(parse_qsl(body))
    if request.path.endswith("/batchOrders"):
        found: Any = [_order(each) for each in json.loads(fields["batchOrders"])]
    else:
        found = _order(fields)
    return web.json_response(found, headers=_HEADERS)


def _order(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "orderId": int(fields.get("orderId", 80_000_000_001)),
        "symbol": fields.get("symbol", "BTCUSDT"),
        "status": "NEW",
        "clientOrderId": fields.get("newClientOrderId", fields.get("origClientOrderId", "x")),
        "price": fields.get("price", "60000.00"),
        "avgPrice": "0.00",
        "origQty": fields.get("quantity", "0.010"),
        "executedQty": "0.000",
        "cumQty": "0.000",
        "cumQuote": "0.00000",
        "timeInForce": "GTX",
        "type": "LIMIT",
        "reduceOnly": False,
        "closePosition": False,
        "side": fields.get("side", "BUY"),
        "positionSide": "BOTH",
        "stopPrice": "0.00",
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": "LIMIT",
        "priceMatch": "NONE",
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "goodTillDate": 0,
        "updateTime": 1_700_000_000_000,
    }


async def _main() -> None:
    server = web.Server(_answer)  # type: ignore[arg-type]
    runner = web.ServerRunner(server)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
