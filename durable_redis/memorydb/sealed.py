"""Sealed bugs: a planted bug that is asked for by a number, for whoever wants to find it without being told its name.

    dr.MemoryDB(replicas=1, bug="sealed 3")

The law of this file: what is in an envelope can be checked and not read.  It keeps a checksum of each name; the replay
string of a run, and everything else that repeats a deployment, has the number and no more.  One envelope is empty.
"""

from __future__ import annotations

from durable_redis.formats.crc64 import crc64
from durable_redis.memorydb.bugs import BUGS

ENVELOPES = (
    0xB2DAA79ADD17BC46,
    0x0DAEB912DA1E4343,
    0xD5ADB726EC5085BC,
    0x9C448C3F7DD19CB9,
    0x3EA710580514CA0B,
    0x509092493AB60139,
)
"""Of the text `1: name of the bug`, and so on."""
PREFIX = "sealed "
SOUND = ""
"""What is in the empty one."""


def envelope(number: int, bug: str) -> int:
    """The checksum of this bug under this number."""
    return crc64(f"{number}: {bug}".encode())


def unsealed(name: str) -> str:
    """The name of the bug that is called so: itself, or what is in the envelope.  "" for none, and for an envelope that
    does not exist the name as it was given."""
    number = name.removeprefix(PREFIX)
    if not name.startswith(PREFIX) or not number.isdecimal() or not 1 <= int(number) <= len(ENVELOPES):
        return name
    return next(bug for bug in (SOUND, *BUGS) if envelope(int(number), bug) == ENVELOPES[int(number) - 1])
