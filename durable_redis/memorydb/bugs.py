"""MemoryDB with one mechanism broken each, for whoever wants to see what that mechanism is for.

The law of this file: a bug is one part with one method overridden (or two that make one mistake), put in the place of
the good one; the good one knows nothing of it.  Each is a mistake that somebody could make, and that a test with a
friendly network would not find.

    dr.MemoryDB(replicas=1, bug="no tracker").start()
    dr.bugs("no tracker")                                 # how many random runs does it take to see it?

What is broken, and how, is in `planted`.
"""

from __future__ import annotations

from typing import NamedTuple

from durable_redis.memorydb.log import LogClient, LogNode
from durable_redis.memorydb.planted import elections, logs, nodes, slots, snapshots
from durable_redis.memorydb.server import MemoryDBServer
from durable_redis.memorydb.snapshotter import Snapshotter


class Bug(NamedTuple):
    """What is wrong, in a sentence; with what part; and who does it: a node, its way to the log, a snapshotter, or a
    replica of the log."""

    sentence: str
    part: str
    node: type[MemoryDBServer] = MemoryDBServer
    log_client: type[LogClient] = LogClient
    snapshotter: type[Snapshotter] = Snapshotter
    log_node: type[LogNode] = LogNode


NO_BUG = Bug("Nothing is wrong.", "")

BUGS = {
    "answers before the commit": Bug("A reply leaves at once, as in Redis.", "reply", nodes.AnswersAtOnce),
    "no tracker": Bug("A write waits for the log, and a read of what it wrote does not.", "reply", nodes.ReadsAtOnce),
    "unknown is taken for done": Bug(
        "When the log does not answer in time, the writer is told OK.", "reply", nodes.BelievesInTheBest
    ),
    "buffer without bound": Bug(
        'With durability "async", writes are taken however long the log has got none.', "reply", nodes.BuffersForEver
    ),
    "reads while recovering": Bug(
        "A node that recovers answers who has said READONLY, before it has applied the log.",
        "reply",
        nodes.ReadsWhileItRecovers,
    ),
    "no lease": Bug("A leader serves until the log contradicts it.", "lease", nodes.LeadsForEver),
    "lease from the answer": Bug(
        "The lease is counted from the log's answer, not from the question.", "lease", nodes.LeasesTooLong
    ),
    "backoff shorter than the lease": Bug(
        "A replica campaigns while the leader's lease may hold.", "lease", nodes.CampaignsTooSoon
    ),
    "append behind anything": Bug(
        "After a conflict, the same entry is sent again behind the tail.", "append", nodes.AppendsBehindAnything
    ),
    "append twice": Bug(
        "When the log does not answer, the record is sent again as another one, behind whatever is there.",
        "append",
        nodes.AppendsBehindAnything,
        log_client=nodes.RetriesAsIfNew,
    ),
    "no rollback": Bug(
        "A deposed leader keeps what it had executed and not logged.", "append", nodes.KeepsWhatNeverHappened
    ),
    "election without catching up": Bug(
        "A candidate that meets entries which it has not read puts its claim behind them, and leads.",
        "election",
        elections.LeadsWithoutHavingRead,
    ),
    "check, apply, serve": Bug(
        "Who misses the leader reads the log to its end and serves, and no entry of the log says so.",
        "election",
        elections.ServesWithoutAsking,
    ),
    "slots decided in memory": Bug(
        "Two primaries agree on who has a slot, and neither tells its log.", "slots", slots.MovesSlotsByWordOfMouth
    ),
    "writes to slots that go": Bug(
        "Slots that are handed over take writes until the decision is made.", "slots", slots.WritesToSlotsThatGo
    ),
    "promise taken for the commit": Bug(
        "The target serves the slots as soon as it has promised to take them.", "slots", slots.ServesOnThePromise
    ),
    "promise without the source": Bug(
        "A target that has promised to take slots gives them up when it does not hear their source any more.",
        "slots",
        slots.BreaksThePromise,
    ),
    "snapshot without verification": Bug(
        "A snapshot is released as soon as it is uploaded, unread, and takes the place of all others.",
        "snapshot",
        snapshotter=snapshots.ReleasesUnread,
    ),
    "snapshot of a wrong prefix": Bug(
        "A snapshot lacks the last entry up to which its label says it goes.",
        "snapshot",
        snapshotter=snapshots.MissesTheLast,
    ),
    "trim ahead of the snapshot": Bug(
        "The log is trimmed when the snapshot is dumped, not when it is released.",
        "snapshot",
        snapshotter=snapshots.TrimsAhead,
    ),
    "the log answers alone": Bug(
        "The log's leader answers an append when it has the entry itself.", "log", log_node=logs.AnswersForAll
    ),
    "the log forgets tokens": Bug(
        "An append that is asked for again is put into the log again.", "log", log_node=logs.AppendsTwice
    ),
    "the log votes for anybody": Bug(
        "A replica of the log votes for a candidate whose log is shorter than its own.",
        "log",
        log_node=logs.ElectsTheForgetful,
    ),
    "the log does not sync": Bug(
        "A replica of the log says that it has an entry when that is in its page cache.",
        "log",
        log_node=logs.KeepsInTheCache,
    ),
    "write past a torn tail": Bug(
        "A replica of the log writes on behind a torn tail, and its next start reads only up to that.",
        "log",
        log_node=logs.ReadsUpToTheTear,
    ),
}
"""By the name that a deployment is given."""
