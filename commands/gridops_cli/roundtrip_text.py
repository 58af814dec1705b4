"""Round trips for a terminal: tables, the plot of the net and its parts, and the merged story of one trip."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Any

from gridops_cli import render

if TYPE_CHECKING:
    from gridops.decide.roundtrip_totals import Point, Totals
    from gridops.usecases.roundtrip import Report, Source, TripList
    from gridops.usecases.roundtrip_rows import TripRow
    from gridops.usecases.roundtrip_show import Story

PLOT_WIDTH, PLOT_HEIGHT = 64, 12
_MARKS = {"gross": "g", "funding": "f", "fees": "c", "net": "*"}


def figures(held: Any) -> Any:
    """JSON-ready data with money as plain decimal text: never an exponent, never a float."""
    if isinstance(held, Decimal):
        return f"{held:f}"
    if isinstance(held, Mapping):
        return {name: figures(inner) for name, inner in held.items()}
    if isinstance(held, list | tuple):
        return [figures(inner) for inner in held]
    return held


def listing(found: "TripList") -> list[str]:
    lines = [*_source(found.source), "", f"{found.closed} closed {found.of} trips, {len(found.open)} open", ""]
    titles = [
        "id",
        "exit",
        "symbol",
        "side",
        "level",
        "regime",
        "qty",
        "entry",
        "exit price",
        "net",
        "bps",
        "held",
        "end",
    ]
    rows = [_trip(each) for each in (*found.open, *found.trips)]
    return [*lines, *(render.table(titles, rows) if rows else ["no trips yet"])]


def story(told: "Story") -> list[str]:
    trip = told.trip
    outs = ", ".join(f"{name} {_money(moved)}" for name, moved in trip.mark_out.items())
    fees = ", ".join(
        f"{amount:f} {asset} ({trip.fee_rates[asset].source})" for asset, amount in trip.fees_by_asset.items()
    )
    facts = [
        ("trip", f"{trip.trip_id}  {trip.of}, {'open' if trip.open else 'closed by ' + trip.close_reason}"),
        ("position", f"{trip.side} {trip.entry.quantity:f} {trip.symbol}, level {trip.level}, {trip.policy}"),
        ("regime", trip.regime or "unknown"),
        ("entry", _leg(trip.entry)),
        ("exit", _leg(trip.exit)),
        ("held", render.age(trip.hold_ms)),
        ("gross", f"{trip.gross:f}"),
        ("fees", f"{trip.fees:f}  {fees}" + ("  UNVALUED IN PART" if trip.unvalued_fee else "")),
        ("funding", f"{trip.funding:f}"),
        ("net", f"{trip.net:f}  {trip.net_bps} bps"),
        ("slippage", f"{_money(trip.slippage_mid)} to the mid, {_money(trip.slippage_level)} to the level"),
        ("mark-out", outs),
        ("excursion", f"{_money(trip.adverse)} worst, {_money(trip.favour)} best"),
    ]
    rows = [
        [_stamp(m.at_ms), str(m.seq), m.who, m.what, m.ref, m.detail + (f"  << {m.differs}" if m.differs else "")]
        for m in told.timeline
    ]
    ending = [f"{told.cut} more lines are in --json"] if told.cut else []
    verdict = f"{told.disagreements} disagreements" if told.disagreements else "both sides tell the same"
    titles = ["time", "row", "who", "what", "of", "said"]
    return [*_source(told.source), "", *render.pairs(facts), "", *render.table(titles, rows), *ending, "", verdict]


def report(found: "Report") -> list[str]:
    lines = _source(found.source)
    lines += ["", f"totals in {found.asset}", *_totals({of: found.totals[of] for of in found.totals})]
    lines += ["", f"{found.of} trips by {found.by}", *_totals(found.groups)]
    lines += ["", *_parts(found), "", *_plot(found.course), "", *_tieout(found), "", *_law(found), ""]
    return [*lines, *([f"FINDING {each}" for each in found.findings] or ["no findings"])]


def _parts(found: "Report") -> list[str]:
    """What does not fit a column."""
    held = found.totals[found.of]
    paid = ", ".join(f"{amount:f} {asset}" for asset, amount in held.fees_by_asset.items()) or "none"
    missing = ", ".join(f"{amount:f} {asset}" for asset, amount in held.unvalued_fees.items())
    outs = ", ".join(f"{name} {_money(moved)} of {held.mark_out_trips[name]}" for name, moved in held.mark_out.items())
    facts = [
        ("fees paid", paid),
        ("unvalued", f"{missing} in {held.unvalued_trips} trips; give --rate" if missing else "none"),
        ("slippage", f"{_money(held.slippage_mid)} to the mid, {_money(held.slippage_level)} to the level"),
        ("mark-out", outs),
        ("excursion", f"{_money(held.adverse)} worst, {_money(held.favour)} best"),
        ("held", f"{render.age(held.mean_hold_ms)} on average"),
        ("open", ", ".join(f"{count} {of}" for of, count in found.open_trips.items())),
    ]
    return render.pairs(facts)


def _totals(rows: "Mapping[str, Totals]") -> list[str]:
    titles = ["", "trips", "wins", "gross", "fees", "funding", "net", "bps", "maker"]
    return render.table(
        titles,
        [
            [
                name, str(t.trips), str(t.wins), _money(t.gross), _money(t.fees), _money(t.funding), _money(t.net),
                str(t.net_bps), f"{t.maker_share * 100:.1f} %",
            ]
            for name, t in rows.items()
        ],
    )  # fmt: skip


def _tieout(found: "Report") -> list[str]:
    tie = found.tieout
    lines = [f"tie-out {tie.status} ({tie.reason}), {tie.waiting} rows wait for the next one"]
    if tie.days:
        titles = ["day", "asset", "wallet change", "income rows", "our ledger", "residual"]
        rows = [
            [render.when(d.to_ms)[:10], d.asset, *(f"{x:f}" for x in (d.wallet, d.income, d.ledger, d.residual))]
            for d in tie.days
        ]
        lines += render.table(titles, rows, indent="  ")
    for cause in tie.causes:
        named = f"{cause.kind} {cause.symbol} {cause.ref}".strip()
        lines.append(f"  {cause.what}: {named}, ours {cause.ours:f}, venue {cause.venue:f} {cause.asset}")
    return lines


def _law(found: "Report") -> list[str]:
    lines: list[str] = []
    for law in found.law:
        other = ", ".join(f"{kind.lower()} {amount:f}" for kind, amount in law.other.items()) or "none"
        lines += [f"change of equity {law.equity_change:f} {law.asset}, explained by"]
        facts = [
            ("closed trips", f"{law.closed_net:f}"),
            ("open inventory", f"{law.open_net:f}"),
            ("less at start", f"{law.opening_unrealised:f}"),
            ("other rows", other),
            ("unattributed", f"{law.unattributed:f}  (rounding may leave {law.rounding:f})"),
        ]
        lines += [f"  {line}" for line in render.pairs(facts)]
    return lines or ["change of equity: not compared, no wallet read could be used"]


def _plot(points: "Sequence[Point]") -> list[str]:
    """Net and its parts over time, as characters; the net is drawn last and so on top."""
    if not points:
        return ["no trip is closed yet: nothing to plot"]
    series = {name: [getattr(p, name) * (-1 if name == "fees" else 1) for p in points] for name in _MARKS}
    low = min(Decimal(0), *(min(values) for values in series.values()))
    high = max(Decimal(0), *(max(values) for values in series.values()))
    span, first = (high - low) or Decimal(1), points[0].at_ms
    width = (points[-1].at_ms - first) or 1
    grid = [[" "] * PLOT_WIDTH for _ in range(PLOT_HEIGHT)]

    def line(amount: Decimal) -> int:
        return int(((high - amount) / span * (PLOT_HEIGHT - 1)).to_integral_value(ROUND_HALF_EVEN))

    grid[line(Decimal(0))] = ["-"] * PLOT_WIDTH
    for name, values in series.items():
        for point, amount in zip(points, values, strict=True):
            grid[line(amount)][(point.at_ms - first) * (PLOT_WIDTH - 1) // width] = _MARKS[name]
    edges = {0: _money(high), line(Decimal(0)): "0", PLOT_HEIGHT - 1: _money(low)}
    margin = max(len(text) for text in edges.values())
    drawn = [f"{edges.get(at, '').rjust(margin)} |{''.join(cells)}" for at, cells in enumerate(grid)]
    legend = (
        f"cumulative: * net, g gross, c less fees, f funding; {render.when(first)} to {render.when(points[-1].at_ms)}"
    )
    return [legend, *drawn]


def _trip(trip: "TripRow") -> list[str]:
    left = "open" if trip.open else trip.close_reason
    return [
        trip.trip_id, "" if trip.open else render.when(trip.exit.at_ms), trip.symbol, trip.side, str(trip.level),
        trip.regime or "unknown", f"{trip.entry.quantity:f}", _money(trip.entry.vwap), _money(trip.exit.vwap),
        _money(trip.net) + ("?" if trip.unvalued_fee else ""), str(trip.net_bps), render.age(trip.hold_ms), left,
    ]  # fmt: skip


def _source(source: "Source") -> list[str]:
    alive = "engine live" if source.process == "live" else f"engine {source.process}"
    age = "now" if source.process == "live" else f"{render.age(source.age_ms)} ago"
    as_of = f", as of {age}" if source.rows else ""
    return [f"{alive}; {source.fills} fills in {source.rows} rows of {source.journal}{as_of}"]


def _leg(leg: Any) -> str:
    at = render.when(leg.at_ms)
    return f"{leg.quantity:f} at {_money(leg.vwap)}, {leg.maker_share * 100:.1f} % maker, {at}" if leg.vwap else "none"


def _money(amount: Decimal | None) -> str:
    if amount is None:
        return "-"
    return f"{amount.quantize(Decimal('0.0001'), ROUND_HALF_EVEN):f}"


def _stamp(at_ms: int) -> str:
    return f"{render.when(at_ms)[11:19]}.{at_ms % 1_000:03d}"
