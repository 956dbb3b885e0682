"""The named scenarios of a log that three zones keep: MemoryDB, and ElastiCache with `durability`.

Where a mechanism is the point, the scenario without it is a node with just that mechanism broken (`memorydb.bugs`), and
its remedy is the same without the bug.
"""

from __future__ import annotations

from durable_redis.lab.named import Named

_LOGS = "['log-a', 'log-b', 'log-c']"
_DIRTY_READ = (
    "write(1, key='x', value='old')",
    f"partition(['n1'], {_LOGS}, at_ms=2000)",
    "write(1, key='x', value='new', client='client1')",
    "play(2010)",
    "read(1, key='x', client='client2')",
    "play(2100)",
    "crash('n1', 'power loss')",
    "play(8000)",
    "read(2, every_ms=1500, key='x', client='client2')",
    "play(12000)",
)
_OUT_OF_REACH = (
    "write(1, key='x', value='old')",
    "partition(['n1', 'client1'], ['log-a', 'log-b', 'log-c', 'n2', 'n3', 'client2'], at_ms=2000)",
    "read(300, every_ms=20, key='x', client='client1')",
    "write(60, every_ms=100, key='x', value='new{n}', client='client2')",
    "play(9000)",
    "heal_network()",
    "play(12000)",
)
_PAUSED = (
    "write(1, key='x', value='old')",
    "pause('n1', 6000, at_ms=2000)",
    "write(60, every_ms=100, key='x', value='new{n}', client='client2')",
    "play(8500)",
    "command('GET', 'x', node='n1')",
    "play(12000)",
)
_ONLY_PAUSED = (
    "write(120, every_ms=50, key='a{n}', client='client1')",
    "pause('n1', 3500, at_ms=2000)",
    "play(5500)",
    "write(40, every_ms=50, key='b{n}', client='client2')",
    "play(16000)",
)
_NO_ANSWER = (
    "write(20, every_ms=10)",
    "play(1500)",
    "partition(['n1'], ['log-a', 'log-b', 'log-c'])",
    "write(1, key='x', value='new')",
    "play(2700)",
    "crash('n1', 'power loss')",
    "play(9000)",
)
_ASKED_AGAIN = (
    "work(1, command='INCR visits')",
    "play(1500)",
    "cut('log-b', 'n1', both=False)",
    "work(1, command='INCR visits')",
    "crash('log-b', 'power loss', at_ms=1600)",
    "play(4000)",
    "crash('n1', 'power loss')",
    "play(10000)",
)
"""The leader of the log, log-b with seed 7, takes an append, and its answer does not arrive; n1 asks another one."""
_LAGGING = (
    f"partition(['n3'], {_LOGS}, at_ms=1000)",
    "write(50, every_ms=10)",
    "play(2000)",
    "crash('n1', 'power loss')",
    "crash('n2', 'power loss')",
    "play(9000)",
    "heal_network()",
    "play(15000)",
)
_TWO_CANDIDATES = ("write(300, every_ms=10)", "crash('n1', 'power loss', at_ms=2000)", "play(9000)")
_EVERYBODY = (
    "write(100, every_ms=10)",
    "play(2000)",
    "crash('n1', 'disk loss')",
    "crash('n2', 'disk loss')",
    "crash('n3', 'disk loss')",
    "restart('n1')",
    "restart('n2')",
    "restart('n3')",
    "play(20000)",
)
_STALLED = (
    "write(300, every_ms=100)",
    "pause('log-a', 12000, at_ms=5000)",
    "pause('log-b', 12000)",
    "pause('log-c', 12000)",
    "play(16500)",
    "crash('n1', 'power loss')",
    "play(40000)",
)
_SILENT = (
    "write(600, every_ms=10)",
    "pause('log-a', 4000, at_ms=2000)",
    "pause('log-b', 4000)",
)

LOGGED = (
    Named(
        "dirty-read-without-a-tracker",
        "MemoryDB(replicas=1, clients=2, bug='no tracker')",
        _DIRTY_READ,
        "A reader is told a value that the log has not got; the primary dies, and with it the value.",
        "MemoryDB paper, 3.2",
        remedy="dirty-read-with-a-tracker",
    ),
    Named(
        "dirty-read-with-a-tracker",
        "MemoryDB(replicas=1, clients=2)",
        _DIRTY_READ,
        "The same with the tracker: the reader's answer waits, as the writer's does, and nobody sees what never was.",
        "MemoryDB paper, 3.2",
    ),
    Named(
        "log-out-of-reach-without-a-lease",
        "MemoryDB(replicas=2, clients=2, bug='no lease')",
        _OUT_OF_REACH,
        "A primary does not reach the log and goes on answering reads, while another one has been elected and writes.",
        "MemoryDB paper, 4.1.3",
        remedy="log-out-of-reach",
    ),
    Named(
        "log-out-of-reach",
        "MemoryDB(replicas=2, clients=2)",
        _OUT_OF_REACH,
        "The same with the lease: it stops when its lease ends, and only then may another one begin.",
        "MemoryDB paper, 4.1.3",
    ),
    Named(
        "clock-set-back-during-a-lease",
        "MemoryDB(replicas=2, clients=2)",
        ("skew('n1', -5000, at_ms=1990)", *_OUT_OF_REACH),
        "The same, and somebody sets the primary's clock back: its lease lasts longer, and it answers what is old.",
        "MemoryDB paper, 4.1.3: leases are kept apart by clocks that run equally fast",
        remedy="log-out-of-reach",
    ),
    Named(
        "paused-primary-appends-anyway",
        "MemoryDB(replicas=2, clients=2, bug='append behind anything')",
        _PAUSED,
        "A primary stands still, is replaced, wakes, and appends behind entries that it has never seen.",
        "MemoryDB paper, 4.1.2",
        remedy="paused-primary",
    ),
    Named(
        "paused-primary",
        "MemoryDB(replicas=2, clients=2)",
        _PAUSED,
        "The same with the condition: its append meets the entry of its successor, and no reply is sent.",
        "MemoryDB paper, 4.1.2",
    ),
    Named(
        "check-apply-serve",
        "MemoryDB(replicas=1, clients=2, bug='check, apply, serve', least_bytes=1000000)",
        _ONLY_PAUSED,
        "A replica misses the primary, reads the log to its end and serves; the primary wakes, and serves and appends.",
        "hidetatz, 'How Amazon MemoryDB for Redis ensures durability', as the author's guess",
        remedy="catch-up-first",
    ),
    Named(
        "catch-up-first",
        "MemoryDB(replicas=1, clients=2, least_bytes=1000000)",
        _ONLY_PAUSED,
        "The same, where a replica that has seen the tail must append behind it before it serves.",
        "MemoryDB paper, 4.1.2",
    ),
    Named(
        "no-answer-taken-for-yes",
        "MemoryDB(replicas=1, bug='unknown is taken for done')",
        _NO_ANSWER,
        "The log does not answer for a second; the primary says OK all the same, and the record has never arrived.",
        "MemoryDB paper, 3.2",
        remedy="no-answer",
    ),
    Named(
        "no-answer",
        "MemoryDB(replicas=1)",
        _NO_ANSWER,
        "The same, honestly: the client gets no answer, and does not know.",
        "MemoryDB paper, 3.2",
    ),
    Named(
        "no-answer-but-done",
        "MemoryDB(replicas=1)",
        (
            "write(20, every_ms=10)",
            "play(1500)",
            "cut('log-a', 'n1', both=False)",
            "cut('log-b', 'n1', both=False)",
            "cut('log-c', 'n1', both=False)",
            "write(1, key='x', value='new')",
            "play(2700)",
            "crash('n1', 'power loss')",
            "play(9000)",
        ),
        "Only the answer is lost: the client does not know either, and here the write has happened.",
        "MemoryDB paper, 3.2",
    ),
    Named(
        "answer-lost-append-twice",
        "MemoryDB(replicas=1, bug='append twice')",
        _ASKED_AGAIN,
        "The log's answer is lost, and the record is appended once more: the primary has counted to 2, its heir to 3.",
        "MemoryDB paper, 4.1.1: an append names the entry that it must follow",
        remedy="answer-lost",
    ),
    Named(
        "answer-lost",
        "MemoryDB(replicas=1)",
        _ASKED_AGAIN,
        "The same with a token that goes with every retry: the log finds that it has this entry already.",
        "MemoryDB paper, 4.1.1",
    ),
    Named(
        "lagging-heir-leads-unread",
        "MemoryDB(replicas=2, bug='election without catching up')",
        _LAGGING,
        "Of three nodes one is left, which has nothing: it puts its claim behind entries that it has not read.",
        "MemoryDB paper, 4.1.2; the same faults as in wait-and-the-wrong-heir",
        remedy="lagging-heir",
    ),
    Named(
        "lagging-heir",
        "MemoryDB(replicas=2)",
        _LAGGING,
        "The same with the condition: it cannot lead before it has read everything in the log.",
        "MemoryDB paper, 4.1.2; the same faults as in wait-and-the-wrong-heir",
    ),
    Named(
        "two-candidates-append-anyway",
        "MemoryDB(replicas=2, backoff_jitter_ms=0, bug='append behind anything')",
        _TWO_CANDIDATES,
        "Two replicas campaign in one moment: the log takes both entries, one behind the other, and both lead.",
        "MemoryDB paper, 4.1.2",
        remedy="two-candidates",
    ),
    Named(
        "two-candidates",
        "MemoryDB(replicas=2, backoff_jitter_ms=0)",
        _TWO_CANDIDATES,
        "The same with the condition: both have seen everything, and the log takes one of the two entries.",
        "MemoryDB paper, 4.1.2",
    ),
    Named(
        "every-disk-dies",
        "ReplicatedRedis(replicas=2, sentinels=3, save=(), appendonly=True, appendfsync='always')",
        _EVERYBODY,
        "Three nodes, three logs synced before each OK, and three machines that are replaced: everything is gone.",
        "docs.aws.amazon.com, ElastiCache, 'Minimizing downtime in ElastiCache with Multi-AZ'",
        remedy="every-disk-dies-but-those-of-the-log",
    ),
    Named(
        "every-disk-dies-but-those-of-the-log",
        "MemoryDB(replicas=2)",
        _EVERYBODY,
        "The same where the log is elsewhere: the new nodes read it, and have everything.",
        "docs.aws.amazon.com, MemoryDB, 'Minimizing downtime with Multi-AZ'",
    ),
    Named(
        "two-log-zones-die",
        "MemoryDB(replicas=2)",
        (
            "write(400, every_ms=10)",
            "crash('log-a', 'power loss', at_ms=2000)",
            "crash('log-b', 'power loss')",
            "play(7000)",
            "restart('log-a')",
            "restart('log-b')",
            "play(20000)",
        ),
        "Without a majority of the log nobody is told OK, and nothing is lost; when it is back, so is the service.",
        "MemoryDB paper, 3.1",
    ),
    Named(
        "stalled-log-async",
        "ElastiCache(durability='async')",
        _STALLED,
        "The log stands still: after 10 s writes are refused, and the crash takes no more than those 10 s.",
        "docs.aws.amazon.com, ElastiCache, 'Durability options'",
        remedy="stalled-log-sync",
    ),
    Named(
        "stalled-log-sync",
        "ElastiCache(durability='sync')",
        _STALLED,
        "The same with the other rule for the reply: no OK while the log stands still, and nothing is lost.",
        "docs.aws.amazon.com, ElastiCache, 'Durability options'",
    ),
    Named(
        "silent-log-async",
        "ElastiCache(durability='async')",
        (*_SILENT, "play(14000)"),
        "The log stands still for 4 s and nobody dies: the replicas wait for the primary to log it all.",
        "the model's own rule: a backoff begins anew after a silence of the log",
    ),
    Named(
        "silent-log-async-and-a-death",
        "ElastiCache(durability='async')",
        (*_SILENT, "crash('n1', 'process kill', at_ms=5900)", "play(14000)"),
        "The same, and the primary dies before the log is back: what it had answered meanwhile was nowhere else.",
        "docs.aws.amazon.com, ElastiCache, 'Durability options'",
        remedy="silent-log-async",
    ),
    Named(
        "newer-engine",
        "MemoryDB(replicas=1, engine_versions={'n1': '7.1.0'})",
        (
            "write(50, every_ms=10)",
            "crash('n1', 'power loss', at_ms=2000)",
            "play(20000)",
            "restart('n1')",
            "play(30000)",
        ),
        "The old engine does not lead with a log that it may misread: nobody does, until the new one is back.",
        "MemoryDB paper, 7.1",
        remedy="newer-engine-replicas-first",
    ),
    Named(
        "newer-engine-replicas-first",
        "MemoryDB(replicas=1, engine_versions={'n2': '7.1.0'})",
        ("write(50, every_ms=10)", "crash('n1', 'power loss', at_ms=2000)", "play(20000)"),
        "The same upgrade in the right order: the replica reads what the old engine has written, and takes over.",
        "MemoryDB paper, 7.1",
    ),
)
