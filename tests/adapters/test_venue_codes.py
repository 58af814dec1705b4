"""Every error the venue documents or was seen to send has one meaning, and doubt is never read as certainty."""

import json
from pathlib import Path
from typing import Any

import pytest
from gridops.adapters.venue_codes import CODES, EXECUTION_UNKNOWN, banned_until_ms, failure, leg_failure
from gridops.domain.vocabulary import VenueCode, WriteOutcome

REFUSED, UNKNOWN = WriteOutcome.REFUSED, WriteOutcome.UNKNOWN


def parsed(body: str) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return None


# Judged by hand from the venue's documentation, by the id of the recorded response.
OBSERVED: dict[int, tuple[WriteOutcome, VenueCode]] = {
    1: (REFUSED, VenueCode.CLOCK),
    2: (REFUSED, VenueCode.MARGIN),
    3: (REFUSED, VenueCode.OTHER),
    5: (REFUSED, VenueCode.POST_ONLY),
    6: (REFUSED, VenueCode.FILTER),
    7: (REFUSED, VenueCode.BAD_REQUEST),
    8: (REFUSED, VenueCode.CLOCK),
    9: (REFUSED, VenueCode.BANNED),
    10: (REFUSED, VenueCode.BAD_REQUEST),
    11: (REFUSED, VenueCode.FILTER),
    12: (REFUSED, VenueCode.NO_SUCH_ORDER),
    13: (REFUSED, VenueCode.UNKNOWN_ORDER),
    14: (REFUSED, VenueCode.REDUCE_ONLY),
    15: (REFUSED, VenueCode.FILTER),
    16: (REFUSED, VenueCode.AMEND_UNCHANGED),
    17: (REFUSED, VenueCode.AMEND_LIMIT),
    18: (REFUSED, VenueCode.RATE_LIMIT),
    19: (REFUSED, VenueCode.RATE_LIMIT),
    20: (UNKNOWN, VenueCode.TIMEOUT),
    21: (REFUSED, VenueCode.OVERLOADED),
    22: (REFUSED, VenueCode.OVERLOADED),
    23: (UNKNOWN, VenueCode.TIMEOUT),
    24: (REFUSED, VenueCode.OVERLOADED),
    25: (REFUSED, VenueCode.OVERLOADED),
    26: (REFUSED, VenueCode.AUTH),
}


def test_recorded_responses_mean_what_the_documentation_says(shared_data: Path) -> None:
    lines = (shared_data / "protocol/errors/binance_usdm_errors.jsonl").read_text().splitlines()
    for each in map(json.loads, lines):
        body = str(each["body"])
        verdict = failure(int(each["http_status"]), parsed(body), body)
        if each["id"] in OBSERVED:
            assert verdict is not None
            assert (verdict.outcome, verdict.code) == OBSERVED[each["id"]], each
        else:
            assert each["http_status"] == 200 and verdict is None
            legs = [leg_failure(leg) for leg in json.loads(body)]
            assert [leg and leg.number for leg in legs] == [-4164, None]


def test_every_documented_code_is_a_refusal_but_those_that_say_unknown(shared_data: Path) -> None:
    rows: list[dict[str, Any]] = json.loads((shared_data / "protocol/errors/binance_usdm_error_codes.json").read_text())
    doubtful = set()
    for row in rows:
        verdict = failure(400, {"code": row["code"], "msg": row["messages"][0]}, "")
        assert verdict is not None and verdict.number == row["code"]
        if verdict.outcome is UNKNOWN:
            doubtful.add(row["code"])
    assert doubtful == {-1000, -1006, -1007, -2012, -4083}
    documented = {row["code"] for row in rows}
    # COIN-M and 2026 numbers are absent from the documentation copy; nothing else may be invented here.
    assert set(CODES) | set(EXECUTION_UNKNOWN) <= documented


def test_no_number_has_two_meanings() -> None:
    from gridops.adapters import venue_codes

    listed = [number for _, numbers in venue_codes._rows() for number in numbers]
    assert len(listed) == len(set(listed))
    assert not set(listed) & set(EXECUTION_UNKNOWN)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (0, "no answer"),
        (200, ""),
        (200, "<html>"),
        (302, ""),
        (404, "<html>not found</html>"),
        (408, ""),
        (500, "oops"),
        (502, "<html><h1>502 Bad Gateway</h1></html>"),
        (503, "<html><h1>503 Service Unavailable</h1></html>"),
        (503, "Unknown error, please check your request or try again later."),
        (503, ""),
        (504, "Gateway Timeout"),
        (500, '{"code":-9999,"msg":"new number"}'),
        (408, '{"code":-1007,"msg":"Timeout waiting for response from backend server."}'),
        (400, '{"code":-1007,"msg":"Timeout waiting for response from backend server."}'),
    ],
)
def test_what_does_not_prove_a_refusal_is_unknown(status: int, body: str) -> None:
    verdict = failure(status, parsed(body), body)
    assert verdict is not None and verdict.outcome is UNKNOWN


def test_the_same_text_under_the_general_number_is_certain() -> None:
    body = {"code": -1000, "msg": "Internal error; unable to process your request. Please try again."}
    verdict = failure(503, body, "")
    assert verdict is not None and (verdict.outcome, verdict.code) == (REFUSED, VenueCode.OVERLOADED)


def test_success_is_no_failure() -> None:
    assert failure(200, {"code": 200, "msg": "done"}, "") is None
    assert failure(200, [], "") is None
    assert leg_failure({"orderId": 1, "status": "NEW"}) is None


def test_the_end_of_a_ban_is_read() -> None:
    assert banned_until_ms("IP(*) banned until 1615183669840. Please") == 1615183669840
    assert banned_until_ms("banned until soon") == 0
