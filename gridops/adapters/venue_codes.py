"""The venue's numeric errors in our own words, and what a failed reply proves about the request.

The one table that turns `{"code": ..., "msg": ...}` and bare HTTP statuses into a VenueCode and an outcome. It reads
the raw status and body only: client libraries choose their exception by URL, so one error has two classes. It never
guesses towards safety: whatever does not prove that nothing happened is UNKNOWN.
"""

import re
from collections.abc import Iterable

from gridops.domain.values import record
from gridops.domain.vocabulary import VenueCode, WriteOutcome

_C = VenueCode


@record
class Verdict:
    """What a reply that is no success says. `number` is the venue's code, 0 when it gave none."""

    outcome: WriteOutcome
    code: VenueCode
    number: int
    detail: str


def _rows() -> Iterable[tuple[VenueCode, tuple[int, ...]]]:
    # -1001 is the JSON form of "Internal error; unable to process your request", a failure for certain.
    yield _C.OVERLOADED, (-1001, -1008, -1016)
    yield _C.RATE_LIMIT, (-1003, -1015)
    yield _C.CLOCK, (-1021, -5028)
    # The account or key may not trade: -4088 "can not place order currently", -4192 cooling-off, -4109 inactive.
    yield _C.AUTH, (-1002, -1011, -1022, -1099, -1109, -2014, -2015, -2017, -4056, -4057, -4088, -4109, -4192)
    yield _C.DUPLICATE_CLIENT_ID, (-4116,)
    yield _C.UNKNOWN_ORDER, (-2011,)
    yield _C.NO_SUCH_ORDER, (-2013,)
    yield _C.POST_ONLY, (-5022,)
    yield _C.REDUCE_ONLY, (-2022, -2024, -2026, -4118)
    yield _C.MARGIN, (-2018, -2019, -2023, -2027, -2028, -4050, -4051)
    yield _C.FILTER, (-1013, -1111, -2025, -4001, -4002, -4003, -4004, -4005, -4006, -4007, -4013, -4014, -4016, -4023)
    yield _C.FILTER, (-4024, -4045, -4131, -4164, -4183, -4184, -4210, -4211, -5029)
    yield _C.AMEND_UNCHANGED, (-5027,)
    yield _C.AMEND_LIMIT, (-5026,)
    yield _C.AMEND_PENDING, (-5043,)
    yield _C.AMEND_REFUSED, (-5025,)
    # -4087, -4400 and -4401 leave only reduce-only orders open: no increase there, as with a closing symbol.
    yield _C.SYMBOL_STATUS, (-1121, -1122, -2016, -4022, -4087, -4140, -4141, -4144, -4400, -4401, -4402, -5024)
    yield _C.MODE, (-4046, -4047, -4048, -4059, -4060, -4061, -4062, -4067, -4068, -4167, -4168, -4169, -4170, -4171)
    yield _C.LISTEN_KEY, (-1125,)
    yield _C.BAD_REQUEST, (-1014, -1020, -1023, -4015, -4032, -4082, -4084, -5037, -5038, -5039, -5040)


CODES: dict[int, VenueCode] = {number: code for code, numbers in _rows() for number in numbers}
"""Refusals: the venue answered, and nothing happened."""

EXECUTION_UNKNOWN: dict[int, VenueCode] = {
    -1000: _C.TIMEOUT,
    -1006: _C.TIMEOUT,
    -1007: _C.TIMEOUT,
    # A failed batch: how many of its legs had been executed is not said.
    -2012: _C.OTHER,
    -4083: _C.OTHER,
}

_BANNED_UNTIL = re.compile(r"banned until (\d{13})")
# Whole bodies only: a gateway's HTML page with the same words in it proves nothing about the request.
_CERTAIN_503 = frozenset(
    {"service unavailable", "internal error; unable to process your request. please try again"},
)
_BARE_STATUS: dict[int, VenueCode] = {401: _C.AUTH, 403: _C.AUTH, 418: _C.BANNED, 429: _C.RATE_LIMIT}
"""Refused before the request reached the venue's books, even without a JSON body: key, firewall, ban, limit."""


def failure(status: int, payload: object, text: str) -> Verdict | None:
    """What a reply proves when it is no success; None for a success. Status 0 = no complete answer arrived."""
    if status == 0:
        return Verdict(outcome=WriteOutcome.UNKNOWN, code=_C.TIMEOUT, number=0, detail=text)
    number = error_number(payload)
    if number:
        assert isinstance(payload, dict)
        return _numbered(status, number, str(payload.get("msg", "")))
    if status >= 300:
        return _bare(status, text)
    if payload is None:
        return Verdict(outcome=WriteOutcome.UNKNOWN, code=_C.OTHER, number=0, detail="a reply that is no JSON")
    return None


def leg_failure(payload: object) -> Verdict | None:
    """The same for one leg of a batch, which arrives below HTTP 200."""
    number = error_number(payload)
    if number:
        assert isinstance(payload, dict)
        return _numbered(200, number, str(payload.get("msg", "")))
    return None


def error_number(payload: object) -> int:
    """The negative `code` of a body, 0 when there is none: {"code": 200} is a success."""
    code = payload.get("code") if isinstance(payload, dict) else None
    if isinstance(code, str) and re.fullmatch(r"-\d{1,6}", code, re.ASCII):
        code = int(code)
    return code if isinstance(code, int) and code < 0 else 0


def banned_until_ms(text: str) -> int:
    """The end of a ban as the venue words it, 0 when the text names none."""
    found = _BANNED_UNTIL.search(text)
    return int(found[1]) if found else 0


def _numbered(status: int, number: int, message: str) -> Verdict:
    if number in EXECUTION_UNKNOWN:
        code = EXECUTION_UNKNOWN[number]
        # The certain failures are also seen under the general number, told apart by their text alone.
        certain = status == 503 and _plain(message) in _CERTAIN_503
        outcome, code = (WriteOutcome.REFUSED, _C.OVERLOADED) if certain else (WriteOutcome.UNKNOWN, code)
        return Verdict(outcome=outcome, code=code, number=number, detail=message)
    code = CODES.get(number) or (_C.BAD_REQUEST if -1199 <= number <= -1100 else _C.OTHER)
    if code is _C.RATE_LIMIT and (status == 418 or banned_until_ms(message)):
        code = _C.BANNED
    outcome = WriteOutcome.UNKNOWN if status >= 500 and code is _C.OTHER else WriteOutcome.REFUSED
    return Verdict(outcome=outcome, code=code, number=number, detail=message)


def _bare(status: int, text: str) -> Verdict:
    detail = f"HTTP {status} {text}".strip()
    code = _BARE_STATUS.get(status)
    if status == 503 and _plain(text) in _CERTAIN_503:
        code = _C.OVERLOADED
    if code is not None:
        return Verdict(outcome=WriteOutcome.REFUSED, code=code, number=0, detail=detail)
    doubt = _C.TIMEOUT if status >= 500 or status == 408 else _C.OTHER
    return Verdict(outcome=WriteOutcome.UNKNOWN, code=doubt, number=0, detail=detail)


def _plain(text: str) -> str:
    return text.strip().strip('"').rstrip(".").lower()
