"""The alerts: only metrics of the catalogue, every risk answered, each rule proven both ways, each with its runbook."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from gridops.adapters.metric_labels import label_values
from gridops.domain.catalogue import CATALOGUE, KNOWN_VOCABULARIES, Metric
from gridops.usecases import runbook
from tests.tools import tool

ROOT = Path(__file__).resolve().parents[2]
RUNBOOKS = ROOT / "runbooks"
BY_NAME = {metric.full_name: metric for metric in CATALOGUE}
_METRIC = re.compile(r"\b(gridops_\w+)(\{[^}]*\})?")
_MATCHER = re.compile(r'(\w+)\s*(=~|!=|=)\s*"([^"]*)"')
_LINK = re.compile(r"\]\(([\w.-]*)#([\w-]+)\)")


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("alerts_script", ROOT / "scripts" / "alerts.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


script = _script()
ALERTS: list[dict[str, Any]] = script.alerts()
docs = pytest.mark.docs


def metric_of(name: str) -> Metric:
    """The catalogue's metric behind a name, a histogram's parts included. KeyError: it is not in the catalogue."""
    return BY_NAME[name] if name in BY_NAME else BY_NAME[re.sub(r"_(bucket|sum|count)$", "", name)]


def words_of(metric: Metric) -> dict[str, set[str]]:
    """Values each label may have."""
    words = {**KNOWN_VOCABULARIES, **label_values("1"), "symbol": ("BTCUSDT",), "asset": ("USDT",)}
    return {label.name: set(map(str, words[label.vocabulary])) for label in metric.labels}


def check_query(query: str) -> set[str]:
    """The metrics of a query, each of the catalogue and matched by labels it has and values they may take."""
    found = set()
    for name, matchers in _METRIC.findall(query):
        metric = metric_of(name)
        found.add(metric.full_name)
        words = words_of(metric)
        for label, sign, text in _MATCHER.findall(matchers):
            if label in ("job", "instance") or text.startswith("$"):
                continue
            values = text.split("|") if sign == "=~" else [text]
            assert label in words and set(values) <= words[label], f"{name}{matchers}"
    assert found, f"no metric in {query}"
    return found


@docs
def test_what_is_written_from_the_source_is_current() -> None:
    stale = [name for name, text in script.files().items() if (RUNBOOKS / name).read_text("utf-8") != text]
    assert stale == [], "run python scripts/alerts.py"


@docs
@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["name"])
def test_a_rule_names_what_can_be(alert: dict[str, Any]) -> None:
    named = check_query(alert["expr"])
    assert named == {metric_of(each["name"]).full_name for each in alert["series"]}, "its proof sets every series"
    for each in alert["series"]:
        words = words_of(metric_of(each["name"]))
        for label, text in each.get("labels", {}).items():
            assert label in ("le", "version") or text in words[label], f"{each['name']} {label}={text}"
    assert alert["severity"] in script.TITLES


@docs
def test_every_metric_has_an_alert_or_a_reason() -> None:
    alerted = {name for alert in ALERTS for name in check_query(alert["expr"])}
    excused = script.without()
    assert alerted & set(excused) == set()
    assert alerted | set(excused) == set(BY_NAME)
    assert all(len(reason) > 8 for reason in excused.values())


@docs
@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["name"])
def test_the_section_of_an_alert_says_its_threshold_and_what_to_do(alert: dict[str, Any], tmp_path: Path) -> None:
    section = runbook.read(script.anchor(alert), tmp_path)
    assert section.text.startswith(f"## {alert['name']}\n")
    shown = re.search(r"```promql\n(.*)\n```", section.text)
    assert shown is not None and shown[1] == alert["expr"]
    assert f"Severity {alert['severity']}, after {alert['for']} of:" in section.text
    for part in ("What to run", "What evidence to paste", "How to respond", "How to know it is over"):
        assert f"**{part}**" in section.text
    assert section.commands and all(map(runbook.looks, section.commands))
    rules = (RUNBOOKS / "alerts.yml").read_text("utf-8")
    assert f"alert: {alert['name']}\n" in rules and json.dumps(alert["expr"]) in rules


@docs
@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["name"])
def test_an_alert_names_what_makes_it_fire(alert: dict[str, Any]) -> None:
    drill = alert["drill"]
    path, _, word = drill.partition("::")
    if drill.startswith("none: "):
        assert alert["severity"] == "warn", "only a warning may go without"
    elif "/" in path:
        assert (ROOT / path).exists(), drill
        sources = [ROOT / path, *(ROOT / "tests" / "sim").glob("condition_scenes.py")]
        assert not word or any(word.lower() in each.read_text("utf-8").lower() for each in sources), drill
    else:
        assert (ROOT / "fixtures" / "drills" / f"{drill}.toml").is_file(), drill


@docs
def test_no_anchor_is_dead() -> None:
    pages = {path.name: path.read_text("utf-8") for path in RUNBOOKS.glob("*.md")}
    anchors = {
        name: {runbook.anchor(each[2]) for each in runbook._HEADING.finditer(text)} for name, text in pages.items()
    }
    dead = [
        f"{name}: {page}#{section}"
        for name, text in pages.items()
        for page, section in _LINK.findall(text)
        if section not in anchors.get(page or name, set())
    ]
    assert dead == []


@docs
def test_the_script_finds_a_stale_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (*RUNBOOKS.glob("alerts*"), RUNBOOKS / "README.md"):
        (tmp_path / path.name).write_text(path.read_text("utf-8"), "utf-8")
    monkeypatch.setattr(script, "RUNBOOKS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["alerts.py", "--check"])
    assert script.main() == 0
    written = tmp_path / "alerts-page.md"
    written.write_text(written.read_text("utf-8").replace("> 200", "> 250"), "utf-8")
    assert script.main() == 1


def promtool(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [tool("promtool"), "test", "rules", "alerts.test.yml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=280, check=False)


@pytest.mark.simulation
@pytest.mark.timeout(300)
def test_every_rule_fires_above_its_threshold_is_silent_below_and_resolves() -> None:
    done = promtool(RUNBOOKS)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4_000:]


@pytest.mark.simulation
@pytest.mark.nightly
@pytest.mark.timeout(900)
@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["name"])
def test_a_rule_that_never_fires_or_always_does_is_found(
    alert: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "alerts", lambda: [alert])
    for broken in (f"({alert['expr']}) unless on () vector(1)", f"({alert['expr']}) or vector(1)"):
        (tmp_path / "alerts.test.yml").write_text(script.tests(), "utf-8")
        rules = script.rules().replace(json.dumps(alert["expr"]), json.dumps(broken))
        (tmp_path / "alerts.yml").write_text(rules, "utf-8")
        assert promtool(tmp_path).returncode != 0, broken
