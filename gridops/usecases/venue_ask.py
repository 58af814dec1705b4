"""Puts the probe's questions to a venue: signing, transport, whose keys, and the report with its evidence.

Opt-in and operator-driven. Without a venue it only lists the assumptions and sends nothing; an order at the real venue
needs the same three locks as trading there.
"""

import asyncio
import hmac
import http.client
import json
import os
import time
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode, urlsplit

from gridops.adapters import keys
from gridops.adapters.redaction import Secrets
from gridops.config import Settings, is_emulator, load
from gridops.domain.evidence_ref import EvidenceMode, EvidenceRef, EvidenceStatus
from gridops.domain.values import record
from gridops.errors import ConfigError, VenueUnavailable
from gridops.usecases import venue_probe
from gridops.usecases.command_evidence import Story, write
from gridops.usecases.place import Place
from gridops.usecases.venue_probe import Answer, Ask, Finding, Verdict
from gridops.usecases.venue_session import BINANCE, MarketOptions, open_session
from gridops.usecases.venues import reach

REAL = "https://fapi.binance.com"
_PUBLIC = ("/fapi/v1/exchangeInfo", "/fapi/v1/premiumIndex", "/fapi/v1/time")
_WITHIN_S = 10.0


@record
class ProbeReport:
    """`venue` is empty when nothing was asked."""

    venue: str
    symbol: str
    findings: tuple[Finding, ...]
    evidence: EvidenceRef

    @property
    def refuted(self) -> bool:
        """Does the venue contradict an assumption?"""
        return any(finding.verdict is Verdict.REFUTED for finding in self.findings)


def run(place: Place, venue: str | None, symbol: str, *, with_order: bool) -> ProbeReport:
    """List every assumption; ask `venue` (binance, a loopback URL, or a running emulator's name) when one is named."""
    if venue is None:
        listed = [Finding(a.name, a.statement, Verdict.UNCHECKED, "not asked") for a in venue_probe.ASSUMPTIONS]
        return _report(place, "", symbol, tuple(listed))
    secrets = Secrets()
    settings = load(file=place.config, environment=os.environ).settings
    base, key, secret = _target(place, settings, venue, with_order=with_order, secrets=secrets)
    ask = signed(base, key, secret)
    found = asyncio.run(venue_probe.probe(ask, symbol, with_order=with_order))
    return _report(place, venue, symbol, tuple(found), secrets)


def signed(base: str, key: str, secret: str) -> Ask:
    """Ask `base` with signed requests. VenueUnavailable when no whole answer comes."""

    async def ask(method: str, path: str, params: Mapping[str, str]) -> Answer:
        words = dict(params)
        if path not in _PUBLIC:
            words |= {"recvWindow": "5000", "timestamp": str(time.time_ns() // 1_000_000)}
            query = urlencode(words)
            words["signature"] = hmac.new(secret.encode(), query.encode(), sha256).hexdigest()
        return await asyncio.to_thread(_exchange, base, method, f"{path}?{urlencode(words)}", key)

    return ask


def _exchange(base: str, method: str, target: str, key: str) -> Answer:
    address = urlsplit(base)
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    connection = kind(address.netloc, timeout=_WITHIN_S)
    try:
        connection.request(method, target, headers={"X-MBX-APIKEY": key})
        reply = connection.getresponse()
        body = reply.read()
        return Answer(reply.status, json.loads(body), len(body))
    except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
        # The target holds a signature: only the kind of failure is told.
        raise VenueUnavailable(f"{address.netloc} gave no answer: {type(error).__name__}") from None
    finally:
        connection.close()


def _target(
    place: Place, settings: Settings, venue: str, *, with_order: bool, secrets: Secrets
) -> tuple[str, str, str]:
    running = reach(place, venue)
    if running is not None:
        return running.rest, running.api_key, running.api_secret
    if venue == BINANCE and with_order:
        market = MarketOptions(market="", speed="1", from_ms=None, loop=False)
        there = {**settings.venue.model_dump(), "url": BINANCE}
        chosen = Settings.model_validate({**settings.model_dump(), "venue": there})
        # Refused unless mode, fingerprint and this command's own leave agree.
        session = open_session(
            chosen, market=market, store=place.home.root, armed=True, environment=dict(os.environ), secrets=secrets
        )
        key, secret = session.settings.secrets()
        return REAL, key, secret
    if venue != BINANCE and not is_emulator(venue):
        hint = "allowed: binance, http://127.0.0.1:PORT, or a name of `gridops venue list`"
        raise ConfigError(f"venue {venue!r} is refused", hint=hint)
    pair = keys.load(dict(os.environ), secrets, account=settings.account.name)
    base = REAL if venue == BINANCE else venue.rstrip("/")
    return base, pair.api_key.get_secret_value(), pair.api_secret.get_secret_value()


def _report(
    place: Place, venue: str, symbol: str, findings: tuple[Finding, ...], secrets: Secrets | None = None
) -> ProbeReport:
    refuted = [finding.name for finding in findings if finding.verdict is Verdict.REFUTED]
    facts: dict[str, Any] = {finding.name: f"{finding.verdict}: {finding.seen}" for finding in findings}
    story = Story(
        mode=EvidenceMode.VENUE,
        status=EvidenceStatus.FINDING if refuted else EvidenceStatus.OK,
        reason="assumption_refuted" if refuted else "probed" if venue else "listed",
        title=f"{len(findings)} assumptions, {len(refuted)} refuted",
        facts={"venue": venue or "none", "symbol": symbol, **facts},
    )
    return ProbeReport(
        venue=venue, symbol=symbol, findings=findings, evidence=write(place.evidence_root, story, secrets)
    )
