"""Write what follows from `runbooks/alerts.toml`: the rules, their promtool tests, the pages, the index of README.

One source, so that a threshold, its proof and its page cannot drift apart. `--check` writes nothing and exits 1 when a
file is not what it would be. JSON strings are YAML strings, so no YAML library is needed.
"""

import json
import re
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RUNBOOKS = Path(__file__).resolve().parents[1] / "runbooks"
STEP_S = 15
PHASES = ("normal", "silent", "fires", "after")
_RANGE = re.compile(r"\[(\w+)\]")
TITLES = {
    "critical": "Money is at risk now, or nobody guards it: every minute counts.",
    "page": "A human is needed soon; the engine protects itself meanwhile.",
    "warn": "For office hours: nothing is lost yet.",
}
BEGIN, END = "<!-- alerts -->", "<!-- /alerts -->"
Alert = Mapping[str, Any]


def alerts() -> list[dict[str, Any]]:
    """Every alert of the source, in its order."""
    found: list[dict[str, Any]] = tomllib.loads((RUNBOOKS / "alerts.toml").read_text("utf-8"))["alert"]
    return found


def without() -> dict[str, str]:
    """Metrics that need no alert, each with its reason."""
    found: dict[str, str] = tomllib.loads((RUNBOOKS / "alerts.toml").read_text("utf-8"))["without"]
    return found


def anchor(alert: Alert) -> str:
    """Where the runbook speaks of it."""
    return f"alerts-{alert['severity']}#{alert['name'].lower()}"


def annotations(alert: Alert) -> dict[str, str]:
    return {
        "summary": alert["summary"],
        "runbook": f"runbooks/{anchor(alert).replace('#', '.md#')}",
        "run": f"gridops runbook {anchor(alert)} --execute",
    }


def rules() -> str:
    """`alerts.yml`."""
    lines = ["# Written by scripts/alerts.py from alerts.toml.", "groups:"]
    for severity in TITLES:
        lines += [f"  - name: gridops-{severity}", f"    interval: {STEP_S}s", "    rules:"]
        for alert in (each for each in alerts() if each["severity"] == severity):
            lines += [
                f"      - alert: {alert['name']}",
                f"        expr: {json.dumps(alert['expr'])}",
                f"        for: {alert['for']}",
                f"        labels: {{severity: {severity}}}",
                "        annotations:",
                *(f"          {name}: {json.dumps(text)}" for name, text in annotations(alert).items()),
            ]
    return "\n".join(lines) + "\n"


def seconds(text: str) -> int:
    """A duration of the rules: `30s`, `5m`."""
    return int(text[:-1]) * {"s": 1, "m": 60, "h": 3_600}[text[-1]]


def _series_name(series: Mapping[str, Any]) -> str:
    labels = {**series.get("labels", {}), "job": "gridops", "instance": "engine"}
    told = ", ".join(f"{name}={json.dumps(text)}" for name, text in sorted(labels.items()))
    return f"{series['name']}{{{told}}}"


def phases(alert: Alert) -> dict[str, int]:
    """Steps of each phase of a proof: normal, the largest silent value, one that fires, normal again."""
    looks_back = max((seconds(each) for each in _RANGE.findall(alert["expr"])), default=0)
    settled = looks_back // STEP_S + 4
    return {"normal": settled, "silent": settled, "fires": settled + seconds(alert["for"]) // STEP_S, "after": settled}


def _values(series: Mapping[str, Any], steps: Mapping[str, int]) -> str:
    """promtool's notation of a series through these phases."""
    name, parts, at_s, level = series["name"], [], 0, 0.0
    for phase, count in steps.items():
        value = series["normal" if phase == "after" else phase]
        if value == "absent":
            parts.append(f"stale _x{count - 1}")
        elif value == "NaN":
            parts.append(" ".join(["NaN"] * count))
        elif name.endswith("_timestamp_seconds"):
            parts.append(f"{at_s - value}+{STEP_S}x{count - 1}")
        elif name.endswith(("_total", "_bucket")):
            parts.append(f"{level + value:.6g}+{value}x{count - 1}")
            level += value * count
        else:
            parts.append(f"{value}x{count - 1}")
        at_s += count * STEP_S
    return " ".join(parts)


def _checks(alert: Alert) -> list[tuple[int, bool]]:
    """(second, does it fire): after normal, after silent, while it waits, once it fires, and when it is over."""
    steps, wait = phases(alert), seconds(alert["for"])
    normal_s, silent_s, fires_s, after_s = (STEP_S * steps[phase] for phase in PHASES)
    begins_s, ends_s = normal_s + silent_s, normal_s + silent_s + fires_s
    found = [(normal_s - STEP_S, False), (begins_s - STEP_S, False)]
    if wait > STEP_S:
        found.append((begins_s + wait - 2 * STEP_S, False))
    return [*found, (ends_s - STEP_S, True), (ends_s + after_s - STEP_S, False)]


def _expected(alert: Alert) -> str:
    named = alert.get("labels", {})
    labels = {"severity": alert["severity"]}
    if named != "none":
        labels |= {**named, "job": "gridops", "instance": "engine"}
    return json.dumps([{"exp_labels": labels, "exp_annotations": annotations(alert)}])


def tests() -> str:
    """`alerts.test.yml`: each rule with the largest value that is silent and with one that fires; and all at rest."""
    lines = ["# Written by scripts/alerts.py from alerts.toml. Run: promtool test rules alerts.test.yml"]
    lines += ["rule_files: [alerts.yml]", f"evaluation_interval: {STEP_S}s", "tests:"]
    calm = {"normal": 60}
    every = {_series_name(each): _values(each, calm) for alert in alerts() for each in alert["series"]}
    lines += _case("normal operation", every, [(at_s, each, False) for each in alerts() for at_s in (60, 870)])
    for alert in alerts():
        series = {_series_name(each): _values(each, phases(alert)) for each in alert["series"]}
        lines += _case(alert["name"], series, [(at_s, alert, fires) for at_s, fires in _checks(alert)])
    return "\n".join(lines) + "\n"


def _case(name: str, series: Mapping[str, str], checks: list[tuple[int, Alert, bool]]) -> list[str]:
    lines = [f"  - name: {json.dumps(name)}", f"    interval: {STEP_S}s", "    input_series:"]
    for told, values in series.items():
        lines += [f"      - series: {json.dumps(told)}", f"        values: {json.dumps(values)}"]
    lines += ["    alert_rule_test:"]
    for at_s, alert, fires in checks:
        lines += [f"      - eval_time: {at_s}s", f"        alertname: {alert['name']}"]
        lines += [f"        exp_alerts: {_expected(alert) if fires else '[]'}"]
    return lines


def page(severity: str) -> str:
    """`alerts-SEVERITY.md`."""
    lines = [
        f"# Alerts: {severity}", "",
        f"{TITLES[severity]} Written by `scripts/alerts.py` from `alerts.toml`; `gridops runbook",
        f"alerts-{severity}#NAME --execute` runs one section and keeps the answers. Begin with:", "",
        "```sh", "gridops triage", "gridops fsm show", "```", "",
    ]  # fmt: skip
    for alert in (each for each in alerts() if each["severity"] == severity):
        lines += _section(alert)
    return "\n".join(lines).rstrip() + "\n"


def _section(alert: Alert) -> list[str]:
    looks = ["gridops triage", "gridops fsm show", *alert.get("commands", [])]
    return [
        f"## {alert['name']}", "",
        f"{alert['summary']} Severity {alert['severity']}, after {alert['for']} of:", "",
        "```promql", alert["expr"], "```", "",
        *_setting(alert),
        "**What to run**", "", "```sh", *looks, "```", "",
        "**What evidence to paste**", "",
        "The `EVIDENCE_REF` lines of the commands above, and for an incident the folder of:", "",
        "```text", "gridops triage --bundle", "```", "",
        "**How to respond**", "", alert["respond"], "",
        "**How to know it is over**", "", f"{alert['over']} The alert resolves by itself then.", "",
        f"Drill: {_drill(alert['drill'])}", "",
    ]  # fmt: skip


def _setting(alert: Alert) -> list[str]:
    """A rule cannot see the settings of the engine it watches, so its reader is told which one it was made for."""
    from gridops.config import Settings

    if "setting" not in alert:
        return []
    section, _, key = alert["setting"].partition(".")
    default = getattr(getattr(Settings(), section), key)
    told = f"{alert['setting']} = {default}"
    return [f"The rule is fixed and fits the default `{told}`: who changes the setting changes the rule.", ""]


def _drill(name: str) -> str:
    return f"`{name}`." if "/" in name or ":" in name else f"`gridops drill run {name}`."


def index() -> str:
    """The table of README.md."""
    lines = ["| Alert | Severity | Runbook | Drill |", "|---|---|---|---|"]
    for severity in TITLES:
        for alert in (each for each in alerts() if each["severity"] == severity):
            where = anchor(alert).replace("#", ".md#")
            lines += [f"| {alert['name']} | {severity} | [{where}]({where}) | `{alert['drill']}` |"]
    return "\n".join(lines)


def readme(before: str) -> str:
    """The index page with its table replaced."""
    head, _, rest = before.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{index()}\n{END}{tail}"


def files() -> dict[str, str]:
    """Every written file by name."""
    pages = {f"alerts-{severity}.md": page(severity) for severity in TITLES}
    kept = (RUNBOOKS / "README.md").read_text("utf-8")
    return {"alerts.yml": rules(), "alerts.test.yml": tests(), **pages, "README.md": readme(kept)}


def main() -> int:
    checking, stale = "--check" in sys.argv[1:], []
    for name, text in files().items():
        path = RUNBOOKS / name
        if not path.is_file() or path.read_text("utf-8") != text:
            stale.append(name)
            if not checking:
                path.write_text(text, "utf-8")
    print(f"{'stale' if checking else 'written'}: {', '.join(stale) or 'nothing'}")
    return int(checking and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
