"""What a drill of tier `command` proved: how each command ended, what it said, and what it left in files.

Whatever a drill expects, it fails when a traceback shows, a secret shows, a command had to be ended, or something was
written outside the drill's folder.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gridops.sim.drill_process_words import COMMAND_EXPECTS
from gridops.sim.drill_spec import Drill
from gridops.sim.drill_verdict import Check
from gridops.usecases.drill_sandbox import Ran, Sandbox, digest

_TRACEBACK = "Traceback (most recent call last)"


def judge(drill: Drill, box: Sandbox) -> list[Check]:
    """Every expectation, in the order of the drill, after what always holds."""
    return [*always(box), *(_JUDGES[each.that](box, each.args) for each in drill.expects)]


def always(box: Sandbox) -> list[Check]:
    """What no command may do, whatever it is given."""
    strays, leaks = box.strays(), box.leaks()
    raw = [ran.shown for ran in box.runs if _TRACEBACK in ran.out + ran.err or ran.code == 70]
    ended = [ran.shown for ran in box.runs if ran.code is None]
    return [
        _none("no traceback shows", raw),
        _none("every command ends by itself", ended),
        _none("no secret shows in any output or file", leaks),
        _none("nothing is written outside the folder", strays),
    ]


def of_step(box: Sandbox, step: str) -> list[Ran]:
    """The commands of one step, or of all."""
    return [ran for ran in box.runs if step in ("", ran.step)]


def judge_exit(box: Sandbox, args: Mapping[str, Any]) -> Check:
    runs = of_step(box, args["step"])
    wrong = [f"{ran.shown}: {ran.code}: {_last(ran)}" for ran in runs if ran.code != args["code"]]
    return _all(f"{len(runs)} commands end with {args['code']}", runs, wrong)


def judge_says(box: Sandbox, args: Mapping[str, Any]) -> Check:
    runs = of_step(box, args["step"])
    wrong = [
        f"{ran.shown} does not say {text!r}" for ran in runs for text in args["texts"] if text not in ran.out + ran.err
    ]
    return _all(f"{len(runs)} commands say {', '.join(args['texts'])}", runs, wrong)


def _refused(box: Sandbox, args: Mapping[str, Any]) -> Check:
    runs = of_step(box, args["step"])
    wrong = [f"{ran.shown}: {why}" for ran in runs if (why := _not_refused(ran, args["code"], hint=args["hint"]))]
    return _all(f"{len(runs)} commands are refused with {args['code']}, one error line and a hint", runs, wrong)


def _not_refused(ran: Ran, code: int, *, hint: bool) -> str:
    """Why this is no clean refusal; empty when it is one."""
    errors = [line for line in ran.err.splitlines() if line.startswith("error: ")]
    hints = [line for line in ran.err.splitlines() if line.startswith("hint: ")]
    if ran.code != code:
        return f"it ended with {ran.code}: {_last(ran)}"
    if len(errors) != 1 or len(hints) > 1:
        return f"{len(errors)} error lines and {len(hints)} hints"
    if hint and not hints:
        return f"no hint: {errors[0][:160]}"
    if ran.case not in ran.err:
        return f"{ran.case!r} is not named: {errors[0][:160]}"
    return ""


def _says_not(box: Sandbox, args: Mapping[str, Any]) -> Check:
    runs = of_step(box, args["step"])
    wrong = [f"{ran.shown} says {text!r}" for ran in runs for text in args["texts"] if text in ran.out + ran.err]
    return _all(f"{len(runs)} commands do not say {', '.join(map(repr, args['texts']))}", runs, wrong)


def _kept(box: Sandbox, args: Mapping[str, Any]) -> Check:
    found = sorted(box.folder.glob(args["path"]))
    wrong = [str(path) for path in found if box.given.get(path) != digest(path)]
    says = f"{args['path']} is as it was given"
    return Check(ok=bool(found) and not wrong, says=says + ("" if found else ": it is gone") + _first(wrong))


def _present(box: Sandbox, args: Mapping[str, Any]) -> Check:
    found = [path for path in sorted(box.folder.glob(args["path"])) if not path.is_symlink()]
    if args["holds"]:
        found = [path for path in found if path.is_file() and args["holds"].encode() in path.read_bytes()]
    modes = {oct(path.stat().st_mode & 0o777)[2:] for path in found}
    says = f"{args['path']} is there" + (f", holding {args['holds']!r}" if args["holds"] else "")
    if args["mode"]:
        says += f", mode {args['mode']}: {', '.join(sorted(modes)) or 'none'}"
    return Check(ok=bool(found) and (not args["mode"] or modes == {args["mode"]}), says=says)


def _absent(box: Sandbox, args: Mapping[str, Any]) -> Check:
    found = [str(path.relative_to(box.folder)) for path in sorted(box.folder.glob(args["path"]))]
    return _none(f"{args['path']} is not there", found)


def _took(box: Sandbox, args: Mapping[str, Any]) -> Check:
    runs = of_step(box, args["step"])
    slow = [f"{ran.shown}: {ran.took_s:.1f} s" for ran in runs if ran.took_s > args["most_s"]]
    return _all(f"{len(runs)} commands take at most {args['most_s']} s each", runs, slow)


_JUDGES: Mapping[str, Callable[[Sandbox, Mapping[str, Any]], Check]] = {
    "refused": _refused,
    "exit": judge_exit,
    "says": judge_says,
    "says_not": _says_not,
    "kept": _kept,
    "present": _present,
    "absent": _absent,
    "took": _took,
}
assert _JUDGES.keys() == COMMAND_EXPECTS.keys()


def _all(says: str, runs: Sequence[Ran], wrong: Sequence[str]) -> Check:
    """An expectation of commands that never ran has proven nothing."""
    return Check(ok=bool(runs) and not wrong, says=says + _first(wrong))


def _none(says: str, found: Sequence[str]) -> Check:
    return Check(ok=not found, says=says + _first(found))


def _first(wrong: Sequence[str]) -> str:
    return f": {len(wrong)} fail, first: {wrong[0]}" if wrong else ""


def _last(ran: Ran) -> str:
    lines = [line for line in ran.err.splitlines() if line.strip()] or ran.out.splitlines()
    return lines[0][:160] if lines else "it said nothing"
