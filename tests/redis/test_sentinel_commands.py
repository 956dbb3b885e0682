"""What a sentinel answers: compared with a real Redis Sentinel, and looked at in the room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from realserver import RealServer, ServerBinary
from requirements import need
from sentineltools import ask, kill, node, room, run, story

from durable_redis.formats.resp import NULL_ARRAY, OK, ErrorReply, Map, Status
from durable_redis.redis.sentinel.hello import Hello
from durable_redis.redis.sentinel.memory import Memory

# ---------------------------------------------------------------------------------------------------------------------
# A real Sentinel, which monitors nothing that exists, beside two others that do not exist either
# ---------------------------------------------------------------------------------------------------------------------

RUN_ID = "8cdea4d7cf97e5600e4e3bbbefdf25e4eb1103ff"
OTHERS = {f"127.0.0.{i}": f"aaaa4d7cf97e5600e4e3bbbefdf25e4eb1103ff{i}"[-40:] for i in (2, 3)}
THE_FILE = Memory(RUN_ID, "127.0.0.9", 3, 4, 5, ["127.0.0.8"], OTHERS)
"""Written by our `memory`, read by the real one: addresses are names here."""


@pytest.fixture
def real_sentinel(real_servers: list[ServerBinary], tmp_path: Path) -> Iterator[RealServer]:
    """The system's own redis-server (7.0) as a Sentinel: its texts are those of the version that is modelled."""
    binary = next((binary for binary in real_servers if binary.name == "debian"), None)
    need(binary is not None, "no real Sentinel: the system has no redis-server")
    config = tmp_path / "sentinel.conf"
    config.write_bytes(THE_FILE.render("mymaster", 2) + b"sentinel down-after-milliseconds mymaster 1\n")
    assert binary is not None
    with RealServer(binary, "--sentinel", config=config) as server:
        yield server


def calm():
    """Our sentinels, all of which monitor n1 and nothing else."""
    return run(room(servers=1), 1_500)


@pytest.mark.parametrize(
    "command",
    [
        "PING",
        "PING hello",
        "PING a b",
        "ROLE",
        "ROLE x",
        "FOO a b",
        "GET a",
        "MULTI",
        "SENTINEL",
        "SENTINEL FOO",
        "SENTINEL MYID a",
        "SENTINEL MASTER x",
        "SENTINEL REPLICAS x",
        "SENTINEL SLAVES x",
        "SENTINEL SENTINELS x",
        "SENTINEL CKQUORUM",
        "SENTINEL CKQUORUM x",
        "SENTINEL FAILOVER x",
        "SENTINEL FAILOVER mymaster",
        "SENTINEL RESET x",
        "SENTINEL GET-MASTER-ADDR-BY-NAME",
        "SENTINEL GET-MASTER-ADDR-BY-NAME x",
        "SENTINEL IS-MASTER-DOWN-BY-ADDR a",
        "SENTINEL IS-MASTER-DOWN-BY-ADDR a x 0 *",
        "SENTINEL IS-MASTER-DOWN-BY-ADDR a 1 x *",
        "SENTINEL IS-MASTER-DOWN-BY-ADDR nobody 1 1 *",
        "SENTINEL IS-MASTER-DOWN-BY-ADDR nobody 1 9 aa",
        "PUBLISH a",
        "PUBLISH a b",
        "PUBLISH __sentinel__:hello b",
        "HELLO x",
        "HELLO 7",
        "HELLO 3 FOO",
    ],
)
def test_the_same_answer_as_a_real_sentinel(real_sentinel, command):
    [ours] = ask(calm(), "s1", command)
    assert ours == real_sentinel.execute(*command.split(" "))


def test_the_same_votes_as_a_real_sentinel(real_sentinel):
    """Both start with what the file says: the last vote was cast in epoch 4, for whom is forgotten; 5 was heard of."""
    world = calm()
    node(world, "s1").ballot.voted_epoch, node(world, "s1").ballot.epoch = 4, 5
    for epoch, candidate in [(3, "aa"), (4, "aa"), (5, "aa"), (5, "bb"), (4, "bb"), (7, "bb"), (6, "cc"), (8, "*")]:
        question = ["SENTINEL", "IS-MASTER-DOWN-BY-ADDR", "n1", "6379", str(epoch), candidate]
        [ours] = ask(world, "s1", " ".join(question))
        question[2] = "127.0.0.9"
        assert ours[1:] == real_sentinel.execute(*question)[1:], question


def test_a_real_sentinel_reads_our_file_and_our_hello(real_sentinel):
    def field(name: str) -> bytes:
        fields = real_sentinel.execute("SENTINEL", "MASTER", "mymaster")
        return fields[fields.index(name.encode()) + 1]

    assert real_sentinel.execute("SENTINEL", "MYID") == RUN_ID.encode()
    assert [field("config-epoch"), field("num-slaves"), field("num-other-sentinels")] == [b"3", b"1", b"2"]
    hello = Hello("127.0.0.2", OTHERS["127.0.0.2"], 9, "mymaster", "127.0.0.8", 9)
    assert real_sentinel.execute("PUBLISH", "__sentinel__:hello", hello.render()) == 1
    assert [field("config-epoch"), field("ip")] == [b"9", b"127.0.0.8"]


@pytest.mark.parametrize("what", ["MASTER", "REPLICAS", "SENTINELS"])
def test_the_same_fields_in_the_same_order_as_a_real_sentinel(real_sentinel, what):
    [ours] = ask(run(room(servers=2), 1_500), "s1", f"SENTINEL {what} mymaster")
    real = real_sentinel.execute("SENTINEL", what, "mymaster")
    if what != "MASTER":
        ours, real = ours[0], real[0]
    fields, left_out = real[::2], [b"link-refcount", b"replica-announced", b"s-down-time"]
    assert ours[::2] == [name for name in fields if name not in left_out]


def test_too_few_sentinels_in_the_words_of_a_real_one(real_sentinel):
    world = calm()
    kill(world, "s2", "s3")
    run(world, 5_000)
    [ours] = ask(world, "s1", "SENTINEL CKQUORUM mymaster")
    for _ in range(100_000):  # at its next tick it finds the others down
        real = real_sentinel.execute("SENTINEL", "CKQUORUM", "mymaster")
        if isinstance(real, ErrorReply):
            break
    assert ours == real


# ---------------------------------------------------------------------------------------------------------------------
# In the room
# ---------------------------------------------------------------------------------------------------------------------

ADDRESS = "SENTINEL GET-MASTER-ADDR-BY-NAME mymaster"


def test_clients_are_told_the_new_address_as_soon_as_it_is_decided():
    world = run(room(), 4_000)
    assert ask(world, "s1", ADDRESS) == [[b"n1", b"6379"]]
    kill(world, "n1")
    while not story(world, "promoted"):
        world.step()
    leader, _, facts = story(world, "promoted")[0]
    assert ask(world, leader, ADDRESS) == [[facts["replica"].encode(), b"6379"]]
    assert ask(world, leader, "SENTINEL GET-MASTER-ADDR-BY-NAME other") == [NULL_ARRAY]


def test_a_manual_failover_asks_nobody():
    """One sentinel of three is left, and the primary is well: an operator's word is enough."""
    world = run(room(), 4_000)
    kill(world, "s2", "s3")
    assert ask(world, "s1", "SENTINEL FAILOVER mymaster", "SENTINEL FAILOVER mymaster") == [
        OK,
        ErrorReply("INPROG Failover already in progress"),
    ]
    run(world, 6_000)
    assert story(world, "vote", "leader") == []
    assert node(world, "s1").config_epoch == 1
    assert node(world, "s1").announced_primary in ("n2", "n3")


def test_quorum_and_majority_are_checked():
    world = run(room(), 4_000)
    sentence = b"OK 3 usable Sentinels. Quorum and failover authorization can be reached"
    assert ask(world, "s1", "SENTINEL CKQUORUM mymaster") == [Status(sentence)]
    kill(world, "s2", "s3")
    run(world, 4_000)
    [reply] = ask(world, "s1", "SENTINEL CKQUORUM mymaster")
    assert isinstance(reply, ErrorReply)
    assert reply.text.startswith("NOQUORUM 1 usable Sentinels.")


def test_a_reset_forgets_the_replicas_and_finds_them_again():
    world = run(room(), 4_000)
    node(world, "n1").replicas = ("n2",)
    assert ask(world, "s1", "SENTINEL RESET my*") == [1]
    run(world, 3_000)
    assert list(node(world, "s1").replicas) == ["n2"]


def test_a_reset_ends_a_failover_in_any_state():
    world = run(room(), 4_000)
    kill(world, "n1")
    while not story(world, "promoted"):
        world.step()
    leader, promoted = story(world, "promoted")[0][0], story(world, "promoted")[0][2]["replica"]
    assert ask(world, leader, "SENTINEL RESET *") == [1]
    assert not node(world, leader).failover.running
    # What was decided stays decided: the epoch of the promotion must not go with the old address.
    run(world, 3_000)
    assert ask(world, leader, ADDRESS) == [[promoted.encode(), b"6379"]]


def test_info_role_and_protocol():
    world = run(room(), 1_000)
    [info, role] = ask(world, "s2", "INFO sentinel", "ROLE")
    assert info.decode().splitlines() == [
        "# Sentinel",
        "sentinel_masters:1",
        "sentinel_tilt:0",
        "sentinel_tilt_since_seconds:-1",
        "master0:name=mymaster,status=ok,address=n1:6379,slaves=2,sentinels=3",
    ]
    assert role == [b"sentinel", [b"mymaster"]]
    [hello, master] = ask(world, "s2", "HELLO 3", "SENTINEL MASTER mymaster")
    assert dict(hello.pairs)[b"mode"] == b"sentinel"
    assert isinstance(master, Map)
    assert dict(master.pairs)[b"flags"] == b"master"


def test_flags_tell_the_state():
    world = run(room(quorum=3), 4_000)
    kill(world, "n1", "s3")
    run(world, 5_000)
    [master, sentinels, info] = ask(
        world, "s1", "SENTINEL MASTER mymaster", "SENTINEL SENTINELS mymaster", "INFO sentinel"
    )
    fields = dict(zip(master[::2], master[1::2], strict=True))
    assert fields[b"flags"] == b"s_down,master,disconnected"
    assert int(fields[b"s-down-time"]) > 1_000
    flags = {peer[3]: peer[9] for peer in sentinels}
    assert flags == {b"s2": b"sentinel,master_down", b"s3": b"s_down,sentinel,disconnected"}
    assert b"status=sdown" in info
