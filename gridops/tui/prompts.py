"""Questions asked before an operator's word leaves the screen, and the help page.

A word needs an author and a reason; a kill is confirmed by typing it. Escape leaves without a word.
"""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Checkbox, Input, Label, Static

from gridops.domain.vocabulary import OperatorCommand
from gridops.tui.text import safe
from gridops.usecases.operate import Wish

KILL_WORD = "KILL"
_MEANING = {
    OperatorCommand.PAUSE: "Pause: increasing orders are cancelled, reduce-only ones stay.",
    OperatorCommand.RESUME: "Resume: lifts the operator's pause; whatever else holds back stays.",
    OperatorCommand.ACK: "Acknowledge the emergency: the engine starts over when the account is flat.",
    OperatorCommand.KILL: "Kill: cancel everything, flatten, latch until an ack.",
}


class AskWish(ModalScreen[Wish | None]):
    """Author, reason, and what else the command needs; answers the wish or None."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "leave", "Leave")]

    def __init__(self, command: OperatorCommand, author: str, account: str) -> None:
        super().__init__()
        self._command, self._author, self._account = command, author, account

    def compose(self) -> ComposeResult:
        with Vertical(id="question"):
            yield Label(safe(f"{self._command.upper()} · account {self._account}"), id="asked")
            yield Static(_MEANING[self._command], markup=False)
            yield Input(safe(self._author), placeholder="author", id="author", max_length=80)
            yield Input(placeholder="reason (recorded with your name)", id="reason", max_length=500)
            if self._command is OperatorCommand.KILL:
                yield Input(placeholder=f"type {KILL_WORD} to confirm", id="confirm")
            if self._command is OperatorCommand.ACK:
                yield Checkbox("accept the open position (only when it is meant)", id="accept")
            yield Label("", id="missing")
            with Horizontal(id="answers"):
                yield Button("Send", variant="error" if self._command is OperatorCommand.KILL else "primary", id="send")
                yield Button("Leave (esc)", id="leave")

    def on_mount(self) -> None:
        self.query_one("#reason", Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes to the next empty field, and sends when there is none."""
        empty = [each for each in self.query(Input) if not each.value.strip()]
        if empty and empty[0] is not event.input:
            empty[0].focus()
        else:
            self._send()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "send":
            self._send()
        else:
            self.action_leave()

    def action_leave(self) -> None:
        self.dismiss(None)

    def _send(self) -> None:
        reason, author = self._value("#reason"), self._value("#author")
        if not reason or not author:
            self.query_one("#missing", Label).update("author and reason are needed")
            return
        if self._command is OperatorCommand.KILL and self._value("#confirm") != KILL_WORD:
            self.query_one("#missing", Label).update(f"not sent: type {KILL_WORD} in the last field")
            return
        accept = self._command is OperatorCommand.ACK and self.query_one("#accept", Checkbox).value
        self.dismiss(Wish(command=self._command, reason=reason, author=author, accept_position=accept))

    def _value(self, selector: str) -> str:
        return self.query_one(selector, Input).value.strip()


HELP = """\
This screen reads the journal and asks the engine; it decides nothing. Leaving it leaves the engine running.

  p  pause        increasing orders are cancelled         (asks author and reason)
  r  resume       lifts the operator's pause
  a  ack          ends an emergency once the account is flat
  k  kill         cancel all, flatten, latch              (typed: KILL)
  q  detach       leave the screen; the engine goes on
  1 2 3 4, n      pages: lifecycle, ladder, money, vitals and log
  s  symbol       the next symbol
  /  filter       lines of the log that hold a text; escape clears it
  d  dark, light  ctrl+p  command palette   ?  this page

Every panel's title carries the age of its newest fact. An engine that died is shown DEAD with the ages running on; \
one that does not answer is shown HUNG. Figures come from the journal by folding its rows.

desired: the target of the router's newest decision about a rung, ~ when that was more than 10 s ago. \
queue: what the touch lets us know, at most so much stands before us; away from it nothing is known. \
cost: c calls, w weight, o orders counted, ms without an order, q lots of queue place given up.
"""


class Help(ModalScreen[None]):
    """The keys and what the figures mean."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape,question_mark,q", "leave", "Close")]

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help"):
            yield Static(HELP, markup=False)

    def action_leave(self) -> None:
        self.dismiss(None)
