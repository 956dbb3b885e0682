"""A history: the calls of all clients, each with the time when it began, the time when it ended, and the answer.

The law of this file: it holds what the clients can know, and nothing else.  Of the three things that a client may know
of a call (see `lab.client`), two are kept:

* *answered*: it took effect once, at some moment between its beginning and its end;
* *unknown*: nobody answered.  It took effect at some moment after its beginning, maybe much later, or never;
* *refused*: answered with an error, so it did not happen.  It says nothing about the data, and is left out.

Times are whole microseconds of one clock.  An end and a beginning in the same microsecond count in this order, since an
answer has to travel: a client that sends its next command at once sends it after the answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from durable_redis.engine.commands import COMMANDS
from durable_redis.errors import PlainError
from durable_redis.formats.resp import Reply, Status
from durable_redis.sim import EPOCH_US
from durable_redis.verify.models import RULES

if TYPE_CHECKING:
    from durable_redis.lab.client import Operation
    from durable_redis.lab.playback import Playback

NEVER_US = 2**63 - 1
"""When a call ends that nobody answered."""
QUEUED = Status(b"QUEUED")
_ENGINE = {command.name.upper().encode(): command for command in COMMANDS}


class HistoryError(PlainError, ValueError):
    """A history that the checker cannot judge.  The message names the call."""


@dataclass(frozen=True, slots=True)
class Call:
    """One command of one client.  `ended_us` is NEVER_US if nobody answered, and `reply` says nothing then."""

    client: str
    argv: tuple[bytes, ...]
    began_us: int
    ended_us: int = NEVER_US
    reply: Reply = None

    @property
    def answered(self) -> bool:
        return self.ended_us != NEVER_US

    def __str__(self) -> str:
        words = " ".join(word.decode("utf-8", "backslashreplace") for word in self.argv)
        sent = f"{self.client}'s {words}, sent at {_seconds(self.began_us)}"
        return f"{sent} and answered {self.reply!r} at {_seconds(self.ended_us)}" if self.answered else f"{sent}"


@dataclass(frozen=True, slots=True)
class History:
    """The calls of a run, in the order in which they began."""

    calls: tuple[Call, ...]

    @classmethod
    def of(cls, playback: Playback) -> History:
        """What the clients of a playback saw.  Times count from the start of the run."""
        return cls.of_operations(playback.data_operations())

    @classmethod
    def of_operations(cls, operations: Iterable[Operation]) -> History:
        """What clients remember, as calls."""
        calls = []
        for operation in operations:
            if operation.sent_us is None or operation.outcome == "failed":
                continue
            answered_us = operation.answered_us if operation.outcome == "ok" else None
            ended_us = NEVER_US if answered_us is None else answered_us - EPOCH_US
            began_us = operation.sent_us - EPOCH_US
            client = operation.connection.partition(">")[0]  # the machine that opened it
            calls.append(Call(client, tuple(operation.argv), began_us, ended_us, operation.reply))
        return cls(tuple(sorted(calls, key=lambda call: call.began_us)))

    def __len__(self) -> int:
        return len(self.calls)

    def __iter__(self) -> Iterator[Call]:
        return iter(self.calls)

    def by_key(self) -> dict[bytes, list[Call]]:
        """The calls on each key.  A history of many keys makes sense if that of each key does (Herlihy and Wing 1990,
        theorem 1: linearizability is *local*), as long as no call touches two.  Raises HistoryError for one that
        does, and for a command that `models` has no rule for."""
        return partition(self.calls)


def partition(calls: Iterable[Call]) -> dict[bytes, list[Call]]:
    """The calls on each key, in the order of the keys' first calls; calls that touch no key are left out."""
    keys: dict[bytes, list[Call]] = {}
    for call in calls:
        name = call.argv[0].upper()
        rule = RULES.get(name)
        if rule is None:
            known = _ENGINE.get(name)
            if name == b"MULTI" or (known is not None and (known.first_key or known.writes)):
                raise HistoryError(f"the checker has no rule for {name.decode()} ({call}): it knows {_names()}")
            continue
        if not rule.least <= len(call.argv) <= rule.most or call.reply == QUEUED:
            raise HistoryError(
                f"the checker takes single commands on one key, without further options, and this is another: {call}"
            )
        keys.setdefault(call.argv[1], []).append(call)
    return keys


def _names() -> str:
    return ", ".join(name.decode() for name in RULES)


def _seconds(at_us: int) -> str:
    return f"{at_us / 1e6:.6f} s"
