"""No call site at which a process can die is unknown to the kills: the sources are read and held against the table."""

from tests.wire.call_sites import BEYOND, REACHED, of_sources, of_table


def test_every_call_site_of_an_engine_is_killed_at_or_says_why_not() -> None:
    said = of_table()
    # Frames and an operator's requests arrive by methods that the library calls: there is no call of ours to find.
    called_by_the_library = {each for each in said if each.startswith(("venue_wire._on_data", "venue_wire.connect"))}
    called_by_the_library |= {each for each in said if each.endswith((" request", " reply")) and "control" in each}
    assert of_sources() == said - called_by_the_library
    assert REACHED.keys().isdisjoint(BEYOND)
