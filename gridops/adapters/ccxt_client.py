"""The one module that imports ccxt: loads it narrowly, builds the client, points it at one venue, opens the seams.

The ccxt.pro class is used as it is; a thin subclass records each raw reply and keeps the error table independent of
the URL. Rate limiting, retries and currency loading are off: the engine decides those. It refuses a mixture of our
venue and the real one: either every URL is rewritten, or none.
"""

import importlib
import importlib.util
import logging
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

import msgspec

from gridops.domain.values import record
from gridops.errors import ConfigError


class SecretValue(Protocol):
    """What a settings library wraps a secret in."""

    def get_secret_value(self) -> str:
        """The secret itself."""
        ...


@record
class VenueSettings:
    """Where the venue is and how to talk to it. All three URLs None means the real Binance."""

    api_key: SecretValue | str
    api_secret: SecretValue | str
    symbols: tuple[str, ...]
    """Venue ids, e.g. BTCUSDT; nothing else is traded or converted."""
    rest: str | None = None
    ws: str | None = None
    ws_api: str | None = None
    recv_window_ms: int = 3_000
    view_interval_ms: int = 20
    timeout_ms: int = 8_000
    keep_alive_ms: int = 15_000
    """Pause between our websocket pings; a socket silent for twice as long is dead."""

    def __repr__(self) -> str:
        return f"VenueSettings(rest={self.rest!r}, ws={self.ws!r}, symbols={self.symbols!r})"

    def secrets(self) -> tuple[str, str]:
        """Key and secret, in the open: for the client and for what blanks them out of texts."""
        return _open(self.api_key), _open(self.api_secret)


class Reply:
    """What came back of one REST call, raw. `status` 0: no complete answer arrived, `failure` says why."""

    __slots__ = ("body", "failure", "headers", "payload", "refused", "status")

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = ""
        self.payload: object = None
        self.failure = ""
        self.refused = ""
        """Why nothing left this process; empty when something did."""

    def header(self, name: str) -> str:
        """A response header, whatever the case it was sent in; empty when absent."""
        wanted = name.lower()
        return next((value for each, value in self.headers.items() if each.lower() == wanted), "")


_REPLIES: ContextVar[list[Reply] | None] = ContextVar("gridops_replies", default=None)
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_REWRITTEN = {"http": "rest", "https": "rest", "ws": "ws", "wss": "ws"}


@contextmanager
def recording() -> Iterator[Reply]:
    """Calls made inside leave their raw answer in the Reply; one call per block, tasks do not mix.

    A connection and a timer keep the context they were made in: what they keep is a list that is empty afterwards.
    """
    reply = Reply()
    replies = [reply]
    token = _REPLIES.set(replies)
    try:
        yield reply
    finally:
        _REPLIES.reset(token)
        replies.clear()


def build(settings: VenueSettings) -> Any:
    """The ccxt.pro client for these settings; nothing is connected yet. ConfigError for an unusable URL."""
    key, secret = settings.secrets()
    exchange = _client_class()(
        {
            "apiKey": key,
            "secret": secret,
            "enableRateLimit": False,
            "timeout": settings.timeout_ms,
            "streaming": {"keepAlive": settings.keep_alive_ms},
            "options": {
                "fetchCurrencies": False,
                "maxRetriesOnFailure": 0,
                "recvWindow": settings.recv_window_ms,
                "adjustForTimeDifference": False,
                "timeDifference": 0,
                "fetchOpenOrders": {"warnWithoutSymbol": False},
                "watchPositions": {"fetchPositionsSnapshot": False},
            },
        }
    )
    # The library holds each exit for a quarter second; sockets are awaited here instead.
    exchange.timeout_on_exit = 0
    # At DEBUG it would log signed URLs, bodies and the key header.
    exchange.logger.setLevel(logging.WARNING)
    point(exchange, settings)
    return exchange


def point(exchange: Any, settings: VenueSettings) -> None:
    """Send every URL of the client to the given hosts, or leave all of them at the real venue."""
    given = {"rest": settings.rest, "ws": settings.ws, "ws_api": settings.ws_api}
    if not any(given.values()):
        return
    if not settings.rest or not settings.ws:
        raise ConfigError("a venue needs both its REST and its stream URL, or neither for the real one")
    hosts = {kind: _host(url) for kind, url in given.items() if url}
    hosts.setdefault("ws_api", hosts["ws"])
    exchange.urls["api"] = _rewritten(exchange.urls["api"], hosts)
    _refuse_foreign(exchange.urls["api"], {netloc for _scheme, netloc in hosts.values()})


def stream_url(exchange: Any, branch: str) -> str:
    """`.../public/ws`, `.../market/ws` or `.../private/ws` of the futures streams."""
    base: str = exchange.urls["api"]["ws"]["linear"]
    return base.removesuffix("/ws") + f"/{branch}/ws"


def _open(secret: SecretValue | str) -> str:
    return secret if isinstance(secret, str) else secret.get_secret_value()


def _host(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    if parts.scheme not in _REWRITTEN or not parts.netloc:
        raise ConfigError(f"{url!r} is no venue URL", hint="write http://host:port or ws://host:port")
    return parts.scheme, parts.netloc


def _rewritten(urls: Any, hosts: dict[str, tuple[str, str]], path: tuple[str, ...] = ()) -> Any:
    if isinstance(urls, dict):
        return {name: _rewritten(inner, hosts, (*path, name)) for name, inner in urls.items()}
    if not isinstance(urls, str):
        return urls
    old = urlsplit(urls)
    kind = "ws_api" if "ws-api" in path else _REWRITTEN.get(old.scheme, "rest")
    scheme, netloc = hosts[kind]
    return urlunsplit((scheme, netloc, old.path, old.query, old.fragment))


def _refuse_foreign(urls: Any, allowed: set[str]) -> None:
    """A single URL left at the real venue would send signed requests there."""
    for each in urls.values():
        if isinstance(each, dict):
            _refuse_foreign(each, allowed)
        elif isinstance(each, str) and urlsplit(each).netloc not in allowed:
            raise ConfigError(f"the URL {each!r} could not be moved to the given venue")


def _client_class() -> Any:
    base = _load()

    class GridopsBinance(base):  # type: ignore[misc, valid-type]
        """The seams: error table by product instead of URL, raw replies, exact numbers."""

        def get_exceptions_by_url(self, _url: str | None, exact_or_broad: str) -> Any:
            return self.exceptions.get("linear", {}).get(exact_or_broad, {})

        def on_rest_response(self, *seen: Any) -> str:
            code, _reason, _url, _method, headers, body, *_request = seen
            for reply in _REPLIES.get() or ():
                reply.status, reply.headers, reply.body = code, headers, body
            return str(body).strip()

        def on_json_response(self, body: str) -> Any:
            try:
                payload = _DECODER.decode(body)
            except (msgspec.DecodeError, RecursionError, UnicodeEncodeError) as error:
                raise ValueError("the body is no JSON") from error
            for reply in _REPLIES.get() or ():
                reply.payload = payload
            return payload

    return GridopsBinance


def _load() -> Any:
    """ccxt.pro's binanceusdm: narrowly when this ccxt allows it, else with the whole library."""
    loaded = sys.modules.get("ccxt.pro.binanceusdm")
    if loaded is not None:
        return loaded.binanceusdm
    if "ccxt" not in sys.modules:
        try:
            return _load_narrowly()
        except Exception:
            # Any surprise in the library's layout: forget the half-built packages and take the official way.
            for name in [each for each in sys.modules if each == "ccxt" or each.startswith("ccxt.")]:
                del sys.modules[name]
    from ccxt.pro.binanceusdm import binanceusdm

    return binanceusdm


def _load_narrowly() -> Any:
    """Import one exchange without the hundred others that the package's `__init__` files pull in."""
    spec = importlib.util.find_spec("ccxt")
    assert spec is not None and spec.submodule_search_locations
    root = Path(next(iter(spec.submodule_search_locations)))
    ccxt = _bare_package("ccxt", root)
    base, errors = importlib.import_module("ccxt.base.exchange"), importlib.import_module("ccxt.base.errors")
    ccxt.Exchange = base.Exchange
    for name in errors.__all__:
        setattr(ccxt, name, getattr(errors, name))
    asynchronous = _bare_package("ccxt.async_support", root / "async_support")
    ccxt.async_support = asynchronous
    asynchronous.Exchange = importlib.import_module("ccxt.async_support.base.exchange").Exchange
    # The pro modules name these as attributes of the package and mean the classes, not the modules.
    for name in ("binance", "binanceusdm"):
        found = importlib.import_module(f"ccxt.async_support.{name}")
        setattr(asynchronous, name, getattr(found, name))
    _bare_package("ccxt.pro", root / "pro")
    pro = importlib.import_module("ccxt.pro.binanceusdm").binanceusdm
    _self_test(pro)
    return pro


def _bare_package(name: str, folder: Path) -> Any:
    package = types.ModuleType(name)
    package.__path__ = [str(folder)]
    sys.modules[name] = package
    return package


def _self_test(pro: Any) -> None:
    """What a narrowly loaded class must be able to do; anything missing means: load everything instead."""
    exchange = pro({"apiKey": "k" * 64, "secret": "s" * 64})
    signed = exchange.sign("order", ["fapiPrivate"], "GET", {"symbol": "BTCUSDT"})
    assert "signature=" in signed["url"] and exchange.urls["api"]["ws"]["linear"].endswith("/ws")
    assert callable(exchange.fapiPrivatePostOrder) and callable(exchange.client)
