"""A report of round trips as one HTML page: inline charts and tables, nothing loaded from anywhere.

Takes the same document that `--json` prints and holds it inside, so that page and document cannot differ. It computes
no figure; a chart only places them.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

WIDTH, HEIGHT, PAD = 920, 260, 46
_COLOURS = {"net": "#0b6e4f", "gross": "#2a6fdb", "fees": "#c0392b", "funding": "#b7791f"}
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#1a202c;background:#fff}
table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}
th,td{padding:.25rem .6rem;border-bottom:1px solid #e2e8f0;text-align:right;font-variant-numeric:tabular-nums}
th:first-child,td:first-child{text-align:left}
.ok{color:#0b6e4f}.finding{color:#c0392b;font-weight:600}svg{width:100%;height:auto}
text{font:12px system-ui,sans-serif;fill:#4a5568}
"""
_COLUMNS = ("trips", "wins", "gross", "fees", "funding", "net", "net_bps", "maker_share", "slippage_mid")
_DAYS = ("asset", "from", "to", "wallet", "income", "ledger", "residual", "ok")
_CAUSES = ("what", "kind", "symbol", "asset", "ref", "at", "ours", "venue")


def page(document: Mapping[str, Any]) -> str:
    """The page of a `gridops.roundtrip.report` document whose money is text."""
    source, tie = document["source"], document["tieout"]
    title = f"Round trips of {source['account']}"
    found = document["findings"]
    parts = [
        f"<h1>{escape(title)}</h1>",
        _about(source, document["asset"]),
        _findings(found),
        "<h2>Cumulative net and its parts</h2>",
        _curve(document["course"]),
        "<h2>Totals</h2>",
        _table("totals", _COLUMNS, document["totals"]),
        f"<h2>{escape(document['of'].capitalize())} trips by {escape(document['by'])}</h2>",
        _bars(document["groups"]),
        _table("groups", _COLUMNS, document["groups"]),
        f"<h2>Tie-out: {escape(tie['status'])}</h2>",
        f"<p>{escape(tie['reason'])}; {tie['waiting']} rows wait for the next one.</p>",
        _rows("days", _DAYS, [_dated(day) for day in tie["days"]]),
        _rows("causes", _CAUSES, [_dated(cause) for cause in tie["causes"]]) if tie["causes"] else "",
        "<h2>What explains the change of equity</h2>",
        "".join(_law(law) for law in document["law"]),
        f'<script type="application/json" id="report">{_embedded(document)}</script>',
    ]
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n' + "\n".join(parts) + "\n</body></html>\n"


def _about(source: Mapping[str, Any], asset: str) -> str:
    said = f"Engine {source['process']}; {source['fills']} fills; as of {_when(source['as_of_ms'])}; money in {asset}."
    return f"<p>{escape(said)}</p>"


def _embedded(document: Mapping[str, Any]) -> str:
    """The document itself; `<` spelt so that no text of it can end the element."""
    return json.dumps(document, ensure_ascii=True, default=str).replace("<", "\\u003c")


def _findings(found: Sequence[str]) -> str:
    if not found:
        return '<p class="ok">No findings.</p>'
    return '<ul class="finding">' + "".join(f"<li>{escape(each)}</li>" for each in found) + "</ul>"


def _table(name: str, columns: Sequence[str], rows: Mapping[str, Mapping[str, Any]]) -> str:
    return _rows(name, ("of", *columns), [{"of": key, **held} for key, held in rows.items()])


def _rows(name: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    head = "".join(f"<th>{escape(column.replace('_', ' '))}</th>" for column in columns)
    body = "".join(
        "<tr>"
        + "".join(f'<td data-key="{column}">{escape(_said(row.get(column)))}</td>' for column in columns)
        + "</tr>"
        for row in rows
    )
    return f'<table id="{name}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _law(law: Mapping[str, Any]) -> str:
    names = ("closed_net", "open_net", "opening_unrealised", "equity_change", "unattributed", "rounding")
    rows = [{"of": name.replace("_", " "), law["asset"]: law[name]} for name in names]
    rows += [{"of": kind.lower(), law["asset"]: amount} for kind, amount in law["other"].items()]
    return _rows("law", ("of", law["asset"]), rows)


def _dated(held: Mapping[str, Any]) -> dict[str, Any]:
    times = {name.removesuffix("_ms"): _when(at) for name, at in held.items() if name.endswith("_ms")}
    return {**held, **times}


def _said(held: Any) -> str:
    return "-" if held is None else "yes" if held is True else "no" if held is False else str(held)


def _when(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1_000, UTC).strftime("%Y-%m-%d %H:%M:%SZ") if at_ms else "never"


def _curve(points: Sequence[Mapping[str, Any]]) -> str:
    """Lines over time, all on one scale that holds zero."""
    if not points:
        return "<p>No trip is closed yet.</p>"
    times = [int(point["at_ms"]) for point in points]
    series = {name: [float(point[name]) * (-1 if name == "fees" else 1) for point in points] for name in _COLOURS}
    low = min(0.0, *(min(values) for values in series.values()))
    high = max(0.0, *(max(values) for values in series.values()))
    span, first, width = (high - low) or 1.0, times[0], (times[-1] - times[0]) or 1

    def x(at_ms: int) -> float:
        return PAD + (at_ms - first) / width * (WIDTH - 2 * PAD)

    def y(amount: float) -> float:
        return PAD / 2 + (high - amount) / span * (HEIGHT - PAD)

    drawn = [f'<line x1="{PAD}" x2="{WIDTH - PAD}" y1="{y(0):.1f}" y2="{y(0):.1f}" stroke="#a0aec0"/>']
    for at, (name, values) in enumerate(series.items()):
        path = " ".join(f"{x(t):.1f},{y(v):.1f}" for t, v in zip(times, values, strict=True))
        colour = _COLOURS[name]
        drawn.append(f'<polyline class="{name}" points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        label = "less fees" if name == "fees" else name
        drawn.append(
            f'<text x="{PAD + at * 110}" y="{HEIGHT - 4}" style="fill:{colour}">{label} {values[-1]:.4f}</text>'
        )
    drawn += [f'<text x="2" y="{y(edge) + 4:.1f}">{edge:.2f}</text>' for edge in sorted({low, high})]
    return (
        f'<svg id="course" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="cumulative net">{"".join(drawn)}</svg>'
    )


def _bars(groups: Mapping[str, Mapping[str, Any]]) -> str:
    """Net per group."""
    if not groups:
        return ""
    nets = {name: float(held["net"]) for name, held in groups.items()}
    most = max((abs(net) for net in nets.values()), default=0.0) or 1.0
    middle, drawn = WIDTH / 2, []
    for at, (name, net) in enumerate(nets.items()):
        top, length = 8 + at * 22, abs(net) / most * (middle - 140)
        left = middle if net >= 0 else middle - length
        colour = _COLOURS["net"] if net >= 0 else _COLOURS["fees"]
        drawn.append(f'<rect x="{left:.1f}" y="{top}" width="{max(length, 1):.1f}" height="16" fill="{colour}"/>')
        drawn.append(f'<text x="4" y="{top + 13}">{escape(name)}</text>')
        drawn.append(f'<text x="{WIDTH - 100}" y="{top + 13}">{net:.4f}</text>')
    return (
        f'<svg id="bars" viewBox="0 0 {WIDTH} {12 + 22 * len(nets)}" role="img" aria-label="net by group">'
        f"{''.join(drawn)}</svg>"
    )
