"""The figures of the log.  All of them are the model's own: nothing is published about the service's inside.

They must stand in this order, so that one lost message is no reason for an election, and so that a leader which hears
nothing more has stepped down before anybody wonders for long:

    heartbeat (100 ms)  <  election, least (300 ms)  <  election, most (600 ms)

A change of the log's leader therefore takes 0.3 to 0.7 s.  Whoever keeps a lease in the log needs a longer one.
"""

from __future__ import annotations

from dataclasses import dataclass

from durable_redis.errors import PlainError


def has_passed(duration_us: int, since_us: int, now: int) -> bool:
    """Whether so much time has passed; and also if the clock was set back meanwhile, so that nobody can say.

    Without the second half, a replica whose clock was set back by an hour would for an hour believe that it has just
    heard its leader."""
    return not 0 <= now - since_us < duration_us


class LogConfigError(PlainError, ValueError):
    """Figures that cannot work.  The message says which, and why."""


@dataclass(frozen=True, slots=True)
class LogConfig:
    """`replicas` are the machines that keep the log, `shards` the logs that they keep.  Times in microseconds."""

    replicas: tuple[str, ...] = ("log-a", "log-b", "log-c")
    shards: tuple[str, ...] = ("s1",)
    heartbeat_us: int = 100_000
    election_us: int = 300_000  # the least silence after which a replica wants an election; the most is twice that
    beat_us: int = 300_000  # a subscriber to whom nothing is pushed for so long is told the tail
    reconnect_us: int = 200_000
    batch_entries: int = 256
    batch_bytes: int = 2**20  # of entries in one message; one larger entry goes alone

    def __post_init__(self) -> None:
        if len(set(self.replicas)) != len(self.replicas) or len(self.replicas) < 3 or len(self.replicas) % 2 == 0:
            raise LogConfigError(
                f"a log wants three replicas or more, an odd number, with names of their own, not {self.replicas}"
            )
        if not self.shards or len(set(self.shards)) != len(self.shards) or not all(map(str.isalnum, self.shards)):
            raise LogConfigError(f"name at least one shard, each once, in letters and digits, not {self.shards}")
        if not 0 < 2 * self.heartbeat_us < self.election_us:
            raise LogConfigError(
                f"an election after {self.election_us} us of silence needs a heartbeat of less than half of that, "
                f"not {self.heartbeat_us} us"
            )

    @property
    def majority(self) -> int:
        """3 replicas: 2."""
        return len(self.replicas) // 2 + 1
