"""What a sentinel must not forget: its file `sentinel.conf`.

A restarted sentinel that had forgotten its vote could vote a second time in the same epoch, and two leaders could be
elected.  So the file is replaced as a whole, and durably (`persistence.files`), *before* a vote is answered, and
whenever the configuration changes:

    sentinel myid 8cdea4d7cf97e5600e4e3bbbefdf25e4eb1103ff
    sentinel monitor mymaster n2 6379 2
    sentinel config-epoch mymaster 3
    sentinel leader-epoch mymaster 4
    sentinel current-epoch 4
    sentinel known-replica mymaster n1 6379
    sentinel known-sentinel mymaster s2 26379 1a0660fc987bd2c24d5ea6e5373932ba98dbd308

As in Redis, the file says in which epoch the last vote was cast (leader-epoch), not for whom: the restarted sentinel
answers "no vote" for that epoch.  And as in Redis, a disk error is reported and the sentinel goes on: from then on it
promises what it may forget (sentinel.c, sentinelFlushConfig).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from durable_redis.redis.config import DEFAULT_PORT, ConfigError
from durable_redis.redis.epochs import read_epoch
from durable_redis.redis.persistence import files
from durable_redis.redis.sentinel.config import SENTINEL_PORT

FILE = "sentinel.conf"
_TEMPORARY = "sentinel.conf.tmp"


@dataclass(slots=True)
class Memory:
    """The content of the file.  `known_sentinels` maps a name to its run id."""

    run_id: str
    primary: str
    config_epoch: int = 0
    voted_epoch: int = 0
    epoch: int = 0
    known_replicas: list[str] = field(default_factory=list)
    known_sentinels: dict[str, str] = field(default_factory=dict)

    def render(self, master_name: str, quorum: int) -> bytes:
        """The file, as Redis writes it (without the options, which are the configuration's)."""
        lines = [
            f"myid {self.run_id}",
            f"monitor {master_name} {self.primary} {DEFAULT_PORT} {quorum}",
            f"config-epoch {master_name} {self.config_epoch}",
            f"leader-epoch {master_name} {self.voted_epoch}",
            f"current-epoch {self.epoch}",
            *[f"known-replica {master_name} {name} {DEFAULT_PORT}" for name in self.known_replicas],
            *[
                f"known-sentinel {master_name} {name} {SENTINEL_PORT} {run_id}"
                for name, run_id in self.known_sentinels.items()
            ],
        ]
        return "".join(f"sentinel {line}\n" for line in lines).encode()

    @classmethod
    def parse(cls, text: bytes) -> Memory:
        """Read the file back.  Raises ConfigError naming the line that cannot be understood."""
        memory = cls("", "")
        for number, line in enumerate(text.decode("ascii", "replace").splitlines(), 1):
            words = line.split()
            if words and not (words[0] == "sentinel" and memory._take(words[1:])):
                raise ConfigError(f"{FILE}, line {number}: {line[:80]!r} cannot be understood; mend or remove the file")
        if not memory.run_id or not memory.primary:
            raise ConfigError(f"{FILE} says no myid, or monitors nothing; mend or remove the file")
        return memory

    def _take(self, words: list[str]) -> bool:
        """One line, without its first word.  False: it is no such line."""
        match words:
            case ["myid", run_id]:
                self.run_id = run_id
            case ["monitor", _, name, _, _]:
                self.primary = name
            case ["config-epoch", _, digits] if (epoch := _epoch(digits)) is not None:
                self.config_epoch = epoch
            case ["leader-epoch", _, digits] if (epoch := _epoch(digits)) is not None:
                self.voted_epoch = epoch
            case ["current-epoch", digits] if (epoch := _epoch(digits)) is not None:
                self.epoch = epoch
            case ["known-replica", _, name, _]:
                self.known_replicas.append(name)
            case ["known-sentinel", _, name, _, run_id]:
                self.known_sentinels[name] = run_id
            case _:
                return False
        return True


def _epoch(digits: str) -> int | None:
    return read_epoch(digits.encode("ascii", "replace"), largest=2**63 - 1)


def save(content: bytes) -> files.FileEffects:
    """Replace the file, durably; or the error that stopped it."""
    return files.replace(FILE, _TEMPORARY, [content])
