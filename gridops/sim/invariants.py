"""Which invariant is held where: the list of the judge's duties, as data.

The judge's parts do the work, `run` compares double runs, the suites hold what one account in one process cannot show.
It checks nothing itself.
"""

from gridops.domain.values import record


@record
class Invariant:
    """`held` says by what and when: after every event of a kind, or at the end when nothing is under way."""

    name: str
    what: str
    held: str


def _invariant(name: str, what: str, held: str) -> Invariant:
    return Invariant(name=name, what=what, held=held)


INVARIANTS = (
    _invariant(
        "I-01", "journal before send", "each place and amend that leaves or arrives, against the rows on the disk"
    ),
    _invariant("I-02", "one intent, one order", "each order the venue takes, and each place in a row"),
    _invariant(
        "I-03", "ambiguity is not failure", "each order ended by a reply, and each arrival of one declared dead"
    ),
    _invariant("I-04", "terminal is terminal", "each move of an order in a row"),
    _invariant(
        "I-05",
        "one order per level",
        "each order event of the venue, and each place in a row: orders live or in doubt",
    ),
    _invariant("I-06", "fill exactly once", "each fill of a row as the venue made it; at the end all of them"),
    _invariant(
        "I-07", "conservation", "each fill and each move of an order in a row; at the end position and open orders"
    ),
    _invariant("I-08", "filter legality", "each leg that leaves, against the venue's filters and marks"),
    _invariant("I-09", "bounded exposure", "each order the venue takes or amends, at every mark of the last 10 s"),
    _invariant("I-10", "gate monotonicity", "each leg that leaves"),
    _invariant(
        "I-11",
        "protection is not blocked",
        "each refusal in a row; each mark of an emergency: an order or a position that does not go is named in time",
    ),
    _invariant(
        "I-12",
        "reduce means reduce",
        "each leg that leaves, against every position held lately or told last, and each fill of a reduce-only order",
    ),
    _invariant(
        "I-13",
        "amend safety",
        "each amend that leaves, against the fills on the disk; each place and amend in a row: one rung; each amend "
        "the venue makes: the newest that was meant",
    ),
    _invariant(
        "I-14",
        "kill completeness",
        "each mark after a kill, and the row that acknowledges it: flat by a read after the last own order",
    ),
    _invariant("I-15", "no silent transitions", "each transition in a row: the chain of states and epochs"),
    _invariant(
        "I-16",
        "ACTIVE needs trust",
        "each leg that leaves, each mark and each entry into ACTIVE: silence of the streams, the frames' own times, "
        "reads, filters, clock and lease",
    ),
    _invariant("I-17", "liveness", "each wake-up of the engine's own; at the end its state"),
    _invariant("I-18", "venue wins, gently", "each remedy in a row: confirmed by a second read before"),
    _invariant("I-19", "absence is not zero", "each order ended by a read, and each row of a failed read"),
    _invariant("I-20", "ownership", "each cancel and amend that leaves"),
    _invariant("I-21", "cash conservation", "each income in a row, once; at the end the wallet of every asset"),
    _invariant(
        "I-22",
        "round trips",
        "each trip in a row; at the end trips and open lots against the fills, in the venue's order of them",
    ),
    _invariant("I-23", "clock discipline", "each row's boot clock, and the stamp of each request"),
    _invariant("I-24", "crash equivalence", "each recovery, byte for byte; kill points: every boundary of a run"),
    _invariant(
        "I-25",
        "single writer",
        "each place that leaves: no older epoch than the newest run's; each write but a cancel: under the lease",
    ),
    _invariant("I-26", "journal integrity", "each row: no gap; the disk's damages by the torn disk"),
    _invariant(
        "I-27",
        "budgets",
        "each request during a ban and by its weight, each order against the venue's windows, each socket opened",
    ),
    _invariant("I-28", "environment binding", "each transition to ACTIVE"),
    _invariant("I-29", "secrecy", "each row; the other sinks by the canary tests"),
    _invariant("I-30", "untrusted input fails closed", "each row, view and fill; files and payloads by their tests"),
    _invariant(
        "I-31", "evidence", "each transition that owes a bundle, each bundle lost; bundles verify in each drill"
    ),
    _invariant("I-32", "determinism", "a seed run twice: the digests"),
)
