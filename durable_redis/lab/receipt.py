"""The receipt: for every write, what its client was told, what the survivor holds, and the event that decided it.

Two columns that nobody sees together in production are laid side by side.  The left one comes from the client's own
records, the right one from the keyspace of the server as it is now; the sentence between them comes from the journal.

A later write to the same key that survived stands for the earlier ones: a client that wrote 1 and then 2 misses nothing
when it finds 2.  So does a deletion that the client was told of, and an expiry time that has come.  A SET that was only
queued in a transaction, or whose condition (NX, XX) was not met, is no write.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from durable_redis.formats.resp import Status
from durable_redis.lab.client import Operation
from durable_redis.lab.deployments import DataServer
from durable_redis.lab.display import receipt_as_html
from durable_redis.lab.errors import LabError
from durable_redis.lab.explain import Explainer
from durable_redis.lab.verdicts import BROKEN, KEPT, LUCKY, RESURRECTED, UNPROMISED, VERDICTS
from durable_redis.sim import EPOCH_US

if TYPE_CHECKING:
    import pandas as pd

    from durable_redis.lab.playback import Playback


QUEUED = Status(b"QUEUED")
DELETIONS = (b"DEL", b"UNLINK", b"GETDEL")
FLUSHES = (b"FLUSHDB", b"FLUSHALL")
LIFETIMES_US = {b"EX": 1_000_000, b"PX": 1_000}

MOST_GROUPS = 6
"""So many fates are told in full."""
NOTHING_YET = "Nothing was written yet."


@dataclass(frozen=True, slots=True)
class Row:
    """One write.  Times in microseconds since the start of the run."""

    number: int
    key: str
    value: str
    sent_us: int
    answered_us: int | None
    told: str  # "ok", "failed", "unknown" or "waiting"
    found: str | None  # what the survivor has under this key
    verdict: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The rows, in the order of sending, and what they add up to; `others` is how many commands were no such write."""

    rows: tuple[Row, ...]
    counts: Mapping[str, int]
    others: int = 0

    @property
    def acknowledged(self) -> int:
        return self.counts[KEPT] + self.counts[BROKEN]

    @property
    def lost(self) -> int:
        """Acknowledged writes that are gone."""
        return self.counts[BROKEN]

    @property
    def lost_rows(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.verdict == BROKEN)

    @property
    def headline(self) -> str:
        """The receipt in one sentence."""
        if not self.rows:
            return "No key was SET, and of other commands a receipt says nothing." if self.others else NOTHING_YET
        if not self.lost:
            return f"No acknowledged write is gone: all {self.acknowledged} are there."
        writes = "write is" if self.lost == 1 else "writes are"
        return f"{self.lost} acknowledged {writes} gone, of {self.acknowledged}."

    def __str__(self) -> str:
        lines = [self.headline]
        lines += [f"  {verdict}: {self.counts[verdict]}" for verdict in VERDICTS if self.counts[verdict]]
        for who, why in self.lost_in_words():
            lines += ["", f"  {who}:", f"    {why}"] if why else ["", f"  {who}"]
        return "\n".join(lines)

    def lost_in_words(self) -> list[tuple[str, str]]:
        """(which writes, why) for the acknowledged writes that are gone; those with one fate stand together."""
        fates: dict[str, list[Row]] = {}
        for row in self.lost_rows:
            fates.setdefault(row.why, []).append(row)
        groups = list(fates.values())
        words = [(_who(group), group[0].why) for group in groups]
        if len(words) > MOST_GROUPS:
            rest = sum(map(len, groups[MOST_GROUPS:]))
            words[MOST_GROUPS:] = [(f"and {rest:,} more", "")]
        return words

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return receipt_as_html(self)

    def table(self) -> pd.DataFrame:
        """One row a write, as a DataFrame; times in milliseconds since the start of the run."""
        import pandas as pd

        return pd.DataFrame(
            {
                "write": [row.number for row in self.rows],
                "key": [row.key for row in self.rows],
                "sent_ms": [row.sent_us / 1000 for row in self.rows],
                "answered_ms": [None if row.answered_us is None else row.answered_us / 1000 for row in self.rows],
                "told": [row.told for row in self.rows],
                "found": [row.found for row in self.rows],
                "verdict": [row.verdict for row in self.rows],
                "why": [row.why for row in self.rows],
            }
        )


def take(playback: Playback, explain: bool = True) -> Receipt:
    """Compare every client's records with what the survivor holds now.  Raises LabError while it is down."""
    found = find(playback)
    why = Explainer(playback) if explain else None
    rows = []
    judged = _judged(playback.data_operations(), found.values, found.clock_us)
    for number, (operation, stands) in enumerate(judged, start=1):
        key = operation.argv[1]
        verdict = _verdict(operation.outcome, stands)
        row = Row(
            number,
            _text(key),
            _text(operation.argv[2]),
            (operation.sent_us or 0) - EPOCH_US,
            None if operation.answered_us is None else operation.answered_us - EPOCH_US,
            operation.outcome,
            _text(found.values[key]) if key in found.values else None,
            verdict,
            why.sentence(operation, verdict, found.homes[key]) if why is not None else "",
        )
        rows.append(row)
    return Receipt(tuple(rows), Counter(row.verdict for row in rows), len(playback.data_operations()) - len(rows))


def judge(playback: Playback) -> list[tuple[Operation, bool]]:
    """Every write, in the order of sending, and whether it stands: see the top.  Raises LabError as `take` does."""
    found = find(playback)
    return _judged(playback.data_operations(), found.values, found.clock_us)


def writes(playback: Playback) -> list[Operation]:
    """Every write that was sent, in the order of sending."""
    return [operation for operation in playback.data_operations() if _is_write(operation)]


@dataclass(frozen=True, slots=True)
class Found:
    """What the survivors hold: for each key of the clients, the server that is asked for it, and the string there."""

    homes: Mapping[bytes, str]
    values: Mapping[bytes, bytes]
    clock_us: int  # what a survivor believes the time to be


def find(playback: Playback) -> Found:
    """Ask for each key the server to which the deployment would send a client for it now.

    Raises LabError while there is none, or it is down or loading."""
    views = playback.views()
    keys = dict.fromkeys(key for operation in playback.data_operations() for key in operation.argv[1:2]) or {b"": None}
    homes = {key: playback.deployment.survivor(views, key) for key in keys}
    servers = {name: _server(playback, name) for name in dict.fromkeys(homes.values())}
    clocks = {name: playback.world.clock(playback.world.machines[name]) for name in servers}
    values: dict[bytes, bytes] = {}
    for key, name in homes.items():
        database, now_ms = servers[name].engine.keyspace.databases[0], clocks[name] // 1000
        value = database.values.get(key)
        if isinstance(value, bytes) and database.expires.get(key, now_ms) >= now_ms:
            values[key] = value
    return Found(homes, values, next(iter(clocks.values())))


def _server(playback: Playback, name: str) -> DataServer:
    if not name:
        raise LabError("nobody knows a primary now: play on until there is one, then ask what survived")
    machine = playback.world.machines[name]
    if machine.process is None:
        raise LabError(f"{name} is down ({machine.last_crash}): restart it, then ask what survived")
    server = machine.process.node
    assert isinstance(server, DataServer)
    if not server.ready:
        raise LabError(f"{name} is still loading: play on, then ask what survived")
    return server


def can_be_taken(playback: Playback) -> bool:
    """Whether every server that would be asked is there to answer."""
    try:
        find(playback)
    except LabError:
        return False
    return True


def _judged(operations: list[Operation], found: Mapping[bytes, bytes], now_us: int) -> list[tuple[Operation, bool]]:
    """Backwards: a write stands if its value is there, or if something later on its key stands for it."""
    judged = []
    accounted: dict[bytes, bool] = {}  # keys whose state a later operation explains
    flushed = False
    for operation in reversed(operations):
        name = operation.argv[0].upper()
        if _is_write(operation):
            key = operation.argv[1]
            if found.get(key) == operation.argv[2] or (key not in found and (flushed or _expired(operation, now_us))):
                accounted[key] = True
            judged.append((operation, key in accounted))
        elif operation.outcome == "ok" and name in DELETIONS:
            accounted |= {key: True for key in operation.argv[1:] if key not in found}
        elif operation.outcome == "ok" and name in FLUSHES:
            flushed = True
    return judged[::-1]


def _is_write(operation: Operation) -> bool:
    if operation.argv[0].upper() != b"SET" or len(operation.argv) < 3 or operation.reply == QUEUED:
        return False
    conditional = any(word.upper() in (b"NX", b"XX") for word in operation.argv[3:])
    return not (conditional and operation.outcome == "ok" and operation.reply is None)


def _expired(operation: Operation, now_us: int) -> bool:
    """Whether the time that `SET key value PX 100` gave to its key has passed."""
    words = [word.upper() for word in operation.argv[3:]]
    for word, at in pairwise(words):
        if word in LIFETIMES_US and at.isdigit():
            return (operation.sent_us or 0) + int(at) * LIFETIMES_US[word] <= now_us
        if word in (b"EXAT", b"PXAT") and at.isdigit():
            return int(at) * LIFETIMES_US[word.removesuffix(b"AT")] <= now_us
    return False


def _verdict(told: str, stands: bool) -> str:
    if told == "ok":
        return KEPT if stands else BROKEN
    if not stands:
        return UNPROMISED
    return RESURRECTED if told == "failed" else LUCKY


def _text(content: bytes) -> str:
    return content.decode("utf-8", "backslashreplace")


def _who(group: list[Row]) -> str:
    """`w104 to w107 (4 writes), told OK from 1.053 s to 1.083 s`"""
    first, last = group[0], group[-1]
    if first is last:
        return f"{first.key} = {first.value}, told OK at {(first.answered_us or 0) / 1e6:.3f} s"
    times = f"{(first.answered_us or 0) / 1e6:.3f} s to {(last.answered_us or 0) / 1e6:.3f} s"
    return f"{first.key} to {last.key} ({len(group):,} writes), told OK from {times}"
