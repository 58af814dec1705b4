"""The triage report as one page of text: what to do first, then why, then everything else."""

from decimal import Decimal

from gridops.decide.triage_ladder import Rung
from gridops.usecases.triage import STRESS_PCT, Budgets, Figures, TriageReport
from gridops.usecases.triage_compare import VenueSaid
from gridops.usecases.triage_recent import Recent

from gridops_cli.render import age, pairs, table, when

SHOWN = 8


def lines(report: TriageReport) -> list[str]:
    """The page, in the order in which it is needed."""
    return [
        *_first(report),
        "",
        *_head(report),
        "",
        *_ladder(report.ladder),
        "",
        *(line for each in report.figures for line in _figures(each, report)),
        *_budgets(report.budgets, report.equity),
        *_mismatches(report),
        *_recent(report.recent, report),
        *_venue(report.venue),
        "evidence",
        *table(
            ("mode", "verified", "newest"),
            [(each.mode.value, each.verified, each.ref.evidence_dir or "-") for each in report.newest],
            indent="  ",
        ),
    ]


def _first(report: TriageReport) -> list[str]:
    first = report.first
    if first is None:
        return ["FIRST CAUSE  none: every question is answered and none is a finding"]
    word = "FIRST CAUSE" if report.found else "UNKNOWN, CONFIRMING"
    told = [f"{word}  {first.reason}: {first.detail or first.asks}"]
    if first.since_ms:
        told.append(f"  since    {when(first.since_ms)}")
    if first.setting:
        told.append(f"  setting  {first.setting}")
    if first.runbook:
        page, _, step = first.runbook.partition("#")
        told.append(f"  runbook  gridops runbook {page}, step {step}")
    if first.command:
        told.append(f"  run      {first.command}")
    return told


def _head(report: TriageReport) -> list[str]:
    fsm = report.fsm
    told = f"STALE by {age(report.age_ms)}, {when(report.as_of_ms)}" if report.stale and report.as_of_ms else "now"
    since = f"since {when(fsm.since)}" if fsm.since else ""
    return pairs(
        [
            ("account", report.account),
            ("home", f"{report.home} ({report.home_source})"),
            ("engine", f"{report.process}: {report.process_detail}".removesuffix(": ")),
            ("as of", told if report.process != "absent" else "never"),
            ("state", f"{fsm.state} {since}".rstrip()),
            ("last", f"{fsm.last_reason} {fsm.last_detail}".rstrip()),
            ("armed", {True: "yes", False: "no", None: "not known"}[report.armed]),
            ("proof", fsm.evidence_ref),
        ]
    )


def _ladder(rungs: tuple[Rung, ...]) -> list[str]:
    rows = [
        (each.answer.value, each.asks, " ".join(filter(None, (each.reason, each.detail, _answer(each)))))
        for each in rungs
    ]
    return table(("answer", "question", "why"), rows)


def _answer(rung: Rung) -> str:
    return f"[{rung.setting or rung.runbook}: {rung.command}]" if rung.runbook else ""


def _figures(figures: Figures, report: TriageReport) -> list[str]:
    venue = "not read" if figures.venue_position is None else str(figures.venue_position)
    shown = [
        ("as of", when(report.figures_as_of_ms)),
        ("position", f"{figures.position}, venue {venue}, mark {figures.mark}"),
        ("worst case", f"{_money(figures.worst_case)} of {_money(figures.cap)}"),
        ("stress", f"{STRESS_PCT} % against the worst case costs {_money(figures.stress_loss)}"),
        ("orders", f"{figures.orders}, unknown {figures.unknown}"),
        ("dead-man", "armed" if figures.deadman_armed else "not armed"),
    ]
    rows = [
        (each.gate.value, "pass" if each.allowed else "REFUSE", "yes" if each.wired else "no", each.detail)
        for each in figures.gates
    ]
    chain = table(("gate", "increase", "wired", "why"), rows, indent="  ") if rows else ["  no book: no chain"]
    return [figures.symbol, *(f"  {line}" for line in pairs(shown)), *chain, ""]


def _budgets(budgets: Budgets | None, equity: Decimal | None) -> list[str]:
    if budgets is None:
        return ["budgets  not known", ""]
    left = f"{budgets.orders} orders and {budgets.weight} weight left" + (", BANNED" if budgets.banned else "")
    return [
        *pairs(
            [
                ("equity", "not known" if equity is None else _money(equity)),
                ("drawdown", f"{budgets.drawdown_bps} of {budgets.drawdown_limit_bps} bps"),
                ("today", f"{budgets.daily_bps} of {budgets.daily_limit_bps} bps"),
                (
                    "rate",
                    f"{budgets.used_pct} % used, {left}",
                ),
            ]
        ),
        "",
    ]


def _mismatches(report: TriageReport) -> list[str]:
    told = [
        f"  {each['kind']} {each['symbol']} {each['key']}: ours {each['local']}, venue {each['venue']}"
        + ("" if each["confirmed"] else " (one read)")
        for each in report.mismatches
    ]
    known = report.figures_as_of_ms
    return ["mismatches", *(told[:SHOWN] or ["  none open" if known else "  not known"]), ""]


def _venue(said: VenueSaid | None) -> list[str]:
    """What differs first, then the newest of the rest."""
    if said is None:
        return []
    if said.failure:
        return [f"venue    not heard: {said.failure}", ""]
    wrong = [each for each in said.timeline if each.differs]
    same = [each for each in said.timeline if not each.differs][-4 * SHOWN :]
    told = [
        (
            when(each.at_ms),
            each.who,
            each.what,
            each.ref,
            each.detail,
            f"DIFFERS: {each.differs}" if each.differs else "",
        )
        for each in (*wrong[: 4 * SHOWN], *same)
    ]
    head = f"venue    {said.disagreements} disagreements in {len(said.timeline)} lines"
    cut = [f"  {what}: more than was read, the rest after {when(at_ms)} is not here" for what, at_ms in said.cut]
    return [head, *cut, *table(("when", "who", "what", "id", "says", ""), told, indent="  "), ""]


def _recent(recent: Recent | None, report: TriageReport) -> list[str]:
    if recent is None:
        return ["journal  not readable or empty", ""]
    cut = ", the oldest row looked at" if recent.cut else ""
    told = [f"since {when(recent.from_ms)}{cut}: {recent.rows} rows"]
    counts = recent.decisions or report.decisions
    told += [f"  {count:6}  {name}" for name, count in sorted(counts.items(), key=lambda each: -each[1])[:SHOWN]]
    told += [f"  {count:6}  refused by {name}" for name, count in recent.refusals.items()]
    told += [f"  {when(each.at_ms)}  {each.what}" for each in recent.timeline[:SHOWN]]
    told += ["round trips", *([f"  {when(each.at_ms)}  {each.what}" for each in recent.trips] or ["  none"]), ""]
    return told


def _money(amount: Decimal) -> str:
    return f"{amount:.2f}"
