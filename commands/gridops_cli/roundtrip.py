"""`gridops roundtrip`: the list, one trip's story, and the report with its tie-out."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from gridops.errors import ConfigError, ExitCode

from gridops_cli import render
from gridops_cli.app import sub_app
from gridops_cli.options import AccountOption, ConfigOption, EvidenceOption, HomeOption, JsonOption, place

if TYPE_CHECKING:
    from gridops.adapters.roundtrip_file import TripTable
    from gridops.adapters.roundtrip_parquet import TripParquet
    from gridops.usecases.roundtrip import Report, Wanted
    from gridops.usecases.roundtrip_rows import TripRow

OfOption = Annotated[str, typer.Option("--of", help="rung or episode (flat to flat).")]
AssetOption = Annotated[str | None, typer.Option("--asset", help="Settlement asset, where several are traded.")]
RateOption = Annotated[
    list[str] | None, typer.Option("--rate", help="ASSET=PRICE values fees paid in it; repeatable. Else unvalued.")
]

app = sub_app(group=True)


@app.callback()
def roundtrip() -> None:
    """List round trips, show one with its story, and tie the books out.

    Example: gridops roundtrip report
    """


@app.command("list")
def list_(
    of: OfOption = "rung",
    limit: Annotated[int, typer.Option("--limit", help="At most this many closed trips, newest first.")] = 20,
    asset: AssetOption = None,
    rate: RateOption = None,
    home: HomeOption = None,
    account: AccountOption = None,
    config: ConfigOption = None,
    evidence_dir: EvidenceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the newest closed trips and every open one.

    Example: gridops roundtrip list --of episode
    """
    from gridops.usecases import roundtrip as use_case

    from gridops_cli import roundtrip_text

    if limit < 1:
        raise ConfigError(f"--limit {limit} is refused", hint="1 or more")
    where = place(home, account, config, evidence_dir)
    found = use_case.listing(where, _wanted(of, "level", asset, rate), limit, _progress)
    if as_json:
        render.document("roundtrip.list", roundtrip_text.figures(render.as_json(found)), found.evidence)
    else:
        render.text(roundtrip_text.listing(found))
        render.evidence(found.evidence)


@app.command()
def show(
    trip_id: Annotated[str, typer.Argument(metavar="ID", help="A trip's id, or its first four characters or more.")],
    rate: RateOption = None,
    home: HomeOption = None,
    account: AccountOption = None,
    config: ConfigOption = None,
    evidence_dir: EvidenceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one trip, and its story as we and as the venue tell it.

    Exit 1 when they disagree. Example: gridops roundtrip show 3f9c01ab
    """
    from gridops.usecases import roundtrip_show as use_case

    from gridops_cli import roundtrip_text

    story = use_case.execute(place(home, account, config, evidence_dir), trip_id, _rates(rate), _progress)
    if as_json:
        render.document("roundtrip.show", roundtrip_text.figures(render.as_json(story)), story.evidence)
    else:
        render.text(roundtrip_text.story(story))
        render.evidence(story.evidence)
    if story.disagreements:
        raise typer.Exit(int(ExitCode.FINDING))


@app.command()
def report(
    by: Annotated[str, typer.Option("--by", help="level, policy, regime, side or hour.")] = "level",
    of: OfOption = "rung",
    asset: AssetOption = None,
    rate: RateOption = None,
    html: Annotated[str | None, typer.Option("--html", help="Write the report as one page with charts.")] = None,
    csv: Annotated[str | None, typer.Option("--csv", help="Write every closed trip as a table.")] = None,
    parquet: Annotated[str | None, typer.Option("--parquet", help="The same with types; needs polars.")] = None,
    home: HomeOption = None,
    account: AccountOption = None,
    config: ConfigOption = None,
    evidence_dir: EvidenceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add the trips up, tie the wallet out to the venue's income, and plot the net.

    Exit 1 on a finding. Example: gridops roundtrip report --by regime --html report.html
    """
    from gridops_cli import roundtrip_text

    where = place(home, account, config, evidence_dir)
    found = _report(where, _wanted(of, by, asset, rate), csv, parquet)
    body = roundtrip_text.figures(render.as_json(found))
    if html is not None:
        from gridops.adapters import roundtrip_file, roundtrip_html

        shown = {**body, "evidence": found.evidence.fields()}
        roundtrip_file.write_text(Path(html), roundtrip_html.page({"schema": "gridops.roundtrip.report/1", **shown}))
    if as_json:
        render.document("roundtrip.report", body, found.evidence)
    else:
        render.text(roundtrip_text.report(found))
        render.evidence(found.evidence)
    if found.tieout_evidence is not None:
        render.evidence(found.tieout_evidence, machine=as_json)
    if not found.ok:
        raise typer.Exit(int(ExitCode.FINDING))


def _report(where: Any, wanted: "Wanted", csv: str | None, parquet: str | None) -> "Report":
    from gridops.usecases import roundtrip as use_case

    from gridops_cli import roundtrip_text

    with ExitStack() as stack:
        tables: list[TripTable | TripParquet] = []
        for each in _tables(csv, parquet):
            stack.enter_context(each)
            tables.append(each)

        def export(row: "TripRow") -> None:
            said = roundtrip_text.figures(render.as_json(row))
            for table in tables:
                table.write(said)

        return use_case.report(where, wanted, _progress, export if tables else None)


def _tables(csv: str | None, parquet: str | None) -> "Iterator[TripTable | TripParquet]":
    """Opened before anything is read: what cannot be written is said at once."""
    if csv is not None:
        from gridops.adapters.roundtrip_file import TripTable

        yield TripTable(Path(csv))
    if parquet is not None:
        from gridops.adapters.roundtrip_parquet import TripParquet

        yield TripParquet(Path(parquet))


def _wanted(of: str, by: str, asset: str | None, rate: list[str] | None) -> "Wanted":
    from gridops.usecases.roundtrip import Wanted

    return Wanted(of=of, by=by, asset=asset, rates=_rates(rate))


def _rates(given: list[str] | None) -> dict[str, Any]:
    """`BNB=612.5` as asset -> rate; ConfigError for anything else."""
    from decimal import Decimal, InvalidOperation

    rates = {}
    for word in given or []:
        asset, _, price = word.partition("=")
        try:
            rates[asset] = Decimal(price)
        except InvalidOperation:
            rates[asset] = Decimal(0)
        if not asset or not rates[asset].is_finite() or rates[asset] <= 0:
            raise ConfigError(f"--rate {word!r} is no rate", hint="write ASSET=PRICE, such as BNB=612.5")
    return rates


def _progress(done: int, total: int) -> None:
    render.narrate(f"read {done} of {total} rows")
