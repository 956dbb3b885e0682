"""The matrix of configurations and faults: pairs of cells that differ in one thing, and no cell that costs nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest

from durable_redis.lab import matrix as matrices
from durable_redis.lab.deployments import parse_deployment
from durable_redis.lab.errors import LabError
from durable_redis.lab.matrix import END_MS, FAULTS, LOGGED, SETUPS, Matrix, Setup, matrix, play
from durable_redis.lab.receipt import take

PAIRS = (
    # what saves, what does not, from what
    ("two replicas, log always", "two replicas, no log", "process dies"),
    ("two replicas, no log", "one node, log always", "disk is lost"),
    ("... and WAIT 1", "two replicas, log always", "zone is cut off"),
    ("... and WAIT 2", "... and WAIT 1", "wrong heir"),
    ("two replicas, log always", "ElastiCache, Multi-AZ", "all lose power"),
    ("one node, log always", "one node, log everysec", "power fails"),
)


@pytest.fixture(scope="module")
def cells() -> Matrix:
    """Only the cells that are looked at below."""
    wanted = [(name, fault) for saved, lost, fault in PAIRS for name in (saved, lost)]
    found = [matrix({name: SETUPS[name]}, [fault]).cells[0] for name, fault in dict.fromkeys(wanted)]
    return Matrix(tuple(found))


@pytest.mark.parametrize(("saves", "loses", "fault"), PAIRS)
def test_what_saves_from_a_fault_and_what_does_not(cells, saves, loses, fault):
    assert cells[saves, fault].lost == 0
    assert cells[loses, fault].lost > 0
    assert cells[saves, fault].acknowledged > 0


def test_what_survives_everything_is_silent_for_long(cells):
    """WAIT 2 loses nothing to the wrong heir; the price stands beside it."""
    assert (
        cells["... and WAIT 2", "wrong heir"].silent_us > cells["... and WAIT 1", "wrong heir"].silent_us > 10_000_000
    )
    assert not cells["... and WAIT 2", "wrong heir"].harmless


def test_a_cell_is_what_the_receipt_of_its_run_says():
    """And the receipt, which explains, agrees with the count, which does not."""
    setup = SETUPS["two replicas, log always"]
    receipt = take(play(setup, "zone is cut off", record=True))
    [cell] = matrix({"x": setup}, ["zone is cut off"]).cells
    assert (receipt.lost, receipt.acknowledged) == (cell.lost, cell.acknowledged)
    assert all(row.why for row in receipt.lost_rows)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("two replicas, log always", "zone is cut off"),
        ("... and WAIT 2", "all lose power"),
        ("cluster of three shards", "wrong heir"),
    ],
)
def test_what_comes_after_everybody_is_in_step_again_costs_nothing(monkeypatch, name, fault):
    [cell] = matrix({name: SETUPS[name]}, [fault]).cells
    monkeypatch.setattr(matrices, "_play_until_calm", lambda playback: playback.play_to(END_MS * 1000))
    [whole] = matrix({name: SETUPS[name]}, [fault]).cells
    assert (cell.lost, cell.silent_us) == (whole.lost, whole.silent_us)
    assert cell.acknowledged < whole.acknowledged


def test_an_executor_changes_nothing_and_the_text_has_every_cell():
    setups = {name: SETUPS[name] for name in ("one node, log everysec", "one node, log always")}
    faults = ["process dies", "power fails"]
    alone = matrix(setups, faults)
    with ThreadPoolExecutor(2) as pool:
        assert matrix(setups, faults, executor=pool) == alone
    assert alone.rows == tuple(setups)
    assert alone.columns == tuple(faults)
    assert [line.split("  ")[0] for line in str(alone).splitlines()[1:]] == list(setups)
    assert alone.table().shape == (2, 2)
    assert alone.worst("one node, log always") == (0, alone["one node, log always", "power fails"].silent_us)


def test_every_setup_can_be_built_and_a_place_that_is_not_there_is_named():
    for setup in SETUPS.values():
        assert len(parse_deployment(setup.deployment).clients) == 2
    with pytest.raises(LabError, match="no fault is called 'fire': choose from process dies"):
        matrix(faults=["fire"])
    with pytest.raises(LabError, match="no cell"):
        Matrix(())["one node, snapshots", next(iter(FAULTS))]


def test_the_wrong_heir_lags_where_a_log_feeds_it_too():
    """One who leads without having caught up loses what it had missed; so it had missed something."""
    careless = Setup("MemoryDB(replicas=2, clients=2, bug='election without catching up')")
    cells = matrix({"with": LOGGED["MemoryDB"], "without": careless}, ["wrong heir"])
    assert cells["with", "wrong heir"].lost == 0
    assert cells["without", "wrong heir"].lost == 60, "three seconds of two clients that write every 100 ms each"


def test_to_a_log_in_three_zones_no_milder_fault_is_worse_than_a_lost_disk():
    """Chapter 08 leaves these two faults out."""
    faults = ("process dies", "power fails", "disk is lost")
    names = ("MemoryDB", "MemoryDB, one node", "ElastiCache, async")
    cells = matrix({name: LOGGED[name] for name in names}, faults)
    for name, milder in product(names, faults[:2]):
        assert cells[name, milder].lost == cells[name, "disk is lost"].lost == 0
        assert cells[name, milder].silent_us <= cells[name, "disk is lost"].silent_us + 1_000, "microseconds of chance"


def test_a_log_in_three_zones_loses_nothing_to_anything_that_befalls_the_nodes():
    faults = ("zone is cut off", "wrong heir", "all lose power")
    logged = matrix({name: LOGGED[name] for name in ("MemoryDB", "ElastiCache, async")}, faults)
    assert [logged["MemoryDB", fault].lost for fault in faults] == [0, 0, 0]
    assert [logged["ElastiCache, async", fault].lost > 0 for fault in faults] == [True, False, False]
    assert logged["ElastiCache, async", "zone is cut off"].silent_us < logged["MemoryDB", "zone is cut off"].silent_us
