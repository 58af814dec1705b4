"""Levels, signals and moves come out in the same order whatever the interpreter's hash seed."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
from gridops.decide import fsm, health, levels
from gridops.decide.health_facts import HealthFacts, SymbolFacts
from gridops.domain.rules import Rules
rules, held, memory = Rules(symbols=("A", "B", "C")), {}, fsm.FsmMemory()
facts = HealthFacts(symbols=[SymbolFacts(symbol=name) for name in rules.symbols], foreign_writer=True, toxicity=3_000)
for now in (1, 70_000):
    edges = health.detect(facts, memory, held, now, rules)
    levels.apply_edges(held, memory, edges, rules.symbols, now)
    print(edges, list(held), memory)
    for state in fsm.FsmState:
        print(health.signals(state, 0, memory, held, facts, now, rules))
    facts = HealthFacts(symbols=[SymbolFacts(symbol=name, book_valid=True) for name in rules.symbols])
"""


def printed(seed: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
    run = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True)
    return run.stdout


def test_two_hash_seeds_print_the_same_history() -> None:
    first = printed("1")
    assert len(first.splitlines()) == 18
    assert first == printed("2")
