"""The receipt: for every write, what its client was told, what the survivor holds, and the event that decided it.

Two columns that nobody sees together in production are laid side by side.  The left one comes from the client's own
records, the right one from the keyspace of the server as it is now; the sentence between them comes from the journal.

A later write to the same key that survived stands for the earlier ones: a client that wrote 1 and then 2 misses nothing
when it finds 2.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from durable_redis.lab.client import Operation
from durable_redis.lab.errors import LabError
from durable_redis.lab.explain import Explainer
from durable_redis.lab.verdicts import BROKEN, KEPT, LUCKY, RESURRECTED, UNPROMISED, VERDICTS
from durable_redis.redis.server import RedisServer
from durable_redis.sim import EPOCH_US

if TYPE_CHECKING:
    import pandas as pd

    from durable_redis.lab.playback import Playback


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
    """The rows, in the order of sending, and what they add up to."""

    rows: tuple[Row, ...]
    counts: Mapping[str, int]

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
            return "Nothing was written yet."
        if not self.lost:
            return f"No acknowledged write is gone: all {self.acknowledged} are there."
        writes = "write is" if self.lost == 1 else "writes are"
        return f"{self.lost} acknowledged {writes} gone, of {self.acknowledged}."

    def __str__(self) -> str:
        lines = [self.headline]
        lines += [f"  {verdict}: {self.counts[verdict]}" for verdict in VERDICTS if self.counts[verdict]]
        lost = self.lost_rows
        if lost:
            shown = lost if len(lost) <= 6 else (*lost[:3], None, *lost[-2:])
            lines.append("")
            lines += ["  ..." if row is None else f"  {_told(row)}; {row.why}" for row in shown]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

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
    """Compare every client's records with what the server holds now.  Raises LabError while it is down."""
    node = playback.deployment.nodes[0]
    found = _keyspace(playback, node)
    writes = [operation for operation in playback.operations() if operation.argv[0].upper() == b"SET"]
    standing = _standing(writes, found)
    why = Explainer(playback, node) if explain else None
    rows = []
    for number, operation in enumerate(writes, start=1):
        key = operation.argv[1]
        verdict = _verdict(operation.outcome, number <= standing.get(key, 0))
        row = Row(
            number,
            _text(key),
            _text(operation.argv[2]),
            (operation.sent_us or 0) - EPOCH_US,
            None if operation.answered_us is None else operation.answered_us - EPOCH_US,
            operation.outcome,
            _text(found[key]) if key in found else None,
            verdict,
            why.sentence(operation, verdict) if why is not None else "",
        )
        rows.append(row)
    return Receipt(tuple(rows), Counter(row.verdict for row in rows))


def _keyspace(playback: Playback, node: str) -> dict[bytes, bytes]:
    """The strings that the server holds, by key."""
    machine = playback.world.machines[node]
    if machine.process is None:
        raise LabError(f"{node} is down ({machine.last_crash}): restart it, then ask what survived")
    server = machine.process.node
    assert isinstance(server, RedisServer)
    if not server.ready:
        raise LabError(f"{node} is still loading: play on, then ask what survived")
    values = server.engine.keyspace.databases[0].values
    return {key: value for key, value in values.items() if isinstance(value, bytes)}


def _standing(writes: list[Operation], found: dict[bytes, bytes]) -> dict[bytes, int]:
    """For each key, the number of the last write whose value is there; that one and those before it stand."""
    standing = {}
    for number, operation in enumerate(writes, start=1):
        key, value = operation.argv[1], operation.argv[2]
        if found.get(key) == value:
            standing[key] = number
    return standing


def _verdict(told: str, stands: bool) -> str:
    if told == "ok":
        return KEPT if stands else BROKEN
    if not stands:
        return UNPROMISED
    return RESURRECTED if told == "failed" else LUCKY


def _text(content: bytes) -> str:
    return content.decode("utf-8", "backslashreplace")


def _told(row: Row) -> str:
    when = "" if row.answered_us is None else f" at {row.answered_us / 1e6:.3f} s"
    return f"{row.key} = {row.value}: told {row.told.upper()}{when}"
