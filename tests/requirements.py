"""What a test needs from the machine, and what happens when it is not there.

A test that needs a program (a real server, a browser) says so through `need`.  On a developer's machine a missing
program skips the test and says why; where `DURABLE_REDIS_REQUIRE_ALL=1` is set, as in `.ci/run`, the same absence is a
failure, so that nothing can pass by not having run.
"""

from __future__ import annotations

import os

import pytest


def need(program_found: bool, reason: str) -> None:
    """Skip the calling test (or fail it, under DURABLE_REDIS_REQUIRE_ALL=1) unless the program was found."""
    if program_found:
        return
    if os.environ.get("DURABLE_REDIS_REQUIRE_ALL") == "1":
        pytest.fail(f"DURABLE_REDIS_REQUIRE_ALL=1, but {reason}", pytrace=False)
    pytest.skip(reason)
