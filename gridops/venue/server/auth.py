"""Who is calling, is it really them, and is their clock in the window: keys, HMAC signatures, timestamps.

Sits in front of every signed route and of the ws-api. HMAC-SHA256 keys only; it refuses RSA and Ed25519 keys by not
knowing them. Signatures are compared in constant time over the raw bytes the client sent.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from gridops.domain.values import value
from gridops.venue.errors import VenueError
from gridops.venue.server.params import mandatory

AHEAD_MS = 1_000
"""A timestamp may lead the server by less than this (general info of the venue: ts < server + 1000)."""
DEFAULT_RECV_WINDOW_MS = 5_000
MAX_RECV_WINDOW_MS = 60_000

_KEY = re.compile(r"^[A-Za-z0-9]{64}$", re.ASCII)


@value
class Credentials:
    """One API key and the account it opens."""

    account: str
    api_key: str
    api_secret: str


def new_credentials(account: str) -> Credentials:
    """A throw-away key pair in the venue's format (64 letters and digits each)."""
    return Credentials(account, secrets.token_hex(32), secrets.token_hex(32))


class KeyRing:
    """The keys the venue knows."""

    def __init__(self, known: Iterable[Credentials] = ()) -> None:
        self._by_key = {each.api_key: each for each in known}

    def add(self, credentials: Credentials) -> None:
        """Let a further key in."""
        self._by_key[credentials.api_key] = credentials

    def all(self) -> list[Credentials]:
        """Every key, oldest first."""
        return list(self._by_key.values())

    def owner_of(self, api_key: str | None) -> str | None:
        """The account of a key, without a judgement."""
        found = self._by_key.get(api_key or "")
        return None if found is None else found.account

    def identify(self, api_key: str | None) -> Credentials:
        """The owner of a key; -2014 when it is no key at all, -2015 when nobody owns it (both HTTP 401)."""
        if api_key is None or not _KEY.match(api_key):
            raise VenueError(-2014, "API-key format invalid.", status=401)
        found = self._by_key.get(api_key)
        if found is None:
            raise VenueError(-2015, "Invalid API-key, IP, or permissions for action.", status=401)
        return found


def signature_of(secret: str, payload: str) -> str:
    """HMAC-SHA256 of the payload in lower-case hex."""
    return hmac.new(secret.encode(), payload.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()


def check_signature(secret: str, payloads: Iterable[str], given: str | None) -> None:
    """Refuse (-1022) a signature that fits none of the payloads; -1102 when there is none."""
    if not given:
        raise mandatory("signature")
    offered = given.lower().encode("utf-8", "surrogateescape")
    verdicts = [hmac.compare_digest(signature_of(secret, payload).encode(), offered) for payload in payloads]
    if not any(verdicts):
        raise VenueError(-1022, "Signature for this request is not valid.")


def rest_payload(raw_query: str, raw_body: str) -> str:
    """What a REST client signs: raw query then raw body, no separator, the signature itself taken out."""
    return _without_signature(raw_query) + _without_signature(raw_body)


def ws_payloads(params: Mapping[str, str]) -> tuple[str, str]:
    """What a ws-api client signs: `k=v` sorted by name; ccxt percent-encodes the values, the documentation does not."""
    names = sorted(name for name in params if name != "signature")
    plain = "&".join(f"{name}={params[name]}" for name in names)
    return plain, "&".join(f"{name}={quote(params[name], safe='-_.~')}" for name in names)


def check_window(params: Mapping[str, str], wire_ms: int) -> None:
    """Refuse a request whose timestamp is missing (-1102) or outside its window (-1021)."""
    if "timestamp" not in params:
        raise mandatory("timestamp")
    window_ms = int(params.get("recvWindow", DEFAULT_RECV_WINDOW_MS))
    if not 0 < window_ms <= MAX_RECV_WINDOW_MS:
        raise VenueError(-1131, f"Invalid 'recvWindow': must be positive and no more than {MAX_RECV_WINDOW_MS}.")
    sent_ms = int(params["timestamp"])
    if sent_ms >= wire_ms + AHEAD_MS:
        raise VenueError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if wire_ms - sent_ms > window_ms:
        raise VenueError(-1021, "Timestamp for this request is outside of the recvWindow.")


def _without_signature(raw: str) -> str:
    if "signature=" not in raw:
        return raw
    return "&".join(part for part in raw.split("&") if not part.startswith("signature="))
