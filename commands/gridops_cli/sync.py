"""`gridops sync`: both sides compared by fresh reads; `--plan` shows the remedies, `--apply` carries one plan out."""

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer
from gridops.errors import ConfigError, ExitCode

from gridops_cli import render
from gridops_cli.app import sub_app
from gridops_cli.options import (
    AccountOption,
    AuthorOption,
    ConfigOption,
    EvidenceOption,
    HomeOption,
    JsonOption,
    place,
)

if TYPE_CHECKING:
    from gridops.usecases.place import Place
    from gridops.usecases.sync import SyncReport, SyncWish

app = sub_app()


@app.command()
def sync(
    plan: Annotated[
        bool, typer.Option("--plan", help="Each remedy with safe or unsafe, gates, effect on exposure, and the digest.")
    ] = False,
    apply: Annotated[
        str | None, typer.Option("--apply", metavar="DIGEST", help="Carry out exactly the plan of this digest.")
    ] = None,
    armed: Annotated[
        bool | None,
        typer.Option(
            "--armed/--no-armed", help="Without an engine: may a remedy write? Paper yes, live no by default."
        ),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why; recorded with your name.")] = "",
    author: AuthorOption = "",
    home: HomeOption = None,
    account: AccountOption = None,
    config: ConfigOption = None,
    evidence_dir: EvidenceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare our orders, positions and money with the venue's.

    Example: gridops sync --plan
    """
    from gridops.usecases import sync as usecase

    if plan and apply is not None:
        raise ConfigError("--plan and --apply exclude each other", hint="plan first, then apply its digest")
    where = place(home, account, config, evidence_dir)
    wanted = usecase.wish(apply, reason or ("apply" if apply else "look"), author)
    report = usecase.by_engine(where, wanted) or _by_observer(where, wanted, armed)
    if as_json:
        render.document("sync", report, report.evidence)
    else:
        render.text(lines(report, in_full=plan or apply is not None))
        render.evidence(report.evidence)
    code = exit_code(report, applied=apply is not None)
    if code:
        raise typer.Exit(int(code))


def _by_observer(where: "Place", wanted: "SyncWish", armed: bool | None) -> "SyncReport":
    from gridops import bootstrap
    from gridops.config import load
    from gridops.usecases import sync as usecase

    loaded = load(file=where.config, environment=os.environ)
    options = bootstrap.RunOptions(
        loaded=loaded,
        home=where.home,
        evidence_root=where.evidence_root,
        environment=os.environ,
        armed=loaded.settings.account.mode == "paper" if armed is None else armed,
        look=usecase.observer_input(where, wanted),
    )
    answer, written = bootstrap.look(options)
    return usecase.by_observer(where, wanted, answer, written)


def exit_code(report: "SyncReport", *, applied: bool) -> ExitCode:
    """A plan carried out is no finding any more; a side that could not be read is the venue's failure."""
    if not report.accepted:
        return ExitCode.REFUSED
    if applied:
        return ExitCode.OK
    if report.findings:
        return ExitCode.FINDING
    return ExitCode.VENUE if report.not_read else ExitCode.OK


def lines(report: "SyncReport", *, in_full: bool) -> list[str]:
    """Both sides first, then what differs, then what would be done about it."""
    shown = render.pairs(
        [
            ("account", report.account),
            ("by", report.by),
            ("state", report.state),
            ("result", report.detail),
            *(("not read", each) for each in report.not_read),
        ]
    )
    rows = [_symbol_row(each) for each in report.plan.get("symbols", ())]
    if rows:
        shown += ["", *render.table(("symbol", "local", "venue", "orders local/venue", "worst case", "read"), rows)]
    wallets = [[each["asset"], each["local"], each["venue"]] for each in report.plan.get("wallet", ())]
    if wallets:
        shown += ["", *render.table(("asset", "local", "venue"), wallets)]
    shown += [f"tie-out  {each}" for each in report.plan.get("tieout", {}).get("causes", ())]
    if not report.findings:
        return [*shown, "", "no difference"]
    titles = ("kind", "severity", "symbol", "key", "local", "venue", "remedy")
    shown += ["", *render.table(titles, [_finding_row(each) for each in report.findings])]
    if in_full:
        for each in report.findings:
            shown += ["", *_remedy(each)]
        shown += ["", *render.pairs([("digest", report.digest)])]
    for did in report.plan.get("applied") or ():
        shown.append(f"done  {did}")
    return shown


def _symbol_row(each: dict[str, Any]) -> list[str]:
    age = each["read_age_ms"]
    orders = f"{each['local_orders']}/{each['venue_orders']}"
    read = "never" if age is None else f"{render.age(age)} ago"
    return [each["symbol"], each["local"], each["venue"], orders, each["wce_quote"], read]


def _finding_row(each: dict[str, Any]) -> list[str]:
    safe = "safe" if each["safe"] else "unsafe"
    shown = each["remedy"] if not each["ready"] else f"{each['remedy']} ({safe})"
    return [each["kind"], each["severity"], each["symbol"] or "-", each["key"], each["local"], each["venue"], shown]


def _remedy(each: dict[str, Any]) -> list[str]:
    gates = ", ".join(
        f"{gate['gate']} {'ok' if gate['allowed'] else 'refuses: ' + gate['detail']}" for gate in each["gates"]
    )
    automatic = "by the engine itself" if each["automatic"] else "when applied"
    return render.pairs(
        [
            ("remedy", f"{each['remedy']} {each['symbol']} {each['key']}"),
            ("is", "safe" if each["safe"] else "unsafe: accept the figure yourself"),
            ("done", automatic if each["ready"] else f"not now: {each['why']}"),
            ("writes to the venue", "yes" if each["writes"] else "no"),
            ("impact", each["impact"]),
            ("worst case", f"{each['wce_before']} -> {each['wce_after']} units, {each['lots']:+d} lots"),
            ("gates", gates or "none apply"),
        ]
    )
