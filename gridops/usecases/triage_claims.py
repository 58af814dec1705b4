"""What this build claims, held against what proves it; and the checks of an installation right after it was deployed.

Works from an installed wheel, in an empty folder, without engine or network. A claim counts as proven by a named test
that CI runs, a part of the composed graph that is there, a page that explains it, and the kind of evidence it leaves;
where the sources are at hand the test is looked up too.
"""

import importlib
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from gridops import __version__
from gridops.domain.evidence_ref import EvidenceMode, EvidenceRef, EvidenceStatus
from gridops.domain.values import record
from gridops.domain.vocabulary import Gate
from gridops.resources import data_root
from gridops.usecases import triage_wired
from gridops.usecases.command_evidence import Story, newest, write

PASS, FAIL = "PASS", "FAIL"
PROVEN, UNPROVEN = "PROVEN", "UNPROVEN"


@record
class Checked:
    name: str
    verdict: str
    detail: str


@record
class ChecksReport:
    checks: tuple[Checked, ...]
    build: str
    evidence: EvidenceRef

    @property
    def ok(self) -> bool:
        return all(each.verdict != FAIL for each in self.checks)


@record
class Claim:
    """A feature: the test that shows it, a part `module:name` of the live graph, its page, and its evidence."""

    name: str
    test: str
    part: str
    page: str
    mode: EvidenceMode | None = None


M = EvidenceMode
CLAIMS: tuple[Claim, ...] = (
    Claim(
        name="lifecycle", test="tests/sim/test_matrix.py::test_every_cell",
        part="gridops.runtime.step:step", page="fsm#how-to-respond", mode=M.TRANSITION,
    ),
    Claim(
        name="conditions", test="tests/sim/test_conditions.py::test_the_detector_changes_the_state",
        part="gridops.runtime.assess:run", page="fsm#conditions", mode=M.TRANSITION,
    ),
    Claim(
        name="kill switch", test="tests/wire/test_kill.py::test_a_kill_flattens_and_stays_latched_until_acknowledged",
        part="gridops.bootstrap:LiveGraph", page="fsm#kill_switch", mode=M.KILL,
    ),
    Claim(
        name="dead feed", test="tests/wire/test_stale_feed.py::"
        "test_a_muted_market_degrades_clears_the_book_and_recovers",
        part="gridops.adapters.market_stream:market_sockets", page="fsm#feed_stale", mode=M.TRANSITION,
    ),
    Claim(
        name="crash recovery", test="tests/wire/test_truth.py::"
        "test_a_torn_tail_is_cut_with_evidence_and_the_account_goes_on",
        part="gridops.runtime.engine:recover", page="fsm#how-to-respond", mode=M.RUN,
    ),
    Claim(
        name="one writer", test="tests/wire/test_truth.py::"
        "test_a_second_engine_is_refused_with_pid_and_age_of_the_first",
        part="gridops.adapters.lease_file:acquire", page="fsm#lease_lost",
    ),
    Claim(
        name="router", test="tests/wire/test_router.py::test_the_metric_counts_what_the_journal_says",
        part="gridops.decide.router:route", page="router#what-to-run", mode=M.RUN,
    ),
    Claim(
        name="round trips", test="tests/wire/test_tieout.py::", part="gridops.decide.roundtrip_live:",
        page="roundtrip#a-residual", mode=M.ROUNDTRIP,
    ),
    Claim(
        name="replay", test="tests/commands/test_triage.py::test_an_incident_bundle_replays_elsewhere",
        part="gridops.usecases.replay:execute", page="triage#what-to-paste", mode=M.REPLAY,
    ),
    Claim(
        name="triage", test="tests/wire/test_triage.py::test_triage_names_the_first_cause_of_a_live_engine",
        part="gridops.decide.triage_ladder:climb", page="triage#what-to-run", mode=M.TRIAGE,
    ),
    Claim(
        name="drills", test="tests/sim/test_drills.py::", part="gridops.usecases.drill:run", page="fsm#how-to-respond",
        mode=M.DRILL,
    ),
)  # fmt: skip
"""A test that ends in `::` stands for its whole file."""


def claims(root: Path) -> ChecksReport:
    """Every claim and every gate; a part that is missing fails, a proof that is missing is UNPROVEN."""
    checks = [_claim(each, root) for each in CLAIMS]
    for gate in Gate:
        test = triage_wired.of_gate(gate)
        missing = _missing_test(test) if test else "no test has shown it in the live graph"
        checks.append(
            Checked(name=f"gate {gate.value}", verdict=UNPROVEN if missing else PROVEN, detail=missing or test)
        )
    checks += [_mode(root, mode) for mode in EvidenceMode]
    return _report(root, "claims", tuple(checks))


def sanity(root: Path) -> ChecksReport:
    """Every post-deploy check, each a line; what raises fails, with the kind of failure."""
    return _report(root, "sanity", tuple(_run(name, check) for name, check in SANITY.items()))


def _claim(claim: Claim, root: Path) -> Checked:
    if not _there(claim.part):
        return Checked(name=claim.name, verdict=FAIL, detail=f"{claim.part} is not in this build")
    missing = [word for word in (_missing_test(claim.test), _missing_page(claim.page)) if word]
    ref = newest(root, claim.mode) if claim.mode is not None else None
    kept = "" if ref is None else f"; evidence {ref.evidence_dir or ref.reason}"
    if missing:
        return Checked(name=claim.name, verdict=UNPROVEN, detail="; ".join(missing) + kept)
    return Checked(name=claim.name, verdict=PROVEN, detail=f"{claim.test}; {claim.page}{kept}")


def _there(part: str) -> bool:
    module, _, name = part.partition(":")
    try:
        found = importlib.import_module(module)
    except ImportError:
        return False
    return not name or hasattr(found, name)


def _missing_test(node: str) -> str:
    """Empty when it is there, or when this is no checkout and CI must be believed."""
    path, _, name = node.partition("::")
    root = data_root()
    if not (root / "tests").is_dir():
        return ""
    name = name.partition("[")[0]
    try:
        found = f"def {name}(" in (root / path).read_text("utf-8") if name else (root / path).is_file()
    except OSError:
        found = False
    return "" if found else f"no test {node}"


def _missing_page(step: str) -> str:
    page, _, heading = step.partition("#")
    try:
        text = (data_root() / "runbooks" / f"{page}.md").read_text("utf-8")
    except OSError:
        return f"no page {page}"
    titles = {line.lstrip("#").strip().lower().replace(" ", "-") for line in text.splitlines() if line.startswith("#")}
    return "" if heading in titles else f"no heading {step}"


def _mode(root: Path, mode: EvidenceMode) -> Checked:
    ref = newest(root, mode)
    return Checked(
        name=f"evidence {mode.value}", verdict="SEEN" if ref.evidence_dir else "NONE YET",
        detail=ref.evidence_dir or "no bundle of this mode in this evidence root",
    )  # fmt: skip


def _run(name: str, check: Callable[[], str]) -> Checked:
    try:
        return Checked(name=name, verdict=PASS, detail=check())
    except Exception as error:
        return Checked(name=name, verdict=FAIL, detail=f"{type(error).__name__}: {error}"[:300])


def _report(root: Path, kind: str, checks: tuple[Checked, ...]) -> ChecksReport:
    failed = [each.name for each in checks if each.verdict == FAIL]
    story = Story(
        mode=EvidenceMode.TRIAGE,
        status=EvidenceStatus.FINDING if failed else EvidenceStatus.OK,
        reason=f"{kind}_failed" if failed else kind,
        title=f"{kind}: {len(checks)} lines, {len(failed)} failed",
        facts={"checks": [f"{each.verdict} {each.name}: {each.detail}" for each in checks]},
    )
    return ChecksReport(checks=checks, build=__version__, evidence=write(root, story))


def _version() -> str:
    return __version__


def _data() -> str:
    root = data_root()
    pages = list((root / "runbooks").glob("*.md"))
    drills = [path for path in (root / "fixtures" / "drills").glob("*.toml") if path.name != "catalogue.toml"]
    if not pages or not drills:
        raise ValueError("runbooks or drills are missing")
    return f"{len(pages)} runbook pages, {len(drills)} drills"


def _settings() -> str:
    from gridops.config import Settings

    settings = Settings()
    settings.rules()
    return f"defaults valid, digest {settings.digest[:12]}"


def _table() -> str:
    from gridops.decide.fsm_table import ROWS
    from gridops.domain.vocabulary import FsmEvent, FsmState

    if {(row.state, row.event) for row in ROWS} != {(state, event) for state in FsmState for event in FsmEvent}:
        raise ValueError("the transition table has a hole")
    return f"{len(ROWS)} pairs of state and event"


def _ladder() -> str:
    import msgspec

    from gridops.decide.triage_facts import Snapshot
    from gridops.decide.triage_ladder import climb, first_finding

    folder = data_root() / "fixtures" / "triage"
    base = json.loads((folder / "healthy.json").read_text("utf-8"))
    cases = [json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json")) if path.stem != "healthy"]
    for case in cases:
        found = first_finding(climb(msgspec.convert({**base, **case["change"]}, Snapshot)))
        if (found and found.reason) != (case["first"] and case["first"]["reason"]):
            raise ValueError(f"another first cause: {case['title']}")
    return f"{len(cases)} situations, each with its first cause"


def _state() -> str:
    from gridops.domain.rules import Rules
    from gridops.runtime.state import EngineState
    from gridops.runtime.state_codec import decode_state, encode_state

    once = encode_state(EngineState(rules=Rules(symbols=())))
    if encode_state(decode_state(once)) != once:
        raise ValueError("the state does not come back as it was")
    return f"{len(once)} bytes there and back"


def _journal() -> str:
    from gridops.adapters.journal_sqlite import open_journal

    with tempfile.TemporaryDirectory() as folder:
        journal = open_journal(Path(folder) / "sanity.db", account="sanity", clock_ms=lambda: 1)
        try:
            return f"opens, verified: {journal.verify_all()}"[:90]
        finally:
            journal.close()


def _evidence() -> str:
    from gridops.adapters.evidence_verify import verify

    with tempfile.TemporaryDirectory() as folder:
        story = Story(mode=M.TRIAGE, status=EvidenceStatus.OK, reason="sanity", title="sanity", facts={})
        ref = write(Path(folder), story)
        report = verify(Path(ref.evidence_dir or "nowhere"))
        if not report.ok:
            raise ValueError(str(report.findings[0]))
        return f"{report.files} files written and verified"


def _redaction() -> str:
    from gridops.adapters.redaction import Secrets

    secrets, canary = Secrets(), "canary-0123456789abcdef"
    secrets.register(canary)
    if canary in secrets.redact(f"key={canary}"):
        raise ValueError("a registered secret came through")
    return "a registered secret is blanked"


def _graph() -> str:
    missing = [claim.part for claim in CLAIMS if not _there(claim.part)]
    if missing:
        raise ValueError(f"missing: {', '.join(missing)}")
    return f"{len(CLAIMS)} parts of the live graph import"


SANITY: dict[str, Callable[[], str]] = {
    "version": _version,
    "bundled data": _data,
    "settings": _settings,
    "lifecycle table": _table,
    "diagnosis ladder": _ladder,
    "state codec": _state,
    "journal": _journal,
    "evidence": _evidence,
    "redaction": _redaction,
    "live graph": _graph,
}
