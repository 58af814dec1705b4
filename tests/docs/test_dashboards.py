"""The Grafana dashboards: valid documents, every query of metrics and labels that are in a real exposition."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from gridops import __version__
from gridops.adapters.metric_labels import open_metrics
from gridops.domain.catalogue import CATALOGUE
from tests.docs.test_alerts import check_query, metric_of

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "runbooks" / "dashboards").glob("*.json"))
_BY = re.compile(r"by \(([^)]*)\)")
_NAMES = re.compile(r"\bgridops_\w+")

pytestmark = pytest.mark.docs


def documents() -> dict[str, dict[str, Any]]:
    return {path.stem: json.loads(path.read_text("utf-8")) for path in FILES}


def queries() -> list[str]:
    """Every query of every panel, with Grafana's variables in it."""
    panels = [panel for found in documents().values() for panel in found["panels"]]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def test_the_files_are_what_the_script_writes() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/dashboards.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(documents()) == {"trading", "risk", "engine"}


@pytest.mark.parametrize("name", documents())
def test_a_dashboard_is_a_valid_document(name: str) -> None:
    found = documents()[name]
    assert found["uid"] == f"gridops-{name}" and len(found["uid"]) <= 40
    assert found["title"] and isinstance(found["schemaVersion"], int) and found["panels"]
    assert len({panel["id"] for panel in found["panels"]}) == len(found["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in found["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken and max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells
        assert panel["type"] and panel["title"] and panel["targets"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    named = {each["name"] for each in found["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(found["panels"])))
    assert used <= named | {"__rate_interval"}, used


@pytest.mark.parametrize("query", queries())
def test_a_query_is_of_the_catalogue_and_in_the_exposition(query: str) -> None:
    exposed = open_metrics(symbols=("BTCUSDT",), assets=("USDT",), version=__version__).render().decode()
    check_query(query)
    for name in _NAMES.findall(query):
        assert re.search(rf"^{name}[{{ ]", exposed, re.MULTILINE), f"{name} is in no scrape"
    labels = {label.name for name in _NAMES.findall(query) for label in metric_of(name).labels}
    for listed in _BY.findall(query):
        assert {each.strip() for each in listed.split(",")} <= {*labels, "le"}, query


def test_every_metric_is_on_a_dashboard() -> None:
    shown = {metric for query in queries() for metric in check_query(query)}
    assert shown == {metric.full_name for metric in CATALOGUE}
