"""Which writes are where in a room of several servers: journals made by hand, so that nothing else can be wrong."""

from __future__ import annotations

from typing import Any

import pytest

from durable_redis.contract import Note, Rename, Send
from durable_redis.lab.histories import Histories, History, Write, common, fork
from durable_redis.lab.ledger import FAILOVER, Books, Discard, Ledger, Marks
from durable_redis.redis.config import Config
from durable_redis.sim.faults import Crashed
from durable_redis.sim.journal import Step
from durable_redis.sim.machine import Machine


class Room:
    """Three servers that nobody runs: their ledgers read what the test says happened."""

    def __init__(self, **config: Any) -> None:
        self.books = Books()
        self.step = 0
        for name in ("n1", "n2", "n3"):
            machine = Machine(name, "a", lambda random: None, 0)  # type: ignore[arg-type, return-value]
            machine.process = object()  # type: ignore[assignment]  # it is up, and nothing is asked of it
            self.books.open(machine, Config.of(**config))
        self.commands = 0

    def __getitem__(self, name: str) -> Ledger:
        return self.books.ledgers[name]

    def happens(self, node: str, what: object, task: str = "main") -> None:
        self.step += 1
        self[node].read(self.step, Step(self.step, node, task, what))

    def note(self, node: str, kind: str, **facts: Any) -> None:
        self.happens(node, Note(kind, {"incr": 0, "end": 0, **facts}))

    def starts(self, node: str, replid: str, offset: int = 0, incr: int = 0, end: int = 0) -> None:
        self.note(node, "ready", replid=replid, offset=offset, incr=incr, end=end)

    def write(self, node: str, replid: str, offset: int, *, answered: bool = True, incr: int = 0, end: int = 0) -> None:
        self.commands += 1
        self.note(
            node, "executed", connection="c", command=self.commands, replid=replid, offset=offset, incr=incr, end=end
        )
        if answered:
            self.happens(node, Send("c", b"+OK\r\n"))

    def held(self, node: str) -> list[int]:
        return [write.command for write in self[node].writes]


def primary_with_replicas() -> Room:
    """n1 has executed writes 1 to 5, ending at offsets 10 to 50; n2 has applied 3 of them, n3 one."""
    room = Room()
    for node, replid in (("n1", "A"), ("n2", "x"), ("n3", "y")):
        room.starts(node, replid)
    for node in ("n2", "n3"):
        room.note(node, "synced", how="full", primary="n1", replid="A", offset=0)
    for offset in (10, 20, 30, 40, 50):
        room.write("n1", "A", offset)
    room.note("n2", "applied", replid="A", offset=39)
    room.note("n3", "applied", replid="A", offset=10)
    return room


def test_a_replica_holds_what_ends_by_its_offset() -> None:
    room = primary_with_replicas()
    assert [room.held(node) for node in ("n1", "n2", "n3")] == [[1, 2, 3, 4, 5], [1, 2, 3], [1]]
    assert room["n2"].acknowledged == [0, 1, 2], "an OK counts wherever the write is"
    assert room["n1"].at_risk(room["n1"].marks()) == {
        "process kill": 5, "power loss": 5, "disk loss": 5, FAILOVER: 2,
    }  # fmt: skip
    room["n2"].machine.process = None
    assert room["n1"].at_risk(room["n1"].marks())[FAILOVER] == 4, "n3 is the best that is left"


def test_an_ok_that_comes_after_the_replica_has_it_counts_there_too() -> None:
    room = primary_with_replicas()
    room.write("n1", "A", 60, answered=False)
    room.note("n2", "applied", replid="A", offset=60)
    assert room["n2"].acknowledged == [0, 1, 2, 3, 4]
    room.happens("n1", Send("c", b"+OK\r\n"))
    assert room["n2"].acknowledged == room["n1"].acknowledged == [0, 1, 2, 3, 4, 5]


def test_a_promotion_forks_the_history_and_the_fork_is_what_decided() -> None:
    room = primary_with_replicas()
    room.note("n2", "role", role="primary", primary="", replid="B", replid2="A", second_offset=40, offset=39)
    room.write("n1", "A", 60)  # n1 is not dead: a split brain
    room.write("n2", "B", 60)
    new, writes = room.books.histories.get("B"), room.books.writes
    assert [write.command for write in new.writes] == [1, 2, 3, 7]
    assert [fork(writes["c", number], new) for number in (1, 3, 7)] == [None] * 3
    assert {fork(writes["c", number], new) for number in (4, 5, 6)} == {new}
    assert (new.node, new.why, new.shared) == ("n2", "promotion", 3)
    assert room["n1"].at_risk(room["n1"].marks())[FAILOVER] == 3, "they are doomed already"


def test_a_full_sync_throws_away_what_the_others_never_had() -> None:
    room = primary_with_replicas()
    room.note("n2", "role", role="primary", primary="", replid="B", replid2="A", second_offset=40, offset=39)
    room.write("n2", "B", 60)
    room.note("n1", "synced", how="full", primary="n2", replid="B", offset=60)
    assert room.held("n1") == [1, 2, 3, 6]
    assert room["n1"].discarded == {("c", 4): Discard(room.step, "n2"), ("c", 5): Discard(room.step, "n2")}
    room.note("n3", "synced", how="partial", primary="n2", replid="B", offset=10)
    room.note("n3", "applied", replid="B", offset=60)
    assert room.held("n3") == [1, 2, 3, 6], "it went on from where it was, under the new name"
    assert room["n1"].acknowledged == [0, 1, 2, 3]


def test_an_empty_primary_makes_its_replicas_empty() -> None:
    """Persistence off, and restarted by a supervisor: what the replicas had is thrown away."""
    room = primary_with_replicas()
    room.happens("n1", Crashed("n1", "process kill"))
    crash = room.step
    room.note("n1", "role", role="primary", primary="", replid="C", replid2="A", second_offset=1, offset=0)
    room.starts("n1", "C")
    room.note("n2", "synced", how="full", primary="n1", replid="C", offset=0)
    assert room.held("n1") == room.held("n2") == []
    empty = room.books.histories.get("C")
    assert fork(room.books.writes["c", 2], empty) is empty
    assert (empty.why, empty.node) == ("restart", "n1")
    assert room["n1"].lost_in["c", 2].crash_step == crash
    assert room["n2"].discarded["c", 2].primary == "n1"
    assert ("c", 4) not in room["n2"].discarded, "that one it never had"


def test_a_log_that_still_tells_the_old_story_is_found_by_a_restart() -> None:
    """After a full sync the log begins anew; until then a crash brings back what the replica had before."""
    room = Room(appendonly=True)
    room.starts("n1", "A")
    room.starts("n2", "B", incr=1)
    room.write("n2", "B", 10, incr=1, end=40)
    room.write("n2", "B", 20, incr=1, end=80)
    room.write("n1", "A", 10)
    room.note("n2", "synced", how="full", primary="n1", replid="A", offset=10, incr=2)
    assert room.held("n2") == [3]
    room.happens("n2", Crashed("n2", "process kill"))
    room.starts("n2", "D", incr=1, end=80)
    assert room.held("n2") == [1, 2]
    room.note("n2", "synced", how="full", primary="n1", replid="A", offset=10, incr=3)
    room.happens("n2", Crashed("n2", "process kill"))
    room.starts("n2", "E", incr=3, end=5)
    assert room.held("n2") == [3], "now the new log was there"


def test_until_the_new_log_is_there_the_old_one_counts_as_far_as_both_agree() -> None:
    room = Room(appendonly=True)
    room.starts("n1", "A")
    for offset in (10, 20, 30):
        room.write("n1", "A", offset)
    room.starts("n2", "x", incr=1)
    room.note("n2", "synced", how="full", primary="n1", replid="A", offset=0, incr=1)
    room.note("n2", "applied", replid="A", offset=20, incr=1, end=80)
    disk = room["n2"].machine.disk
    disk.write("appendonlydir/appendonly.aof.manifest", b"file a.1.incr.aof seq 1 type i\n")
    disk.write("appendonlydir/a.1.incr.aof", b"x" * 80)
    room.note("n2", "synced", how="full", primary="n1", replid="A", offset=30, incr=2)
    assert room["n2"].marks() == Marks(executed=3, written=2)
    disk.write_back()
    assert room["n2"].marks() == Marks(executed=3, written=2, platter=2)
    disk.write("appendonlydir/appendonly.aof.manifest", b"file a.2.incr.aof seq 2 type i\n")
    disk.write("appendonlydir/a.2.incr.aof", b"")
    assert room["n2"].marks() == Marks(executed=3, written=3, platter=2)


def test_the_primarys_snapshot_is_the_replicas_own_from_then_on() -> None:
    room = primary_with_replicas()
    disk = room["n2"].machine.disk
    for told in (True, False):
        disk.write("temp-sync.rdb", b"REDIS")
        disk.rename("temp-sync.rdb", "dump.rdb")
        room.happens("n2", Rename("temp-sync.rdb", "dump.rdb"))
        if told:
            room.note("n2", "synced", how="full", primary="n1", replid="A", offset=40)
            room.note("n2", "applied", replid="A", offset=50)
            assert room["n2"].marks() == Marks(executed=5, snapshot=4), "what came later is not in that file"
        room.happens("n2", Crashed("n2", "process kill"))
        room.starts("n2", "A", offset=40 if told else 50)
        assert room.held("n2") == ([1, 2, 3, 4] if told else [1, 2, 3, 4, 5])


@pytest.mark.parametrize(("left", "right", "shared"), [("", "abc", 0), ("abc", "abc", 3), ("abx", "abyz", 2)])
def test_common_finds_the_last_write_that_two_data_sets_share(left: str, right: str, shared: int) -> None:
    history = History("A", "n1", 1)
    known = {name: Write("c", place, "n1", (0, 0), 1, history) for place, name in enumerate("abcxyz")}
    assert common([known[name] for name in left], [known[name] for name in right]) == shared


def test_a_write_of_a_branch_that_left_later_has_no_fork() -> None:
    """n1 is asked again, though n2 had been promoted meanwhile: n1's history is an ancestor."""
    histories = Histories()
    root = histories.begin("A", "n1", 1, "boot", [], None, 0)
    branch = histories.begin("B", "n2", 2, "promotion", [], root, 0)
    write = Write("c", 1, "n2", (0, 0), 3, branch)
    branch.add(write, 10)
    assert fork(write, root) is None
    assert not root.holds(write)
