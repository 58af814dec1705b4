"""The summary of a run, for people and machines. Money is stated net of fees, whatever it comes to."""

from decimal import Decimal
from pathlib import Path
from typing import Any

from gridops.domain.evidence_ref import EvidenceMode, EvidenceRef, EvidenceStatus
from gridops.usecases.command_evidence import Story, write
from gridops.usecases.run import RunReport

from gridops_cli.render import age, as_json, pairs

_CENT = Decimal("0.01")


def lines(report: RunReport) -> list[str]:
    """The summary as text."""
    trips = f"{report.roundtrips} round trips, net {_money(report.roundtrips_net)} USDT"
    shown = [
        ("outcome", report.outcome + ("" if report.clean else " (NOT clean)")),
        ("account", f"{report.account}, run {report.run_id}, epoch {report.epoch}"),
        ("ran for", f"{age(report.duration_s * 1_000)}, {report.inputs} inputs"),
        ("states", " -> ".join(report.states)),
        ("orders", _counts(report.orders)),
        *_decisions(report),
        ("fills", str(report.fills)),
        ("trips", trips),
        ("gross", f"realised {_money(report.realised)} USDT before fees"),
        ("fees", f"{report.fees:,.2f} USDT paid, funding {_money(report.funding)} USDT"),
        ("result", f"net of fees: {_money(report.net)} USDT"),
        ("equity", "unknown" if report.equity is None else f"{_money(report.equity)} USDT"),
        ("wallet", f"{_money(report.wallet)} USDT"),
        ("position", _counts(report.position)),
        ("resting", ", ".join(report.resting) or "nothing"),
        ("digest", report.digest),
        ("state digest", report.state_digest),
        ("journal", str(report.journal)),
    ]
    return pairs(shown)


def body(report: RunReport) -> dict[str, Any]:
    """The summary as the machine document, money as exact decimal strings."""
    found = as_json(report)
    found["evidence_bundles"] = [ref.fields() for ref in report.evidence]
    return found


def references(report: RunReport, root: Path) -> list[EvidenceRef]:
    """What the run points to, the run's own bundle first; one is written here when the engine wrote none."""
    own = [ref for ref in report.evidence if ref.mode is EvidenceMode.RUN]
    rest = [ref for ref in report.evidence if ref.mode is not EvidenceMode.RUN]
    if not own:
        status = EvidenceStatus.OK if report.clean else EvidenceStatus.FINDING
        story = Story(
            mode=EvidenceMode.RUN,
            status=status,
            reason=report.outcome,
            title=f"run {report.run_id}: {report.outcome}",
            facts={name: str(held) for name, held in body(report).items() if name != "evidence_bundles"},
        )
        own = [write(root, story)]
    return [own[-1], *rest]


def _decisions(report: RunReport) -> list[tuple[str, str]]:
    found = [(name, _counts(reasons)) for name, reasons in report.decisions.items()]
    return found or [("decisions", "none")]


def _counts(found: dict[str, Any]) -> str:
    return ", ".join(f"{name} {count}" for name, count in found.items()) or "none"


def _money(amount: Decimal) -> str:
    return f"{amount.quantize(_CENT):+,f}" if amount else "0.00"
