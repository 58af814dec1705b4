"""Unmodified ccxt pointed at a local venue: every URL of the class rewritten, so that nothing can leave the machine."""

import importlib
import warnings
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from gridops.venue.handle import VenueHandle


def exchange(handle: VenueHandle, **config: Any) -> Any:
    """A ccxt.pro binanceusdm with the venue's throw-away keys. Close it when done."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # By its own module: another test of this process may have loaded the class without the package around it.
        pro = importlib.import_module("ccxt.pro.binanceusdm")
        made = pro.binanceusdm(
            {"apiKey": handle.api_key, "secret": handle.api_secret, "enableRateLimit": False, **config}
        )
    host = urlsplit(handle.rest).netloc
    made.urls["api"] = _local(made.urls["api"], host)
    made.options["fetchCurrencies"] = False
    made.options["fetchOpenOrders"] = {"warnWithoutSymbol": False}
    made.options["recvWindow"] = 5_000
    made.options["ws"] = {"cost": 0}
    made.timeout_on_exit = 0
    assert all(urlsplit(url).netloc == host for url in _strings(made.urls["api"]))
    return made


def _local(node: Any, host: str) -> Any:
    if isinstance(node, dict):
        return {name: _local(inner, host) for name, inner in node.items()}
    parts = urlsplit(node)
    return urlunsplit(("ws" if parts.scheme.startswith("ws") else "http", host, parts.path, parts.query, ""))


def _strings(node: Any) -> list[str]:
    if isinstance(node, dict):
        return [url for inner in node.values() for url in _strings(inner)]
    return [node]
