"""The EVIDENCE_REF line is one printable ASCII line that reads back as what it was, and nothing else reads at all."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import pytest
from gridops.domain.evidence_ref import (
    EvidenceMode,
    EvidenceRef,
    EvidenceStatus,
    bundle_name,
    line,
    parse,
    utc_basic,
)
from gridops.errors import EvidenceError
from hypothesis import given
from hypothesis import strategies as st

DIGEST = "0123456789abcdef" * 4
REFS = st.builds(
    EvidenceRef,
    st.sampled_from(EvidenceMode),
    st.sampled_from(EvidenceStatus),
    st.text(min_size=1, max_size=40),
    st.text(min_size=1, max_size=80).filter(lambda text: text != "none"),
    st.from_regex("[0-9a-f]{64}", fullmatch=True),
)


def test_line_is_the_contracts_grammar() -> None:
    ref = EvidenceRef(EvidenceMode.RUN, EvidenceStatus.OK, "market_ended", "evidence/run/x", DIGEST)
    assert line(ref) == (
        "EVIDENCE_REF v=1 mode=run status=ok reason=market_ended evidence_dir=evidence/run/x "
        f"summary=evidence/run/x/summary.txt sha256sums=evidence/run/x/sha256sums.txt digest=sha256:{DIGEST}"
    )


def test_modes_are_the_closed_set_of_the_contract() -> None:
    contract = (
        "run, transition, mismatch, tieout, sync, remediation, drill, roundtrip, triage, incident, kill, replay, fsm, "
        "venue, doctor, config, evidence, runbook"
    )
    assert ", ".join(EvidenceMode) == contract
    assert {status.value for status in EvidenceStatus} == {"ok", "finding", "failed"}


def test_absent_evidence_is_said_in_the_same_grammar() -> None:
    unwritable = line(EvidenceRef.unwritable(EvidenceMode.KILL))
    assert "status=failed reason=evidence_unwritable evidence_dir=none" in unwritable
    none_yet = line(EvidenceRef.none_yet(EvidenceMode.FSM))
    assert "evidence_dir=none" in none_yet and "reason=none_yet" in none_yet
    assert parse(unwritable) == EvidenceRef.unwritable(EvidenceMode.KILL)
    assert parse(none_yet) == EvidenceRef.none_yet(EvidenceMode.FSM)


@given(REFS)
def test_any_reference_is_one_printable_line_and_reads_back(ref: EvidenceRef) -> None:
    text = line(ref)
    assert re.fullmatch("[ -~]+", text) and text.count(" ") == 8
    assert parse(text) == ref
    assert parse(text + "\n") == ref


@given(REFS)
def test_values_are_percent_encoded_as_every_url_library_reads_them(ref: EvidenceRef) -> None:
    words = dict(word.split("=", 1) for word in line(ref).split(" ")[1:])
    assert unquote(words["reason"]) == ref.reason
    assert unquote(words["evidence_dir"]) == ref.evidence_dir


def test_a_path_of_any_bytes_can_be_said() -> None:
    path = b"evi\xffdence/\x1b[2J".decode("utf-8", "surrogateescape")
    ref = EvidenceRef(EvidenceMode.RUN, EvidenceStatus.OK, "x", path, DIGEST)
    assert "evidence_dir=evi%FFdence/%1B[2J " in line(ref)
    assert parse(line(ref)) == ref


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("v=1", "v=2"),
        ("mode=run", "mode=nonsense"),
        ("status=ok", "status=OK"),
        ("digest=sha256:", "digest="),
        ("digest=sha256:0", "digest=sha256:"),
        ("summary=evidence/run/x/", "summary=/etc/"),
        ("reason=market_ended", "reason=market%5fended"),
        ("reason=market_ended", "reason=%6Darket_ended"),
        ("reason=market_ended", "reason="),
        (" mode=run status=ok", " status=ok mode=run"),
        ("mode=run ", "mode=run  "),
        ("EVIDENCE_REF", "evidence_ref"),
        ("EVIDENCE_REF", "x EVIDENCE_REF"),
    ],
)
def test_anything_but_the_producers_own_line_is_refused(old: str, new: str) -> None:
    good = line(EvidenceRef(EvidenceMode.RUN, EvidenceStatus.OK, "market_ended", "evidence/run/x", DIGEST))
    assert old in good
    with pytest.raises(EvidenceError):
        parse(good.replace(old, new, 1))


@given(st.text(max_size=200))
def test_noise_is_refused_with_an_operators_error(text: str) -> None:
    with pytest.raises(EvidenceError) as caught:
        parse(text)
    assert str(caught.value).isprintable()


@given(st.integers(0, 253_402_300_799_999))
def test_bundle_time_is_the_calendars(at_ms: int) -> None:
    truth = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    assert utc_basic(at_ms) == truth.strftime("%Y%m%dT%H%M%S.").rjust(16, "0") + f"{truth.microsecond // 1000:03d}Z"


def test_bundle_name_is_a_function_of_the_record() -> None:
    name = bundle_name(EvidenceMode.TRANSITION, at_ms=1_721_347_199_877, run8="ab12cd34", seq=7)
    assert name == "transition/20240718T235959.877Z-ab12cd34-7"


@pytest.mark.parametrize(
    ("at_ms", "run8", "seq"),
    [
        (-1, "ab12cd34", 0),
        (253_402_300_800_000, "ab12cd34", 0),
        (0, "../../xx", 0),
        (0, "short", 0),
        (0, "ab12cd34", -1),
    ],
)
def test_what_cannot_be_a_folder_name_is_refused(at_ms: int, run8: str, seq: int) -> None:
    with pytest.raises(ValueError):
        bundle_name(EvidenceMode.RUN, at_ms=at_ms, run8=run8, seq=seq)
