"""Glob patterns, as KEYS, SCAN MATCH and SORT write them (util.c `stringmatchlen`).

    ?       one byte            [abc]  one of these       [^a]  any but these      \\x   x itself
    *       any bytes           [a-c]  one of a range

The pattern becomes a regular expression.  Each `*` is followed by the shortest match of what comes next and never
reconsidered (an atomic group), which is sound for globs and keeps `a*a*a*a*b` from taking exponential time.
"""

from __future__ import annotations

import re


def compile_glob(pattern: bytes) -> re.Pattern[bytes]:
    """The regular expression to be used with `fullmatch`."""
    runs: list[bytes] = [b""]  # what stands between the stars
    index = 0
    while index < len(pattern):
        byte = pattern[index : index + 1]
        if byte == b"*":
            runs.append(b"")
            index += 1
            continue
        if byte == b"[":
            piece, index = _one_of(pattern, index + 1)
        elif byte == b"?":
            piece, index = b".", index + 1
        elif byte == b"\\" and index + 1 < len(pattern):
            piece, index = re.escape(pattern[index + 1 : index + 2]), index + 2
        else:
            piece, index = re.escape(byte), index + 1
        runs[-1] += piece
    expression = runs[0]
    if len(runs) > 1:
        middle = b"".join(b"(?>.*?" + run + b")" for run in runs[1:-1] if run)
        expression += middle + b".*" + runs[-1]
    return re.compile(expression, re.DOTALL)


def _one_of(pattern: bytes, index: int) -> tuple[bytes, int]:
    """The class that begins after `[`, and the index behind its `]`; a missing `]` is forgiven, as in Redis."""
    negated = pattern[index : index + 1] == b"^"
    index += negated
    allowed: dict[int, None] = {}
    while index < len(pattern) and pattern[index] != ord("]"):
        if pattern[index] == ord("\\") and index + 1 < len(pattern):
            allowed[pattern[index + 1]] = None
            index += 2
        elif pattern[index + 1 : index + 2] == b"-" and index + 2 < len(pattern):
            low, high = sorted((pattern[index], pattern[index + 2]))
            allowed.update(dict.fromkeys(range(low, high + 1)))
            index += 3
        else:
            allowed[pattern[index]] = None
            index += 1
    members = b"".join(b"\\x%02x" % byte for byte in allowed)
    if not members:
        return (b"." if negated else b"(?!)"), index + 1
    return b"[" + b"^" * negated + members + b"]", index + 1
