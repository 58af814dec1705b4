"""The other hand: arms faults, trades and transfers from outside, moves a manual clock, opens accounts, stops.

Sits on the HTTP server beside the oracle. Every request must carry the control token of the ready line; it refuses
unknown commands and malformed bodies with a text that says what was wrong.
"""

import hmac
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
from aiohttp import web

from gridops.errors import ConfigError
from gridops.venue.errors import VenueError
from gridops.venue.server import auth
from gridops.venue.server.actions import carry_out
from gridops.venue.server.clock import ManualClock
from gridops.venue.server.floor import Floor
from gridops.venue.server.oracle import as_json
from gridops.venue.server.rate import RateBook

TOKEN_HEADER = "X-Control-Token"  # noqa: S105 - the header's name, not a token
_MAX_BODY = 64 * 1024

Body = Mapping[str, Any]


class ControlFace:
    """POST /control/<command> with a JSON object; GET /control/faults lists what is armed."""

    def __init__(self, floor: Floor, token: str, *, save: Callable[[], None]) -> None:
        self._floor = floor
        self._token = token
        self._save = save
        self._commands: dict[str, Callable[[Body], Any]] = {
            "fault": self._fault,
            "clear": self._clear,
            "trade": self._trade,
            "transfer": self._transfer,
            "symbol_status": self._symbol_status,
            "asset_price": self._asset_price,
            "amend_pending": self._amend_pending,
            "reset_limits": self._reset_limits,
            "account": self._account,
            "advance": self._advance,
            "save": self._save_now,
            "stop": self._stop,
        }

    async def handle(self, http: web.BaseRequest, path: str) -> web.StreamResponse:
        """One command."""
        given = http.headers.get(TOKEN_HEADER, "").encode("utf-8", "replace")
        if not hmac.compare_digest(given, self._token.encode()):
            return as_json({"error": f"{TOKEN_HEADER} is missing or wrong"}, 403)
        self._floor.touch()
        name = path.removeprefix("/control/")
        if http.method == "GET" and name == "faults":
            return as_json({"faults": self._floor.faults.describe()})
        command = self._commands.get(name)
        if command is None or http.method != "POST":
            return as_json({"error": f"no such command; POST one of {', '.join(self._commands)}"}, 404)
        try:
            return as_json(command(await _object(http)))
        except VenueError as error:
            return as_json({"error": error.message, **error.body()}, 400)
        except (ConfigError, KeyError, TypeError, ValueError, InvalidOperation) as error:
            return as_json({"error": f"{type(error).__name__}: {error}"}, 400)

    def _fault(self, body: Body) -> dict[str, Any]:
        floor = self._floor
        fault = floor.faults.arm(body, floor.elapsed_ms())
        for due in floor.faults.actions_due(floor.elapsed_ms()):
            carry_out(floor, due)
        return fault.describe()

    def _clear(self, body: Body) -> dict[str, Any]:
        floor = self._floor
        if "id" not in body:
            floor.hub.muted.clear()
            floor.clock.skew_ms = 0
            floor.clock.run_again()
        return {"cleared": floor.faults.clear(body.get("id"))}

    def _trade(self, body: Body) -> dict[str, Any]:
        """The outside world trades: {symbol, side, lots, price_ticks?}."""
        self._floor.settle()
        price = None if body.get("price_ticks") is None else int(body["price_ticks"])
        return self._hook("external_trade", str(body["symbol"]), str(body["side"]), int(body["lots"]), price)

    def _transfer(self, body: Body) -> dict[str, Any]:
        """Money comes or goes: {asset, amount, account?}."""
        account = str(body.get("account") or self._floor.keys.all()[0].account)
        return self._hook("transfer", account, str(body["asset"]), Decimal(str(body["amount"])))

    def _symbol_status(self, body: Body) -> dict[str, Any]:
        """The venue stops or resumes a symbol: {symbol, status}."""
        return self._hook("set_symbol_status", str(body["symbol"]), str(body["status"]))

    def _asset_price(self, body: Body) -> dict[str, Any]:
        """Quote price of a fee asset: {asset, price}."""
        return self._hook("set_asset_price", str(body["asset"]), Decimal(str(body["price"])))

    def _amend_pending(self, body: Body) -> dict[str, Any]:
        """Amendments of one order answer -5043 while pending: {order_id, pending}."""
        return self._hook("set_amend_pending", int(body["order_id"]), bool(body["pending"]))

    def _hook(self, name: str, *args: Any) -> dict[str, Any]:
        """A hook of the core that only this hand may pull."""
        floor = self._floor
        try:
            result = floor.core_hook(name, *args)
        finally:
            floor.on_dirty()
            floor.publish()
        return {"done": name, "result": result}

    def _account(self, body: Body) -> dict[str, Any]:
        """A key for a further account (`wallet` opens it), or a second key for a known one."""
        floor = self._floor
        credentials = auth.new_credentials(str(body["account"]))
        if "wallet" in body:
            wallet = {str(asset): Decimal(str(amount)) for asset, amount in dict(body["wallet"]).items()}
            self._hook_account(credentials, wallet)
        elif credentials.account not in {each.account for each in floor.keys.all()}:
            raise ValueError("unknown account; give it a wallet to open it")
        floor.keys.add(credentials)
        floor.on_dirty()
        return {
            "account": credentials.account, "api_key": credentials.api_key, "api_secret": credentials.api_secret,
        }  # fmt: skip

    def _hook_account(self, credentials: auth.Credentials, wallet: dict[str, Decimal]) -> None:
        add = getattr(self._floor.core, "add_account", None)
        if add is None:
            raise ValueError("this core opens no accounts")
        add(credentials.account, api_key=credentials.api_key, api_secret=credentials.api_secret, wallet=wallet)

    def _reset_limits(self, _body: Body) -> dict[str, Any]:
        """Forget all weights, order counts and bans, so that a long drill starts clean."""
        self._floor.rates = RateBook()
        return {"reset": True}

    def _advance(self, body: Body) -> dict[str, Any]:
        """Move a manual clock by {ms} and do everything that falls due, in order."""
        floor = self._floor
        if not isinstance(floor.clock, ManualClock):
            raise ValueError("the clock is real; start the venue with --clock manual")
        floor.clock.advance(int(body["ms"]))
        while not floor.settle():
            pass
        floor.hub.flush_windows(floor.clock.now_ms())
        for fault in floor.faults.actions_due(floor.elapsed_ms()):
            carry_out(floor, fault)
        return {"now_ms": floor.clock.now_ms()}

    def _save_now(self, _body: Body) -> dict[str, Any]:
        self._save()
        return {"saved": True}

    def _stop(self, _body: Body) -> dict[str, Any]:
        self._floor.stopping.set()
        self._floor.wake.set()
        return {"stopping": True}


async def _object(http: web.BaseRequest) -> Body:
    if (http.content_length or 0) > _MAX_BODY:
        raise ValueError("body too large")
    raw = await http.read()
    body = orjson.loads(raw) if raw else {}
    if not isinstance(body, dict):
        raise ValueError("the body must be a JSON object")
    return body
