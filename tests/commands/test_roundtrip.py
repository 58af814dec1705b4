"""`gridops roundtrip`: text for people, one document for machines, a page that says the same, a code for a finding."""

import csv
import html.parser
import json
import re
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from gridops.adapters.home import Home
from gridops.domain.evidence_ref import EvidenceMode, EvidenceStatus
from gridops.errors import ExitCode
from syrupy.assertion import SnapshotAssertion
from tests.commands.kit import Ran, Runner
from tests.usecases import roundtrip_journal as kit
from tests.usecases.roundtrip_journal import Plant

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome-headless-shell")


def _journal(home: Home, plant: Plant = list) -> None:
    home.ensure()
    kit.write(home.journal("paper"), kit.traded().rows, plant)


def _steady(ran: Ran) -> str:
    """What does not depend on where and when the test runs."""
    text = re.sub(r"as of .* ago", "as of AGE ago", ran.out)
    text = re.sub(r"rows of \S+", "rows of JOURNAL,", text)
    return re.sub(r"evidence_dir=.*", "evidence_dir=DIR", text)


def test_the_list_is_what_it_was(cli: Runner, home: Home, snapshot: SnapshotAssertion) -> None:
    _journal(home)
    ran = cli("roundtrip", "list")
    assert ran.code == 0 and _steady(ran) == snapshot
    assert [(ref.mode, ref.reason) for ref in ran.refs()] == [(EvidenceMode.ROUNDTRIP, "none_yet")]


def test_the_report_is_what_it_was(cli: Runner, home: Home, snapshot: SnapshotAssertion) -> None:
    _journal(home)
    ran = cli("roundtrip", "report", "--by", "regime", "--rate", "BNB=600")
    assert ran.code == 0 and _steady(ran) == snapshot
    assert [(ref.mode, ref.status) for ref in ran.refs()] == [(EvidenceMode.ROUNDTRIP, EvidenceStatus.OK)]


def test_a_trip_and_its_story_are_what_they_were(cli: Runner, home: Home, snapshot: SnapshotAssertion) -> None:
    _journal(home)
    trips = cli("roundtrip", "list", "--json").document()["trips"]
    trip = next(each for each in trips if each["fills"] == [101, 103])
    ran = cli("roundtrip", "show", trip["trip_id"][:6])
    assert ran.code == 0 and _steady(ran) == snapshot


def test_a_residual_is_a_finding_with_a_bundle_of_its_own(cli: Runner, home: Home, snapshot: SnapshotAssertion) -> None:
    _journal(home, kit.wrong_fee)
    ran = cli("roundtrip", "report")
    assert ran.code == ExitCode.FINDING and _steady(ran) == snapshot
    assert [(ref.mode, ref.status) for ref in ran.refs("out")] == [
        (EvidenceMode.ROUNDTRIP, EvidenceStatus.FINDING),
        (EvidenceMode.TIEOUT, EvidenceStatus.FINDING),
    ]
    for ref in ran.refs("out"):
        assert ref.evidence_dir is not None
        subprocess.run(["sha256sum", "-c", "--quiet", "sha256sums.txt"], cwd=ref.evidence_dir, check=True)
    trip = next(t for t in cli("roundtrip", "list", "--json").document()["trips"] if t["fills"] == [101, 103])
    assert cli("roundtrip", "show", trip["trip_id"]).code == ExitCode.FINDING


@pytest.mark.parametrize("words", [("list",), ("report",), ("report", "--of", "episode", "--by", "hour")])
def test_a_document_has_its_schema_its_evidence_and_no_float(cli: Runner, home: Home, words: tuple[str, ...]) -> None:
    _journal(home)
    ran = cli("roundtrip", *words, "--json")
    said = ran.document()
    assert said["schema"] == f"gridops.roundtrip.{words[0]}/1"
    assert said["evidence"]["mode"] == "roundtrip" and len(ran.refs("err")) == 1 and ran.refs("out") == []
    assert said["source"]["process"] == "dead"
    json.loads(ran.out, parse_float=lambda text: pytest.fail(f"{text} is a float"))


def test_the_table_holds_every_closed_trip(cli: Runner, home: Home, empty_folder: Path) -> None:
    _journal(home)
    said = cli("roundtrip", "report", "--csv", "trips.csv", "--json").document()
    with (empty_folder / "trips.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    listed = cli("roundtrip", "list", "--json").document()["trips"]
    assert {row["trip_id"]: row["net"] for row in rows} == {trip["trip_id"]: trip["net"] for trip in listed}
    assert len(rows) == said["totals"]["rung"]["trips"]
    assert rows[0]["entry.vwap"] and rows[0]["fees_by_asset"]


def test_the_parquet_file_holds_what_the_table_holds(cli: Runner, home: Home, empty_folder: Path) -> None:
    polars = pytest.importorskip("polars", reason="polars is not installed: pip install 'gridops-cli[parquet]'")
    _journal(home)
    assert cli("roundtrip", "report", "--csv", "trips.csv", "--parquet", "trips.parquet").code == 0
    with (empty_folder / "trips.csv").open(newline="") as file:
        table = csv.DictReader(file)
        rows, names = list(table), table.fieldnames
    frame = polars.read_parquet(empty_folder / "trips.parquet")
    assert frame.columns == names and frame.height == len(rows) > 0
    moments = {name: frame[name].dt.epoch("ms").to_list() for name in ("entry.at_ms", "exit.at_ms")}
    for number, (row, held) in enumerate(zip(rows, frame.to_dicts(), strict=True)):
        for name, text in row.items():
            value = held[name]
            if name in moments:
                assert (moments[name][number], value.tzname()) == (int(text), "UTC")
            elif isinstance(value, Decimal):
                assert value == Decimal(text)
            else:
                assert ("" if value is None else str(value)) == text
    assert all(frame.schema[name].is_decimal() for name in ("net", "entry.vwap", "mark_out.10s"))
    assert not any(kind.is_float() for kind in frame.dtypes)


def test_without_its_library_no_parquet_is_promised(
    cli: Runner, home: Home, empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _journal(home)
    monkeypatch.setitem(sys.modules, "polars", None)
    ran = cli("roundtrip", "report", "--parquet", "trips.parquet")
    assert ran.code == ExitCode.USAGE
    assert (
        "error: --parquet is written with polars" in ran.err and 'hint: pip install "gridops-cli[parquet]"' in ran.err
    )
    assert not list(empty_folder.glob("*parquet*"))


@pytest.mark.parametrize(
    "words",
    [
        ("report", "--by", "moon"), ("report", "--rate", "BNB"),
        ("report", "--csv", "nowhere/x.csv"), ("list", "--limit", "0"), ("show", "ab"), ("show", "abcdef"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_with_a_hint(cli: Runner, home: Home, words: tuple[str, ...]) -> None:
    _journal(home)
    ran = cli("roundtrip", *words)
    assert ran.code == ExitCode.USAGE and "hint: " in ran.err
    assert [ref.status for ref in ran.refs()] == [EvidenceStatus.FAILED]


def test_without_a_journal_there_is_nothing_to_account_for(cli: Runner, home: Home) -> None:
    home.ensure()
    assert cli("roundtrip", "report").code == ExitCode.EVIDENCE


class _Page(html.parser.HTMLParser):
    """Cells by table, the embedded document, and whatever the page would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.cells: dict[str, list[dict[str, str]]] = {}
        self.loads: list[str] = []
        self.tags: list[str] = []
        self._table, self._key, self._inside, self.report = "", "", "", ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.loads += [known[name] for name in ("src", "href") if name in known]
        self._inside = tag
        if tag == "table":
            self._table = known["id"]
            self.cells.setdefault(self._table, [])
        elif tag == "tr":
            self.cells[self._table].append({})
        elif tag == "td":
            self._key = known["data-key"]

    def handle_data(self, data: str) -> None:
        if self._inside == "td":
            self.cells[self._table][-1][self._key] = data
        elif self._inside == "script":
            self.report += data

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""


def _pages(cli: Runner, folder: Path) -> tuple[str, dict[str, Any]]:
    said = cli("roundtrip", "report", "--html", "report.html", "--rate", "BNB=600", "--json").document()
    return (folder / "report.html").read_text("utf-8"), said


@pytest.mark.parametrize("plant", [list, kit.doubled_fill])
def test_the_page_says_what_the_document_says_and_loads_nothing(
    cli: Runner, home: Home, empty_folder: Path, plant: Plant
) -> None:
    _journal(home, plant)
    text, said = _pages(cli, empty_folder)
    page = _Page(text)
    assert json.loads(page.report) == said
    assert page.loads == [] and "url(" not in text and "@import" not in text
    assert page.tags.count("svg") == 2 and "polyline" in page.tags and "rect" in page.tags
    for name in ("totals", "groups"):
        shown = {row.pop("of"): row for row in page.cells[name][1:]}
        assert shown == {key: {column: str(held[column]) for column in shown[key]} for key, held in said[name].items()}
    assert [row["residual"] for row in page.cells["days"][1:]] == [day["residual"] for day in said["tieout"]["days"]]
    assert ("causes" in page.cells) is bool(said["tieout"]["causes"])


def test_a_browser_shows_the_page_as_it_was_written(cli: Runner, home: Home, empty_folder: Path) -> None:
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        pytest.skip(f"no browser is installed: none of {', '.join(BROWSERS)} is on the path")
    _journal(home)
    text, said = _pages(cli, empty_folder)
    ran = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", f"file://{empty_folder}/report.html"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    page = _Page(ran.stdout)
    assert json.loads(page.report) == said
    assert page.cells == _Page(text).cells
