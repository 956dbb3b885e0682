"""A cluster of three primaries and three replicas in a machine room: who is suspected, elected, believed, and when."""

from __future__ import annotations

import pytest
from clustertools import TIMEOUT_S, Room

from durable_redis.formats.resp import OK, ErrorReply

CRON_S = 0.1


def test_a_killed_primary_is_replaced_within_the_expected_window() -> None:
    room = Room().run(4)
    room.crash("n1")
    begin = room.now_s
    suspected = room.run_until("pfail").at_s - begin
    # The last answer of n1 is up to half of NODE_TIMEOUT old; then a PING, and NODE_TIMEOUT without an answer.
    assert TIMEOUT_S - CRON_S <= suspected <= 1.5 * TIMEOUT_S + 2 * CRON_S
    failed = room.run_until("fail").at_s
    assert failed - begin <= suspected + 1.5, "the suspicion spreads with the heartbeats of a second"
    asked = room.run_until("asks for votes", "n4").at_s
    assert 0.5 <= asked - failed <= 1.0 + 2 * CRON_S
    elected = room.run_until("elected")
    assert elected.at_s - asked < 0.02, "a round trip and an fsync"
    assert (elected.node, elected["old"], elected["epoch"], sorted(elected["votes"])) == ("n4", "n1", 7, ["n2", "n3"])
    room.run(0.01)
    for name in room.names[1:]:
        assert room.cluster(name).membership.owner_of(0).name == "n4"  # type: ignore[union-attr]
        assert room.cluster(name).membership.current_epoch == 7


@pytest.mark.parametrize("kind", ["process kill", "power loss"])
def test_the_old_primary_comes_back_as_a_replica_of_the_winner(kind: str) -> None:
    room = Room().run(4)
    room.crash("n1", kind)
    room.run_until("elected")
    room.run(1).restart("n1")
    room.run(1.9)
    (learned,) = room.notes("slots", node="n1")
    assert (learned["owner"], learned["from"], learned["epoch"]) == ("n4", "n1", 7)
    view = room.server("n1").view()
    assert (view["slots"], view["epoch"], view["state"]) == ((), 7, "ok")
    assert room.ask("n1", "SET", "{3560}", "v") == ErrorReply("MOVED 0 n4:6379")
    served = [note.at_s for note in room.notes("cluster state", node="n1", since_s=5) if note["state"] == "ok"]
    assert served[0] >= learned.at_s, "it did not serve before it had learned"
    room.run(3)
    assert room.server("n2").view()["health"] == {}


def test_clients_are_told_where_to_go() -> None:
    room = Room().run(4)
    key = b"bar"  # slot 5061, of n1
    assert room.ask("n2", "GET", key) == ErrorReply("MOVED 5061 n1:6379")
    room.crash("n1")
    room.run_until("fail", "n2")
    room.run(0.01)
    assert room.ask("n2", "GET", key) == ErrorReply("CLUSTERDOWN The cluster is down")
    room.run_until("elected")
    room.run(0.01)
    assert room.ask("n2", "GET", key) == ErrorReply("MOVED 5061 n4:6379")
    assert room.ask("n4", "GET", key) is None


def test_without_full_coverage_the_other_slots_are_served_all_the_time() -> None:
    room = Room(cluster_require_full_coverage=False).run(4)
    room.crash("n1")
    since = room.now_s
    room.run_until("elected")
    assert not [note for note in room.notes("cluster state", since_s=since) if note["state"] == "fail"]
    assert room.ask("n2", "SET", "foo1", "v") == ErrorReply("MOVED 13431 n3:6379")
    assert room.ask("n3", "SET", "foo1", "v") == OK
