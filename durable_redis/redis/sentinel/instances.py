"""What one sentinel believes of the others: the servers (from their INFO), and its fellow sentinels (from their words).

All of it may be wrong or old: beliefs carry the time at which they were formed, and whoever acts on one looks at that
time first.  `read_info` turns the text of INFO into a `Report`; nothing that a server can send makes it raise.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from durable_redis.formats.resp import strict_integer
from durable_redis.redis.sentinel.links import Link

PRIMARY, REPLICA = "primary", "replica"
_ROLES = {b"master": PRIMARY, b"slave": REPLICA}


class Instance:
    """A process that this sentinel talks to."""

    def __init__(self, name: str, now: int) -> None:
        self.name = name
        self.link = Link(name, now)
        self.run_id = ""  # changes when the process restarts (a server), or loses its disk (a sentinel)
        self.down = False  # subjectively: this sentinel finds it down ...
        self.down_since_us = 0  # ... since, or when it last did; 0: it never did


class Reconfiguration(enum.Enum):
    """How far a replica is with following the new primary of a failover."""

    NONE = "none"
    SENT = "sent"  # it was told
    IN_PROGRESS = "in progress"  # it says that it follows the new primary, its link is not up yet
    DONE = "done"  # its link is up, or we stopped waiting for it


class Server(Instance):
    """A Redis server.  `role` and the rest are what it said of itself at `informed_us` (0: it never has)."""

    def __init__(self, name: str, role: str, now: int) -> None:
        super().__init__(name, now)
        self.role = role  # until it speaks: what it should be
        self.role_since_us = now
        self.informed_us = 0
        self.primary = ""  # the server that it follows
        self.primary_since_us = now
        self.link_up = False  # its link to that server
        self.link_down_us = 0  # for how long that link has been down
        self.priority = 100
        self.offset = 0
        self.reconfiguration = Reconfiguration.NONE
        self.reconfigured_us = 0  # when it was told to follow the new primary

    def learn(self, report: Report, now: int) -> bool:
        """Believe a report.  True: the server's run id is another one, so it has restarted since the last."""
        restarted = bool(self.run_id and report.run_id and self.run_id != report.run_id)
        self.informed_us = now
        self.run_id = report.run_id or self.run_id
        if report.role != self.role:
            self.role, self.role_since_us = report.role, now
        if report.primary != self.primary:
            self.primary, self.primary_since_us = report.primary, now
        self.link_up, self.link_down_us = report.link_up, report.link_down_us
        if report.role == REPLICA:  # an old primary that still believes to be one says nothing of how far it followed
            self.priority, self.offset = report.priority, report.offset
        return restarted


class Peer(Instance):
    """A fellow sentinel, and its last answer to SENTINEL IS-MASTER-DOWN-BY-ADDR."""

    def __init__(self, name: str, now: int) -> None:
        super().__init__(name, now)
        self.says_down = False
        self.vote = ""  # the run id of the sentinel that it voted for ...
        self.vote_epoch = 0  # ... in this epoch
        self.answered_us = 0
        self.greeted_us = 0  # when it was last sent a hello
        self.hello_us = now  # when it last sent one; until then: when it became known

    def forget_answer(self) -> None:
        self.says_down = False
        self.vote = ""


# ---------------------------------------------------------------------------------------------------------------------
# INFO
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Report:
    """What a sentinel takes from the text of INFO."""

    role: str
    run_id: str = ""
    replicas: tuple[str, ...] = ()  # of a primary: the names in its slaveN lines
    primary: str = ""  # of a replica: whom it follows
    link_up: bool = False
    link_down_us: int = 0
    priority: int = 100  # this and the offset: of a replica
    offset: int = 0


def read_info(text: object) -> Report | None:
    """The report in an answer to INFO; None if it is no such text, or does not say a role.

    Worked value: b"role:master\\r\\nslave0:ip=n2,port=6379,state=online,offset=7,lag=0\\r\\n" gives a primary with
    the replicas ("n2",).
    """
    text = getattr(text, "text", text)  # a RESP3 server answers a verbatim string
    if not isinstance(text, bytes):
        return None
    fields: dict[bytes, bytes] = {}
    for line in text.split(b"\n"):
        name, colon, value = line.strip().partition(b":")
        if colon:
            fields[name] = value
    role = _ROLES.get(fields.get(b"role", b""))
    if role is None:
        return None
    replica = role == REPLICA
    return Report(
        role=role,
        run_id=_word(fields.get(b"run_id", b"")),
        replicas=() if replica else tuple(_replicas(fields)),
        primary=_word(fields.get(b"master_host", b"")) if replica else "",
        link_up=replica and fields.get(b"master_link_status") == b"up",
        link_down_us=max(0, _number(fields, b"master_link_down_since_seconds", 0)) * 1_000_000 if replica else 0,
        priority=_number(fields, b"slave_priority", 100),
        offset=_number(fields, b"slave_repl_offset", 0) if replica else 0,
    )


def _replicas(fields: dict[bytes, bytes]) -> list[str]:
    names = []
    for name, value in fields.items():
        if name.startswith(b"slave") and name[5:].isdigit():
            pairs = dict(pair.partition(b"=")[::2] for pair in value.split(b","))
            names.append(_word(pairs.get(b"ip", b"")))
    return [name for name in dict.fromkeys(names) if name]


def _word(text: bytes) -> str:
    """A name as it can stand in a line of a file; empty if it cannot."""
    word = text.decode("ascii", "replace")
    return word if word.isascii() and word.isprintable() and " " not in word and "," not in word else ""


def _number(fields: dict[bytes, bytes], name: bytes, otherwise: int) -> int:
    number = strict_integer(fields.get(name, b""))
    return otherwise if number is None else number
