"""The words of drills that run real processes: commands in an empty folder, or an engine on an emulator of its own.

Beside `drill_words`, whose arguments and checks these share. It holds names, kinds and limits; the use cases carry
verbs out and judge expectations.
"""

from collections.abc import Mapping
from decimal import Decimal

from gridops.domain.vocabulary import FsmReason, FsmState
from gridops.sim.drill_words import EXPECTS, VERBS, Arg, Word

_STATES = tuple(state.value for state in FsmState)
_REASONS = tuple(reason.value for reason in FsmReason)
_STEP_NAME = Arg("text", "name of the step; empty = every step that ran a command", default="")
_COUNT_S = Arg("seconds", "at most this long", required=True)
_WORDS = Arg("words", "the command line after `gridops`", required=True)
_ENV = Arg("table", "environment of this command, above the folder's own", default={})
_PATH = Arg("text", "below the drill's folder; may be a pattern, then the first match", required=True)
SPOILS = ("truncate", "flip", "empty", "garbage", "append")

COMMAND_VERBS: Mapping[str, Word] = {
    "mark": VERBS["mark"],
    "file": Word(
        "writes a file; {canary} in its text stands for a secret",
        {
            "path": _PATH,
            "text": Arg("text", "its content", default=""),
            "hex": Arg("text", "its content as bytes, instead of text", default=""),
            "mode": Arg("text", "octal permissions", default="600"),
            "size_mb": Arg("integer", "stretched to this size, without using disk", 0, high=Decimal(100_000)),
        },
    ),
    "link": Word("makes a symbolic link", {"path": _PATH, "to": Arg("text", "its target", required=True)}),
    "fifo": Word("makes a named pipe nobody writes to", {"path": _PATH}),
    "copy": Word("copies a file or folder", {"path": _PATH, "to": Arg("text", "below the folder", required=True)}),
    "remove": Word("removes a file", {"path": _PATH}),
    "journal": Word(
        "a home with the journal of an engine that traded",
        {
            "home": Arg("text", "below the folder", default="home"),
            "account": Arg("text", "whose", default="paper"),
            "traded_s": Arg("seconds", "virtual seconds", Decimal(20)),
        },
    ),
    "spoil": Word(
        "damages a file",
        {
            "path": _PATH,
            "how": Arg("word", "how", required=True, words=SPOILS),
            "at_pct": Arg("number", "where, of its length", Decimal(50), high=Decimal(100)),
        },
    ),
    "sql": Word("another program changes a database", {"path": _PATH, "text": Arg("text", "statement", required=True)}),
    "run": Word(
        "runs one command",
        {"words": _WORDS, "env": _ENV, "within_s_each": Arg("seconds", "then it is ended", Decimal(60))},
    ),
    "configs": Word(
        "runs one command once for each gridops.toml",
        {
            "words": _WORDS,
            "env": _ENV,
            "cases": Arg("table", "content of the file = text its refusal must hold", required=True),
        },
    ),
    "each": Word(
        "runs one command once for each word that takes the place of {}",
        {
            "words": _WORDS,
            "env": _ENV,
            "cases": Arg("table", "the word = text the answer must hold", required=True),
        },
    ),
}
COMMAND_EXPECTS: Mapping[str, Word] = {
    "refused": Word(
        "every command of the step ends with this code, one `error:` line and a `hint:`, naming its case",
        {
            "step": _STEP_NAME,
            "code": Arg("integer", "exit code", 2),
            "hint": Arg("flag", "a hint is required", True),
        },
    ),
    "exit": Word(
        "every command of the step ends with this code",
        {"step": _STEP_NAME, "code": Arg("integer", "exit code", required=True)},
    ),
    "says": Word("the output holds every text", {"step": _STEP_NAME, "texts": Arg("words", "which", required=True)}),
    "says_not": Word(
        "the output holds none of the texts", {"step": _STEP_NAME, "texts": Arg("words", "which", required=True)}
    ),
    "kept": Word("the file has the bytes it was given", {"path": _PATH}),
    "present": Word(
        "the file is there",
        {"path": _PATH, "holds": Arg("text", "part of it", default=""), "mode": Arg("text", "octal", default="")},
    ),
    "absent": Word("nothing is there", {"path": _PATH}),
    "took": Word("each command of the step", {"step": _STEP_NAME, "most_s": _COUNT_S}),
}

_WITHIN = Arg("seconds", "at most this long after `since`", required=True)
_SINCE = Arg("text", "a step's name, `start` or `fault`", default="fault")
_ENGINE = Arg("integer", "which engine, in the order of their starts, from 1; 0 = the newest", 0)
PARTS = (
    "user stream",
    "public stream",
    "market stream",
    "UserStream._keep_key",
    "market end",
    "disk",
    "thread journal",
)
"""What of an engine can be ended alone: tasks by name or by the coroutine they run, threads by name."""
SIGNALS = ("SIGSTOP", "SIGCONT", "SIGTERM", "SIGINT", "SIGHUP", "SIGKILL")

WIRE_VERBS: Mapping[str, Word] = {
    "mark": VERBS["mark"],
    "start": Word(
        "starts a further engine on the same home",
        {
            "arguments": Arg("words", "after `gridops run --headless`", default=()),
            "lives": Arg("flag", "it is to come up; else it is to be refused", True),
        },
    ),
    "signal": Word("sends a signal", {"number": Arg("word", "which", required=True, words=SIGNALS), "engine": _ENGINE}),
    "freeze": Word("SIGSTOP, and SIGCONT later", {"for_s": Arg("seconds", "how long", required=True)}),
    "part_dies": Word(
        "a bug ends one task or thread inside the engine",
        {"part": Arg("word", "which", required=True, words=PARTS)},
    ),
    "disk_full": Word(
        "the system lets the engine's files grow no further", {"for_s": Arg("seconds", "how long", required=True)}
    ),
    "fault": Word(
        "arms a fault of the emulator",
        {
            "verb": Arg("text", "such as rest.http, ws.silent, venue.adl", required=True),
            "select": Arg("table", "method, path, stream, event, symbol", default={}),
            "with": Arg("table", "its arguments", default={}),
        },
    ),
    "calm": Word("ends every fault of the emulator", {}),
    "ask": Word(
        "an operator's word over the control socket",
        {"command": Arg("word", "which", required=True, words=("pause", "resume", "ack", "kill"))},
    ),
    "poke": Word(
        "a stranger on this machine sends text to the port of the metrics",
        {"text": Arg("text", "what", required=True), "times": Arg("integer", "how often", 1)},
    ),
}
ATTACHED = frozenset({"mark", "fault", "calm", "ask"})
"""Verbs that act on an engine which somebody else started: only what its emulator or its operator can do."""
WIRE_EXPECTS: Mapping[str, Word] = {
    "state": Word(
        "the account enters a state",
        {
            "enters": Arg("word", "which", required=True, words=_STATES),
            "reason": Arg("word", "of the transition; empty = any", default="", words=("", *_REASONS)),
            "since": _SINCE,
            "within_s": _WITHIN,
        },
    ),
    "never": Word(
        "these states are not entered",
        {"enters": Arg("words", "which", required=True, words=_STATES), "since": _SINCE},
    ),
    "ends_in": EXPECTS["ends_in"],
    "books_equal": Word("fills, orders, position and wallet of the journal equal the oracle's, after a stop", {}),
    "no_increase": Word(
        "by the oracle, no request that raises risk arrives",
        {
            "since": _SINCE,
            "grace_s": Arg("seconds", "allowed after `since`", Decimal(0)),
            "until": Arg("text", "a step's name; empty = the end", default=""),
        },
    ),
    "nothing_rests": Word("by the oracle, no own order rests at the end", {}),
    "flat": Word("by the oracle, the position is zero at the end", {}),
    "fills": Word(
        "by the oracle, own orders filled",
        {"since": _SINCE, "least": Arg("integer", "how often", 1)},
    ),
    "connects": Word(
        "by the oracle, stream sockets are opened, over all",
        {
            "since": _SINCE,
            "for_s": Arg("seconds", "how long it is counted", required=True),
            "least": Arg("integer", "how many", 0),
            "most": Arg("integer", "how many", required=True),
        },
    ),
    "asks_only": Word(
        "by the oracle, no request of the engine goes elsewhere",
        {"since": _SINCE, "path": Arg("text", "what each path begins with", required=True)},
    ),
    "asks": Word(
        "by the oracle, requests arrive",
        {
            "since": _SINCE,
            "method": Arg("word", "of the requests", required=True, words=("GET", "POST", "PUT", "DELETE")),
            "path": Arg("text", "part of the path", required=True),
            "least": Arg("integer", "how many", 1),
        },
    ),
    "exits": Word(
        "an engine ends with this code",
        {"engine": _ENGINE, "code": Arg("integer", "exit code; -9 = SIGKILL", required=True, low=Decimal(-64))},
    ),
    "alive": Word("an engine runs at the end", {"engine": _ENGINE}),
    "engine_says": Word(
        "an engine's standard error holds a text", {"engine": _ENGINE, "text": Arg("text", "which", required=True)}
    ),
    "loopback_only": Word("every port an engine listens on is of this machine alone, its socket its owner's", {}),
    "answer": Word(
        "a stranger is answered",
        {
            "step": Arg("text", "name of its step", required=True),
            "holds": Arg("text", "part of each answer", default=""),
            "lacks": Arg("text", "in no answer; empty = anything", default=""),
        },
    ),
}

CATALOGUES: Mapping[str, tuple[Mapping[str, Word], Mapping[str, Word]]] = {
    "virtual": (VERBS, EXPECTS),
    "command": (COMMAND_VERBS, COMMAND_EXPECTS),
    "wire": (WIRE_VERBS, WIRE_EXPECTS),
}
"""Tier -> its verbs and expectations."""
