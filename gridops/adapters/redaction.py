"""What may leave the process: secrets out, control characters made visible.

Shared by the log, the evidence writer and the traceback hooks. It knows only the secrets registered with it; a
payload of unknown shape goes through `scrub` first, which lets named fields pass and blanks the rest.
"""

import base64
import json
import re
import urllib.parse
from collections.abc import Mapping, Set
from decimal import Decimal
from typing import TypeVar

from gridops.adapters.venue_fields import VENUE_FIELDS
from gridops.errors import ConfigError

MASK = "***"
SHORTEST = 8
"""Characters of the shortest secret, in any spelling: a text below that holds none."""
_TELLING = 16
"""Characters of a secret that are blanked even without its rest."""
_MAX_TEXT = 4096
_MAX_DEPTH = 12
_T = TypeVar("_T", str, bytes)
# A signature is made per request, a listen key per session, and so neither can be registered; they stand in query
# strings and in bodies.
_SIGNED = re.compile(rb"""((?:signature|listenKey)[\\"']*\s*[=:]\s*[\\"']*)[A-Za-z0-9+/%_=-]{16,}""")
# C0, DEL, C1, the directional marks that reorder a line, the two Unicode line ends, lone surrogates.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")


class Secrets:
    """Strings that must never be written anywhere, in any of the spellings a library may give them."""

    def __init__(self) -> None:
        self._needles: list[bytes] = []

    def register(self, secret: str) -> None:
        """Blank this string from now on. ConfigError if it is too short to tell from ordinary text."""
        if len(secret) < SHORTEST:
            raise ConfigError(f"a secret of {len(secret)} characters is too short (at least {SHORTEST})")
        _EVERY.setdefault(secret)
        spellings = {form for form in _spellings(secret) if len(form) >= SHORTEST}
        # Longest first: a secret that contains another must not leave its rest behind.
        self._needles = sorted({*self._needles, *spellings}, key=lambda form: (-len(form), form))

    def redact(self, data: _T) -> _T:
        """The same text with each secret, each request signature and each listen key replaced by `***`."""
        if isinstance(data, str):
            return self._redact(data.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")
        return self._redact(data)

    def _redact(self, raw: bytes) -> bytes:
        for needle in self._needles:
            if _head(needle) in raw:
                raw = _blanked(raw, needle)
        if b"signature" in raw or b"listenKey" in raw:
            raw = _SIGNED.sub(rb"\1***", raw)
        return raw


def _head(needle: bytes) -> bytes:
    """Where a long secret shows first: texts are cut to a length before they come here, and its end may be gone."""
    return needle[:_TELLING] if len(needle) > _TELLING else needle


def _blanked(raw: bytes, needle: bytes) -> bytes:
    head, parts, at = _head(needle), [], 0
    while (found := raw.find(head, at)) >= 0:
        end = found + len(head)
        while end < len(raw) and end - found < len(needle) and raw[end] == needle[end - found]:
            end += 1
        parts += [raw[at:found], MASK.encode()]
        at = end
    return b"".join([*parts, raw[at:]])


_EVERY: dict[str, None] = {}
_ALL, _ALL_SEEN = Secrets(), set[str]()


def every_known() -> Secrets:
    """All secrets this process has met, for what it prints: who prints does not know who read a key."""
    for secret in list(_EVERY):
        if secret not in _ALL_SEEN:
            _ALL_SEEN.add(secret)
            _ALL.register(secret)
    return _ALL


def _spellings(secret: str) -> set[bytes]:
    raw = secret.encode()
    return {
        raw,
        urllib.parse.quote(secret, safe="").encode(),
        urllib.parse.quote_plus(secret).encode(),
        json.dumps(secret)[1:-1].encode(),
        json.dumps(secret, ensure_ascii=False)[1:-1].encode(),
        repr(secret)[1:-1].encode(),
        base64.b64encode(raw),
        raw.hex().encode(),
    }


def plain(text: str, *, keep: str = "") -> str:
    r"""Text safe to show on a terminal: control and direction characters as `\u....`, but for those in `keep`."""
    return _UNSAFE.sub(lambda found: found[0] if found[0] in keep else _escaped(found), text)


def plain_json(document: bytes) -> bytes:
    r"""A JSON document whose strings hold no raw control character. The document itself means the same.

    JSON escapes only what is below a space; DEL, C1 and direction marks would still drive a terminal.
    """
    if document.isascii() and b"\x7f" not in document:
        return document
    return plain(document.decode("utf-8"), keep="\n").encode("utf-8")


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def scrub(value: object, secrets: Secrets, *, allowed: Set[str] = VENUE_FIELDS, depth: int = 0) -> object:
    """A venue payload as JSON-ready data: fields outside `allowed` are blanked, texts redacted and cut.

    The name of a blanked field stays, so that the reader sees that something stood there.
    """
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Decimal):
        return str(value)
    if depth >= _MAX_DEPTH:
        return MASK
    if isinstance(value, Mapping):
        return {
            secrets.redact(_cut(str(name))): scrub(inner, secrets, allowed=allowed, depth=depth + 1)
            if name in allowed
            else MASK
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [scrub(inner, secrets, allowed=allowed, depth=depth + 1) for inner in value]
    return secrets.redact(_cut(str(value)))


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}... ({len(text)} characters)"
