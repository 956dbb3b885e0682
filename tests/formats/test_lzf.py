"""LZF: literal bytes, round trips through both implementations, and streams that lie."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durable_redis.formats import lzf
from durable_redis.formats.lzf import LzfError, compress_in_python, decompress_in_python

BOUNDED = settings(max_examples=150, derandomize=True, deadline=None)

Decompress = Callable[[bytes, int], bytes]
BOTH = pytest.mark.parametrize("decompress", [lzf.decompress, decompress_in_python])

compressible = st.lists(st.sampled_from([b"a", b"bc", b"abcabc", bytes(40), b"\xff" * 300]), max_size=60).map(b"".join)


@BOTH
def test_the_example_of_the_docstring(decompress: Decompress) -> None:
    assert decompress(bytes.fromhex("04 61 62 63 64 61 c0 04"), 13) == b"abcdaabcdaabc"


@BOTH
def test_the_three_kinds_of_chunk(decompress: Decompress) -> None:
    assert decompress(b"\x00a", 1) == b"a"
    assert decompress(b"\x1f" + bytes(range(32)), 32) == bytes(range(32))
    assert decompress(b"\x00a\x20\x00", 4) == b"aaaa"
    assert decompress(b"\x00a\xe0\xff\x00", 265) == b"a" * 265
    assert decompress(b"", 0) == b""


@BOTH
@pytest.mark.parametrize(
    ("data", "length"),
    [
        (b"\x00", 1),  # a literal run without its bytes
        (b"\x05abc", 6),
        (b"\x00a\x20", 4),  # a back reference without its distance
        (b"\x00a\xe0\x00", 10),
        (b"\x00a\x20\x01", 4),  # two back, when there is one
        (b"\x00a\x20\x09", 1),
        (b"\x00a", 2),  # less than declared
        (b"\x00a\x20\x00", 3),  # more than declared
        (b"\x00a", 0),
        (b"", 1),
        (b"\x00a\xe0\xff\x00", 1 << 40),  # a length that no five bytes can hold
    ],
)
def test_a_stream_that_lies_is_refused_by_name(decompress: Decompress, data: bytes, length: int) -> None:
    with pytest.raises(LzfError):
        decompress(data, length)


@given(st.one_of(st.binary(max_size=600), compressible))
@BOUNDED
def test_what_either_compresses_both_restore(data: bytes) -> None:
    for form in (lzf.compress(data), compress_in_python(data)):
        if form is not None:
            assert len(form) < len(data)
            assert lzf.decompress(form, len(data)) == decompress_in_python(form, len(data)) == data


def test_long_and_far_repeats() -> None:
    far = bytes(index * 7 % 251 for index in range(8192))
    for data in (b"a" * 10_000, far + far[:100], bytes(range(256)) * 100):
        form = compress_in_python(data)
        assert form is not None
        assert lzf.decompress(form, len(data)) == data


@given(st.binary(max_size=60), st.integers(0, 6000))
@BOUNDED
def test_any_bytes_are_decompressed_or_refused(data: bytes, length: int) -> None:
    for decompress in (lzf.decompress, decompress_in_python):
        try:
            assert len(decompress(data, length)) == length
        except LzfError:
            pass


def test_the_accelerator_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lzf, "_accelerator", None)
    data = b"abc" * 100
    form = lzf.compress(data)
    assert form is not None
    assert lzf.decompress(form, 300) == data
    assert lzf.compress(b"abc") is None
