"""The probe lists every assumption, checks them against a venue without trading, and leaves no order behind."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from gridops.usecases.venue_probe import ASSUMPTIONS, Answer, Verdict, probe
from gridops.venue.core import Fidelity
from tests.venue.core_kit import BTC
from tests.venue.payload_scenes import live_venue
from tests.venue.wire_client import Bench


def asking(venue: Bench, asked: list[str]) -> object:
    async def ask(method: str, path: str, params: Mapping[str, str]) -> Answer:
        asked.append(f"{method} {path}")
        reply = await venue.signed(method, path, **dict[str, Any](params))
        return Answer(reply.status, json.loads(reply.text), len(reply.text))

    return ask


async def test_the_emulator_confirms_its_own_assumptions_and_keeps_no_order() -> None:
    async with live_venue() as venue:
        findings = await probe(asking(venue, []), "BTCUSDT", with_order=True)  # type: ignore[arg-type]
        orders = venue.core.truth()["orders"]
    assert [finding.name for finding in findings] == [each.name for each in ASSUMPTIONS]
    assert {finding.name for finding in findings if finding.verdict is Verdict.REFUTED} == set()
    confirmed = {finding.name for finding in findings if finding.verdict is Verdict.CONFIRMED}
    assert confirmed == {each.name for each in ASSUMPTIONS if each.check is not None}
    assert [(row["status"], row["executedQty"]) for row in orders] == [("CANCELED", "0.000")]


async def test_without_leave_it_only_asks() -> None:
    asked: list[str] = []
    async with live_venue() as venue:
        findings = await probe(asking(venue, asked), "BTCUSDT")  # type: ignore[arg-type]
        assert venue.core.truth()["orders"] == []
    assert "POST /fapi/v1/order" not in asked
    assert sum(finding.verdict is Verdict.UNCHECKED for finding in findings) >= 15


@pytest.mark.parametrize(
    ("fidelity", "spec", "name"),
    [(Fidelity(slim_replies=False), BTC, "slim-replies"), (Fidelity(), replace(BTC, move_order_limit=7), "move-limit")],
)
async def test_a_venue_that_differs_is_found_out(fidelity: Fidelity, spec: object, name: str) -> None:
    async with live_venue(fidelity, spec) as venue:  # type: ignore[arg-type]
        findings = await probe(asking(venue, []), "BTCUSDT", with_order=True)  # type: ignore[arg-type]
    assert [finding.name for finding in findings if finding.verdict is Verdict.REFUTED] == [name]
