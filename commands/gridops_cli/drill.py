"""`gridops drill`: rehearse what goes wrong, with the production engine in virtual time, and get a verdict."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from gridops.errors import ConfigError, ExitCode

from gridops_cli import drill_text, render
from gridops_cli.app import sub_app
from gridops_cli.options import EvidenceOption, JsonOption

if TYPE_CHECKING:
    from gridops.domain.evidence_ref import EvidenceRef
    from gridops.usecases.drill import Outcome

app = sub_app(group=True)

SeedOption = Annotated[int | None, typer.Option("--seed", min=0, help="Only this seed; else the drill's own.")]
AgainstOption = Annotated[
    str, typer.Option("--against", help="The home of an engine on an emulator of ours; else paper, made for the drill.")
]
SeedsOption = Annotated[int | None, typer.Option("--seeds", min=1, max=10_000, help="This many seeds, from --seed on.")]


@app.callback()
def drill() -> None:
    """Rehearse failures in virtual time, with a verdict and evidence each.

    Example: gridops drill run stale-feed
    """


def _root(evidence_dir: str | None) -> Path:
    from gridops.usecases.place import evidence_root

    return evidence_root(evidence_dir, os.environ)


@app.command("list")
def list_(
    catalogue: Annotated[bool, typer.Option("--catalogue", help="Every scenario, its drills or why none.")] = False,
    evidence_dir: EvidenceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List every drill, when it was last run, and what changed since; or the scenarios they cover.

    Example: gridops drill list --catalogue
    """
    from gridops.domain.evidence_ref import EvidenceMode
    from gridops.usecases import drill as use_case
    from gridops.usecases.command_evidence import newest

    root = _root(evidence_dir)
    ref = newest(root, EvidenceMode.DRILL)
    if catalogue:
        _tell_catalogue(ref, as_json=as_json)
        return
    found = use_case.listed(root)
    if as_json:
        render.document("drill.list", {"drills": found}, ref)
        return
    render.text(drill_text.listing(found))
    render.evidence(ref)


def _tell_catalogue(ref: "EvidenceRef", *, as_json: bool) -> None:
    from gridops.usecases import drill as use_case

    scenarios = use_case.scenarios()
    if as_json:
        render.document("drill.catalogue", {"count": use_case.count(scenarios), "scenarios": scenarios}, ref)
        return
    render.text(drill_text.catalogue(scenarios, use_case.count(scenarios)))
    render.evidence(ref)


@app.command()
def words(as_json: JsonOption = False, evidence_dir: EvidenceOption = None) -> None:
    """Print every verb and expectation a drill may use, with its arguments.

    Example: gridops drill words
    """
    from gridops.domain.evidence_ref import EvidenceMode
    from gridops.sim.drill_process_words import CATALOGUES
    from gridops.sim.drill_words import EXPECTS, VERBS
    from gridops.usecases.command_evidence import newest

    ref = newest(_root(evidence_dir), EvidenceMode.DRILL)
    if as_json:
        render.document("drill.words", {"verbs": VERBS, "expectations": EXPECTS}, ref)
        return
    for tier, (verbs, expectations) in CATALOGUES.items():
        render.text([f"tier {tier}: verbs", *drill_text.words(verbs), ""])
        render.text([f"tier {tier}: expectations", *drill_text.words(expectations), ""])
    render.evidence(ref)


@app.command()
def run(
    names: Annotated[list[str] | None, typer.Argument(help="Drills by name, or TOML files of your own.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every drill that came with this build.")] = False,
    seed: SeedOption = None,
    seeds: SeedsOption = None,
    against: AgainstOption = "paper",
    evidence_dir: EvidenceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run drills; exit 1 when one fails. Progress on stderr.

    Example: gridops drill run fsm-tour
    """
    from gridops.usecases import drill as use_case

    drills = use_case.chosen(names or [], everything=everything)
    if seeds is not None and seed is None:
        raise ConfigError("--seeds needs --seed", hint="such as --seed 1 --seeds 200")
    engine = use_case.engine_at(against, os.environ)
    outcomes: list[Outcome] = []
    for each in drills:
        wanted = each.seeds if seed is None else range(seed, seed + (seeds or 1))
        outcome = use_case.run(each, _root(evidence_dir), list(wanted), render.narrate, engine)
        outcomes.append(outcome)
        if not as_json:
            _tell(outcome)
    failed = [outcome.name for outcome in outcomes if not outcome.ok and not outcome.skipped]
    _end(outcomes, failed, everything=everything, as_json=as_json, root=_root(evidence_dir))
    if failed:
        raise typer.Exit(int(ExitCode.FINDING))


def _tell(outcome: "Outcome") -> None:
    render.text(drill_text.outcome(outcome))
    if outcome.evidence is not None:
        render.evidence(outcome.evidence)


def _end(outcomes: "list[Outcome]", failed: list[str], *, everything: bool, as_json: bool, root: Path) -> None:
    """The summary; as JSON everything at once. Drills that were only skipped leave a line of evidence too."""
    from gridops.usecases import drill as use_case

    refs = [outcome.evidence for outcome in outcomes if outcome.evidence is not None]
    last = refs[-1] if refs else _none(root)
    scenarios = use_case.scenarios() if everything else ()
    count = use_case.count(scenarios) if everything else None
    if as_json:
        for ref in refs[:-1]:
            render.evidence(ref, machine=True)
        shown = [use_case.as_document(outcome) for outcome in outcomes]
        said = {"ok": not failed, "failed": failed, "drills": shown, "catalogue": count}
        render.document("drill.run", said, last)
        return
    render.text(drill_text.summary(outcomes, failed, scenarios, count))
    if not refs:
        render.evidence(last)


def _none(root: Path) -> "EvidenceRef":
    from gridops.domain.evidence_ref import EvidenceMode
    from gridops.usecases.command_evidence import newest

    return newest(root, EvidenceMode.DRILL)
