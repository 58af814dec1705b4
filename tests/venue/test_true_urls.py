"""ccxt with no override at all trades here: real names and TLS, a resolver that knows only those names, dummy keys."""

import asyncio
import datetime
import importlib
import ipaddress
import socket
import ssl
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from tests.venue.payload_scenes import live_venue
from tests.venue.wire_client import KEY, SECRET

pytestmark = [pytest.mark.wire, pytest.mark.nightly]

NAMES = ("fapi.binance.com", "fstream.binance.com", "ws-fapi.binance.com")
SYMBOL = "BTC/USDT:USDT"


class OnlyHere(AbstractResolver):
    """Three names lead to one local port; no other name leads anywhere."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.refused: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if host not in NAMES:
            self.refused.append(host)
            raise OSError(f"{host} is not known here")
        return [ResolveResult(hostname=host, host="127.0.0.1", port=self.port, family=socket.AF_INET, proto=0, flags=0)]

    async def close(self) -> None:
        return None


def certificate(folder: Path) -> Path:
    """A self-signed certificate for the three names, with its key, in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a local venue")])
    now = datetime.datetime.now(datetime.UTC)
    names = [*map(x509.DNSName, NAMES), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "venue.pem"
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_the_real_addresses_lead_here_and_nowhere_else(tmp_path: Path) -> None:
    pro = importlib.import_module("ccxt.pro.binanceusdm")
    pem = certificate(tmp_path)
    serving, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=str(pem))
    serving.load_cert_chain(pem)
    async with live_venue(tls=serving) as venue:
        resolver = OnlyHere(venue.port)
        session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=resolver, ssl=trusting))
        client: Any = pro.binanceusdm(
            {"apiKey": KEY, "secret": SECRET, "session": session, "options": {"fetchCurrencies": False}}
        )
        try:
            await client.load_markets()
            order = await client.create_order(SYMBOL, "limit", "buy", 0.01, 59_000)
            moved = await client.edit_order(order["id"], SYMBOL, "limit", "buy", 0.02, 58_990)
            assert (moved["id"], moved["amount"]) == (order["id"], 0.02)
            await client.cancel_order(order["id"], SYMBOL)
            with pytest.raises(importlib.import_module("ccxt.base.errors").InsufficientFunds):
                # The class depends on the address; behind an override this is a bare ExchangeError.
                await client.create_order(SYMBOL, "limit", "buy", 900, 59_000)
            placed = await client.create_order_ws(SYMBOL, "limit", "buy", 0.01, 59_000)
            assert (await client.cancel_order_ws(placed["id"], SYMBOL))["status"] == "canceled"
            watching = asyncio.create_task(client.watch_orders(SYMBOL))
            await asyncio.sleep(0.3)
            await client.create_order(SYMBOL, "limit", "buy", 0.01, 59_000)
            assert (await asyncio.wait_for(watching, 10))[-1]["status"] == "open"
            assert client.urls["api"]["fapiPrivate"].startswith("https://fapi.binance.com")
        finally:
            await client.close()
            await session.close()
        assert resolver.refused == []
        assert dict(venue.floor.journal.unknown_paths) == {}
        assert venue.floor.journal.routes["POST /fapi/v1/order"] == 4
