"""The target of a migration: what its primary does to get slots from another shard (paper, section 5.2).

    the source says          and this log gets                                           which is told to the source
    BEGIN                    BEGUN                                                       "begun"
    DATA                     the commands, executed here as a replica would
    PREPARE, a checksum      PREPARED, if the data here have the same; else ABANDONED    "prepared"; "closed"
    COMMIT                   COMMITTED: the slots are served from here on; OVER          "closed"
    ABANDON                  ABANDONED; what was got of the data is deleted; OVER        "closed"
                             of what has never begun here: ABANDONED, and no more

The laws of this file:

* PREPARED is a promise.  In front of it in this log is all of the data, and behind it only the source's word counts:
  neither time nor a crash ends it.  Before it, whatever goes wrong ends in ABANDONED: also that the connection over
  which the data came is lost, and that another primary finds BEGUN in its log.
* Nothing is said to the source that is not in this log, behind which nobody else has written.  So a primary that has
  been replaced, and does not know it, cannot confirm anything; also not that it has never heard of a migration, which
  is why ABANDONED is appended even then, and even while another one is under way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from durable_redis.contract import Compute, Effects, Send
from durable_redis.formats.resp import OK, ErrorReply, Reply, encode
from durable_redis.memorydb.migration.ownership import Migration, Ownership, Phase
from durable_redis.memorydb.migration.slotdata import checksum_of, is_mutation_of
from durable_redis.memorydb.migration.source import CLOSED, Cleaning
from durable_redis.memorydb.record import RecordError, whole_commands

if TYPE_CHECKING:
    from durable_redis.memorydb.server import MemoryDBServer
    from durable_redis.redis.cluster.slots import SlotSet


@dataclass(frozen=True, slots=True)
class Demand:
    """What a source has said last; `executed` is how far this stream was then."""

    verb: str
    source: str
    number: int
    slots: SlotSet
    executed: int
    checksum: int = 0
    passed_ms: int = 0

    def is_about(self, migration: Migration) -> bool:
        return (self.source, self.number) == (migration.source, migration.number)


class Target:
    """This primary's part, as long as it leads.

    * `demand`: what is to be done; `connection`: who has said it, and is told what has come of it.
    * `unheard_of`: the end of a migration that has never begun here, and the connection on which that was said.
    * `agrees`: the data here have the checksum of the source; None: it has not been computed.
    * `why`: what has ended in ABANDONED."""

    def __init__(self, server: MemoryDBServer) -> None:
        self.server = server
        self.demand: Demand | None = None
        self.connection = ""
        self.unheard_of: tuple[Migration, str] | None = None
        self.agrees: bool | None = None
        self.why = ""
        self.cleaning = Cleaning(server)
        self._reports: list[tuple[str, int, str]] = []  # (connection, number, what this log has got)

    @property
    def _ownership(self) -> Ownership:
        return self.server.logbook.data.ownership

    @property
    def migration(self) -> Migration | None:
        """The one that brings slots here, and is not over."""
        return self._ownership.migration if self._ownership.is_target else None

    def _closed(self, source: str) -> int:
        """Up to which number all migrations of this source are committed or abandoned."""
        return self._ownership.closed.get(source, 0)

    # -- what the source says ----------------------------------------------------------------------------------------

    def demanded(self, demand: Demand, connection: str) -> Reply:
        """BEGIN, PREPARE, COMMIT or ABANDON."""
        migration = self.migration
        if demand.number <= self._closed(demand.source):
            self._reports.append((connection, demand.number, CLOSED))
            return OK
        if migration is not None and demand.is_about(migration):
            self._reports.append((connection, demand.number, migration.phase.value))
        elif self._ownership.is_unheard_of(end := self._step(Phase.ABANDONED, demand)) and demand.verb == "ABANDON":
            self.unheard_of = end, connection
            return OK
        elif self._ownership.migration is not None:
            return ErrorReply(f"ERR {self.server.config.shard} takes part in another migration")
        elif demand.verb != "BEGIN":
            return ErrorReply(f"ERR {self.server.config.shard} knows of no migration {demand.source}-{demand.number}")
        elif demand.slots & self.server.shards.owned:
            return ErrorReply(f"ERR {self.server.config.shard} has these slots already")
        self.demand, self.connection = demand, connection
        return OK

    def data(self, source: str, number: int, stream: bytes, connection: str) -> Reply:
        """DATA: execute it, and let the log have it.

        Whoever says this may be anybody: what is not about the slots that move would harm those that do not."""
        migration = self.migration
        taken = migration is not None and (migration.source, migration.number) == (source, number)
        if migration is None or not taken or migration.phase is not Phase.BEGUN or connection != self.connection:
            return ErrorReply(f"ERR {self.server.config.shard} takes no data of {source}-{number}")
        try:
            commands = whole_commands(stream, "the data of a migration")
        except RecordError as error:
            return ErrorReply(f"ERR {error}")
        for argv in commands:
            if not is_mutation_of(self.server.engine, argv, migration.slots):
                return ErrorReply(f"ERR {argv[0][:40]!r} is no mutation of the slots that move")
        self.server.repeat(commands, self.server.now_us)
        return OK

    # -- what the log is to be told ---------------------------------------------------------------------------------

    def due(self) -> Migration | None:
        """The step that is to be appended next, if there is one."""
        migration, demand = self.migration, self.demand
        if self.unheard_of is not None and self._ownership.is_unheard_of(self.unheard_of[0]):
            return self.unheard_of[0]
        if migration is None:
            return self._first()
        verb = demand.verb if demand is not None and demand.is_about(migration) else ""
        match migration.phase:
            case Phase.BEGUN if verb == "ABANDON" or self.agrees is False or not self.hears_the_source:
                return migration.step(Phase.ABANDONED)
            case Phase.BEGUN if self.agrees:
                return migration.step(Phase.PREPARED)
            case Phase.PREPARED if verb == "COMMIT":
                return migration.step(Phase.COMMITTED)
            case Phase.PREPARED if verb == "ABANDON":
                return migration.step(Phase.ABANDONED)
            case Phase.COMMITTED:
                return migration.step(Phase.OVER)
            case Phase.ABANDONED if self.cleaning.is_done:
                return migration.step(Phase.OVER)
        return None

    def _first(self) -> Migration | None:
        """A migration begins."""
        demand = self.demand
        if demand is None or self._ownership.migration is not None or demand.number <= self._closed(demand.source):
            return None
        return self._step(Phase.BEGUN, demand) if self.hears_the_source else None

    def _step(self, phase: Phase, demand: Demand) -> Migration:
        return Migration(phase, demand.number, demand.source, self.server.config.shard, demand.slots)

    @property
    def hears_the_source(self) -> bool:
        return self.connection in self.server.clients

    def entered(self, now: int) -> Effects:
        """A step of it is in the log."""
        migration = self.migration
        if migration is None:
            return
        closed = migration.phase in (Phase.COMMITTED, Phase.ABANDONED)
        self._reports.append((self.connection, migration.number, CLOSED if closed else migration.phase.value))
        if migration.phase is Phase.ABANDONED:
            self.cleaning = Cleaning(self.server)
            lost = "the connection to the source was lost" if not self.hears_the_source else "the source says so"
            self.why = "the data have another checksum than at the source" if self.agrees is False else lost
        self.agrees = None
        yield from ()

    # -- in every turn -----------------------------------------------------------------------------------------------

    def act(self, now: int) -> Effects:
        """Compare the data, when the log has got all of it; and tell the source what the log has got."""
        migration, demand = self.migration, self.demand
        if (
            migration is not None
            and migration.phase is Phase.BEGUN
            and demand is not None
            and demand.verb == "PREPARE"
            and demand.executed <= self.server.behind.committed
            and self.agrees is None
        ):
            found, count = checksum_of(self.server.engine, migration.slots, demand.passed_ms)
            yield Compute("replay", count)
            self.agrees = found == demand.checksum
        if self.unheard_of is not None and not self._ownership.is_unheard_of(self.unheard_of[0]):
            end, connection = self.unheard_of
            if end.number <= self._closed(end.source):
                self._reports.append((connection, end.number, CLOSED))
            self.unheard_of = None
        reports, self._reports = self._reports, []
        for connection, number, word in reports:
            if connection in self.server.clients:
                client = self.server.clients[connection]
                yield Send(connection, encode([b"migration", number, word.encode()], client.protocol))

    def clean(self, now: int) -> None:
        """Ten times a second: delete a few of the keys that have come in vain."""
        migration = self.migration
        if migration is not None and migration.phase is Phase.ABANDONED:
            self.cleaning.go_on(migration.slots, now)
