"""The ccxt client leaves for one venue only, is loaded late and narrowly, and shows no secret."""

import subprocess
import sys
import textwrap
from typing import Any
from urllib.parse import urlsplit

import pytest
from gridops.adapters import ccxt_client
from gridops.adapters.ccxt_client import VenueSettings
from gridops.errors import ConfigError

KEY, SECRET = "k" * 64, "s" * 64


class Wrapped:
    def get_secret_value(self) -> str:
        return SECRET


def made(**urls: Any) -> VenueSettings:
    return VenueSettings(api_key=KEY, api_secret=Wrapped(), symbols=("BTCUSDT",), **urls)


def strings(node: Any) -> list[str]:
    if isinstance(node, dict):
        return [found for inner in node.values() for found in strings(inner)]
    return [node] if isinstance(node, str) else []


async def test_every_url_of_the_client_goes_to_the_given_venue() -> None:
    exchange = ccxt_client.build(made(rest="http://127.0.0.1:1", ws="ws://127.0.0.2:2", ws_api="ws://127.0.0.3:3/x"))
    urls = strings(exchange.urls["api"])
    assert len(urls) > 20
    assert {urlsplit(url).netloc for url in urls} == {"127.0.0.1:1", "127.0.0.2:2", "127.0.0.3:3"}
    assert exchange.urls["api"]["fapiPrivate"] == "http://127.0.0.1:1/fapi/v1"
    assert exchange.urls["api"]["ws"]["ws-api"]["linear"] == "ws://127.0.0.3:3/ws-fapi/v1"
    assert ccxt_client.stream_url(exchange, "private") == "ws://127.0.0.2:2/private/ws"


async def test_without_urls_the_client_is_the_real_venues() -> None:
    exchange = ccxt_client.build(made())
    assert exchange.urls["api"]["fapiPrivate"] == "https://fapi.binance.com/fapi/v1"
    assert ccxt_client.stream_url(exchange, "market") == "wss://fstream.binance.com/market/ws"


@pytest.mark.parametrize("urls", [{"rest": "http://h:1"}, {"ws": "ws://h:1"}, {"rest": "h:1", "ws": "ws://h:1"}])
async def test_half_an_override_is_refused(urls: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        ccxt_client.build(made(**urls))


async def test_library_limits_and_retries_are_off_and_secrets_hidden() -> None:
    settings = made(rest="http://127.0.0.1:1", ws="ws://127.0.0.1:1")
    exchange = ccxt_client.build(settings)
    assert not exchange.enableRateLimit
    assert (exchange.options["fetchCurrencies"], exchange.options["maxRetriesOnFailure"]) == (False, 0)
    assert exchange.streaming["keepAlive"] == settings.keep_alive_ms == 15_000
    assert not exchange.logger.isEnabledFor(10)
    assert KEY not in repr(settings) and SECRET not in repr(settings)
    assert (exchange.apiKey, exchange.secret) == (KEY, SECRET)


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_adapter_does_not_import_ccxt() -> None:
    assert run("import gridops.adapters.ccxt_venue, sys; print('ccxt' in sys.modules)") == "False"


def test_the_narrow_load_signs_like_the_whole_library() -> None:
    code = """
        import sys
        from gridops.adapters import ccxt_client
        if {whole}:
            import ccxt.pro
        made = ccxt_client._load()({{"apiKey": "k", "secret": "s"}})
        made.nonce = lambda: 1
        request = made.sign("order", ["fapiPrivate"], "POST", {{"symbol": "BTCUSDT", "newClientOrderId": "a"}})
        print(request, "ccxt.kraken" in sys.modules or "ccxt.async_support.kraken" in sys.modules)
    """
    narrow, whole = run(code.format(whole=False)), run(code.format(whole=True))
    assert narrow.endswith("False") and whole.endswith("True")
    assert narrow.removesuffix("False") == whole.removesuffix("True")


def test_a_changed_library_layout_falls_back_to_the_whole_import() -> None:
    code = """
        import sys
        from gridops.adapters import ccxt_client
        def broken(pro): raise AssertionError("layout")
        ccxt_client._self_test = broken
        print(ccxt_client._load().__name__, len([n for n in sys.modules if n.startswith("ccxt.async_support.")]) > 50)
    """
    assert run(code) == "binanceusdm True"
