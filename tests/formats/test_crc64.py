"""The checksum against its published check value, and its two implementations against each other."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durable_redis.formats import crc64 as module
from durable_redis.formats.crc64 import crc64, crc64_by_table

CHECK_VALUE = 0xE9C6D914C4B8D9CA


@pytest.mark.parametrize("function", [crc64, crc64_by_table])
def test_check_value(function: module.Checksum) -> None:
    assert function(b"123456789", 0) == CHECK_VALUE
    assert function(b"", 0) == 0
    assert function(memoryview(b"0123456789")[1:], 0) == CHECK_VALUE


@given(st.binary(max_size=300), st.integers(0, 300))
@settings(max_examples=100, derandomize=True, deadline=None)
def test_pieces_give_what_the_whole_gives(data: bytes, cut: int) -> None:
    assert crc64(data[cut:], crc64(data[:cut])) == crc64(data) == crc64_by_table(data)


def test_the_accelerator_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "crcmod", None)  # makes `import crcmod` fail
    assert module._fastest() is crc64_by_table
