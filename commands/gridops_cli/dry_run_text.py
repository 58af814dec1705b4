"""The plan of a dry run as text: totals first, then every level with what would become of it and why."""

from decimal import Decimal

from gridops.usecases.dry_run import DryRunReport

from gridops_cli.render import pairs, table

_CENT = Decimal("0.01")


def lines(report: DryRunReport) -> list[str]:
    """Nothing was sent; every figure says what would be."""
    cost = report.cost
    shown = [
        ("dry run", "nothing was sent"),
        ("account", report.account),
        ("state", report.state + ("" if report.quoting else " (would not quote)")),
        *[("condition", each) for each in report.conditions],
        ("changed", "; ".join(report.changed) or "no rule, against the journal's last run"),
        ("at once", ", ".join(f"{count} {kind}" for kind, count in report.operations.items()) or "nothing to send"),
        ("cost", f"{cost.calls} calls, {cost.weight} weight, {cost.orders} orders, {cost.bare_ms} ms bare"),
    ]
    for each in report.symbols:
        counts = ", ".join(f"{name} {count}" for name, count in each.actions.items()) or "no level"
        before, after = each.exposure_before.quantize(_CENT), each.exposure_after.quantize(_CENT)
        margin, margin_after = each.margin_before.quantize(_CENT), each.margin_after.quantize(_CENT)
        shown += [
            ("symbol", f"{each.symbol} at {each.book}, position {each.position}"),
            ("levels", counts),
            ("exposure", f"worst case {before} -> {after} of {each.exposure_cap}"),
            ("margin", f"{margin} -> {margin_after} at leverage {each.leverage}"),
        ]
    rows = [
        (each.symbol, f"{each.level:+d}", each.side, each.action, each.reason, each.rests or "-", each.wanted or "-")
        for each in report.levels
    ]
    return [*pairs(shown), "", *table(("symbol", "level", "side", "does", "reason", "rests", "wanted"), rows)]
