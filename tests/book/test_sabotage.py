"""The book fails if the engine is broken: six breakages, each caught by cells of a chapter, and by none without it.

| what is broken | chapter | the first cells that notice |
|---|---|---|
| OK is said before the fsync | 00 | 4.3: an assert, and the losses under sixteen seeds |
| a torn transaction is replayed as far as it goes | 03 | 4.3: an assert (claim 4), and the observation after it |
| a save writes over the old snapshot, without a rename | 02 | 3.2: the steps of a save; 3.5: an assert (claim 3) |
| one platter is taken for a majority | 08 | 3: the way of a write, and an assert (claim 1) |
| a conflict in the shared log is taken for bad luck | 09 | 1: an assert, in the run that should lose nothing |
| a snapshot is released unread | 10 | 4.1: an assert, on a snapshotter that is one entry short |
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SABOTAGE = Path(__file__).with_name("sabotage.py")
CASES = [
    ("reply before fsync", "00_crash_your_first_node", 5, ["print([lost_with_always(", 'observe("always", worst)']),
    ("replay past a torn tail", "03_append_only_file", 5, ["assert outcomes == {", 'observe("both or none"']),
    ("snapshot without rename", "02_snapshots", 4, ['run.picture(at["Rename"])', 'assert not any("?"']),
    ("commit on one platter", "08_the_shared_log", 4, ['way(run, "w60")', "assert (on_disk"]),
    ("append behind anything", "09_failover_from_the_log", 2, ["assert run.receipt().lost == 40 and real.rec"]),
    ("snapshot unread", "10_starting_from_nothing", 5, ["print(read_back", 'assert "release" not in making(short)']),
]


def noticed(chapter: str, sabotage: str, until: int) -> list[tuple[int, str, str]]:
    command = [sys.executable, str(SABOTAGE), chapter, sabotage, str(until)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "80"})
    return [tuple(cell) for cell in json.loads(ended.stdout)]


@pytest.mark.parametrize(("sabotage", "chapter", "until", "cells"), CASES, ids=[case[0] for case in CASES])
def test_a_broken_engine_turns_cells_red(sabotage, chapter, until, cells):
    found = noticed(chapter, sabotage, until)
    for cell in cells:
        assert any(last.startswith(cell) for _, _, last in found), found
    assert any(what == "ends in AssertionError" for _, what, _ in found), found


@pytest.mark.parametrize(("chapter", "until"), [(case[1], case[2]) for case in CASES], ids=[case[1] for case in CASES])
def test_with_a_sound_engine_no_cell_notices_anything(chapter, until):
    assert noticed(chapter, "none", until) == []
