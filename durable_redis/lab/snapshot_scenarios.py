"""The named scenarios of snapshots: what a fork costs where clients are served, and what a snapshot is worth unread.

In the scenarios of the fork each byte stands for 250,000: a fork costs what it does with so much more memory, at 12 ms
a gigabyte (MemoryDB paper, section 6.2.1), so that a few hundred keys make the pause of a large server.

In those of the store, the way from the snapshotter to it is slow, so that between the moment at which a snapshot is
uploaded, and the one at which it is read again, there is time for something to go wrong.  The shard has one node, and
that is all its nodes.  One that cannot recover goes on trying, and who restarts it waits for that a minute: hence the
long times.
"""

from __future__ import annotations

from durable_redis.lab.named import Named

_LARGE = "hardware={'fork_ns_per_mib': 3000000000}"
_SNAPSHOT_MADE = (
    "play(2000)",
    "write(400, every_ms=10, key='k{n}', value='value of {n}')",
    "play(5000)",
)
_UPLOAD = (
    "write(100, every_ms=20, key='k{n}', value='value of {n}')",
    "delay('snapshotter', 's3', 300)",
)
_EVERY_NODE = ("crash('n1', 'power loss')", "restart('n1')", "play(70000)")
_ROT = ("bit_rot('s3', 'objects/s1%2Fsnapshots%2F*', 300, at_ms=2800)", "play(6000)")
_SNAPSHOTTER_DIES = ("crash('snapshotter', 'power loss', at_ms=2500)", "play(6000)")
_TWO_MADE = (
    "write(200, every_ms=20, key='k{n}', value='value of {n}')",
    "play(8000)",
    "bit_rot('s3', 'objects/s1%2Fsnapshots%2F*', 300)",
)

OFF_BOX = (
    Named(
        "fork-where-clients-are-served",
        f"Redis(save=(), {_LARGE})",
        (*_SNAPSHOT_MADE, "command('BGSAVE', node='n1')", "play(8000)"),
        "BGSAVE forks: while the page table is copied, the one thread does nothing else, and everybody waits.",
        "MemoryDB paper, 6.2.1, figure 6 (a spike of 67 ms)",
        remedy="snapshot-off-the-box",
    ),
    Named(
        "snapshot-off-the-box",
        f"MemoryDB(replicas=1, {_LARGE})",
        (*_SNAPSHOT_MADE, "command('SNAPSHOT', node='snapshotter')", "play(8000)"),
        "The same writes while another machine makes the snapshot, from the log: nobody waits for it.",
        "MemoryDB paper, 4.2.2 and 6.2, figure 7",
    ),
    Named(
        "rotten-snapshot-unread",
        "MemoryDB(replicas=0, least_bytes=8000, bug='snapshot without verification')",
        (*_UPLOAD, *_ROT, *_EVERY_NODE),
        "One bit of a snapshot turns over; it is released unread, what it holds leaves the log, and no node recovers.",
        "MemoryDB paper, 7.2.1",
        remedy="rotten-snapshot",
    ),
    Named(
        "rotten-snapshot",
        "MemoryDB(replicas=0, least_bytes=8000)",
        (*_UPLOAD, *_ROT, *_EVERY_NODE),
        "The same bit, and the snapshot is read once before it counts: it is given up, and the next one is good.",
        "MemoryDB paper, 7.2.1",
    ),
    Named(
        "snapshot-of-a-wrong-prefix",
        "MemoryDB(replicas=0, least_bytes=8000, bug='snapshot of a wrong prefix')",
        (*_UPLOAD, "play(6000)", *_EVERY_NODE),
        "Every snapshot lacks one entry: its bytes are good, the log's running checksum is another, none is released.",
        "MemoryDB paper, 7.2.1",
    ),
    Named(
        "released-snapshot-rots",
        "MemoryDB(replicas=0, least_bytes=8000)",
        (*_TWO_MADE, *_EVERY_NODE),
        "It was good when it was released.  The one before it is still there, and so is the log behind that.",
        "the model's own: how long MemoryDB keeps its log is not published",
    ),
    Named(
        "log-trimmed-ahead-of-the-snapshot",
        "MemoryDB(replicas=0, least_bytes=8000, bug='trim ahead of the snapshot')",
        (*_UPLOAD, *_SNAPSHOTTER_DIES, *_EVERY_NODE),
        "The log is trimmed when the snapshot is made; it never arrives, and no node recovers.",
        "MemoryDB paper, 4.2; when the log is trimmed is not published",
        remedy="log-trimmed-behind-the-snapshot",
    ),
    Named(
        "log-trimmed-behind-the-snapshot",
        "MemoryDB(replicas=0, least_bytes=8000)",
        (*_UPLOAD, *_SNAPSHOTTER_DIES, *_EVERY_NODE),
        "The same, and nothing is trimmed that no released snapshot has: the log alone gives everything back.",
        "MemoryDB paper, 4.2; when the log is trimmed is not published",
    ),
)
