"""Which slots a shard has: steps of migrations as entries of two logs, in snapshots, and in what a client is told."""

from __future__ import annotations

import itertools
from dataclasses import replace
from random import Random

import pytest
from datatools import NOW_MS, Writer, empty, snapshot_of

from durable_redis.memorydb.errors import Damaged, NoLabel
from durable_redis.memorydb.log import SLOTS, Entry, EntryId
from durable_redis.memorydb.migration.ownership import TRANSITIONS, Migration, Ownership, OwnershipError, Phase
from durable_redis.memorydb.shards import Heard, Shard, Shards
from durable_redis.redis.cluster.slots import ALL, parse_slots, slots_in

SLOT_7 = slots_in([(7, 7)])
HALVES = (Shard("s1", ("n1", "n3"), 0, 8191), Shard("s2", ("n2", "n4"), 8192, 16383))
THIRDS = (Shard("s1", ("n1",), 0, 5460), Shard("s2", ("n2",), 5461, 10922), Shard("s3", ("n3",), 10923, 16383))


def step(phase: Phase, number: int = 17, slots: int = SLOT_7, source: str = "s1", target: str = "s2") -> Migration:
    return Migration(phase, number, source, target, slots)


def walked(ownership: Ownership, *phases: Phase, **facts: object) -> Ownership:
    """After these steps of one migration; in the source's own BEGUN its number is not known yet."""
    for phase in phases:
        ownership = ownership.after(step(phase, **facts), 17)  # type: ignore[arg-type]
    return ownership


def entries_of(*steps: Migration) -> tuple[Entry, ...]:
    """A log with these steps in it."""
    writer = Writer()
    for one in steps:
        writer.append(one.encode(), SLOTS)
    return writer.log.read(EntryId.ZERO).entries


ALL_THE_WAY = (Phase.BEGUN, Phase.PREPARED, Phase.COMMITTED, Phase.OVER)


def test_an_entry_is_five_words() -> None:
    body = step(Phase.BEGUN, 0).encode()
    assert body == b"*5\r\n$5\r\nbegun\r\n$1\r\n0\r\n$2\r\ns1\r\n$2\r\ns2\r\n$1\r\n7\r\n"
    assert Migration.decode(body) == step(Phase.BEGUN, 0)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"*1\r\n$5\r\nbegun\r\n",
        b"+OK\r\n",
        step(Phase.BEGUN).encode()[:-3],
        step(Phase.BEGUN).encode() + b"x",
        step(Phase.BEGUN).encode().replace(b"begun", b"begin"),
        step(Phase.BEGUN).encode().replace(b"17", b"1x"),
        step(Phase.BEGUN).encode().replace(b"\n7\r", b"\nx\r"),
    ],
)
def test_bytes_that_are_no_step_are_refused_by_name(body: bytes) -> None:
    with pytest.raises(OwnershipError):
        Migration.decode(body)


def test_a_number_is_the_place_of_the_sources_first_entry() -> None:
    begun = Ownership("s1").after(step(Phase.BEGUN, 0), 17)
    assert begun.migration == step(Phase.BEGUN, 17)
    assert Ownership("s2").after(step(Phase.BEGUN, 17), 99).migration == step(Phase.BEGUN, 17)


def test_the_commit_gives_the_slot_away_in_one_log_and_takes_it_in_the_other() -> None:
    first = slots_in([(0, 99)])
    for phases in ((Phase.BEGUN,), (Phase.BEGUN, Phase.PREPARED), (Phase.BEGUN, Phase.PREPARED, Phase.ABANDONED)):
        assert walked(Ownership("s1"), *phases).owned(first) == first, "nothing is decided yet, or against it"
        assert walked(Ownership("s2"), *phases).owned(0) == 0
    assert walked(Ownership("s1"), *ALL_THE_WAY).owned(first) == first & ~SLOT_7
    assert walked(Ownership("s2"), *ALL_THE_WAY).owned(0) == SLOT_7
    there = walked(Ownership("s1"), *ALL_THE_WAY)
    back = walked(there, *ALL_THE_WAY, source="s2", target="s1")
    assert back.owned(first) == first
    assert back.given == {}


def test_no_step_comes_out_of_order() -> None:
    for phases in itertools.product(Phase, repeat=2):
        legal = phases[0] in TRANSITIONS[Phase.OVER] and phases[1] in TRANSITIONS[phases[0]]
        if legal:
            walked(Ownership("s1"), *phases)
        else:
            with pytest.raises(OwnershipError, match="does not lead to"):
                walked(Ownership("s1"), *phases)


def test_a_step_of_another_migration_is_refused() -> None:
    begun = walked(Ownership("s2"), Phase.BEGUN)
    for other in (step(Phase.PREPARED, 18), step(Phase.PREPARED, slots=1), step(Phase.PREPARED, source="s3")):
        with pytest.raises(OwnershipError, match="cannot follow on"):
            begun.after(other, 20)
    with pytest.raises(OwnershipError, match="no affair of s3"):
        Ownership("s3").after(step(Phase.BEGUN), 17)


def test_a_target_remembers_what_it_has_closed() -> None:
    assert walked(Ownership("s2"), *ALL_THE_WAY).closed == {"s1": 17}
    assert walked(Ownership("s1"), *ALL_THE_WAY).closed == {}


def test_what_has_never_begun_is_closed_by_one_step_and_changes_nothing_else() -> None:
    never = step(Phase.ABANDONED, 5, source="s3")
    for phases in ((), (Phase.BEGUN,), (Phase.BEGUN, Phase.PREPARED), ALL_THE_WAY):
        for source, target in (("s1", "s2"), ("s2", "s1")):
            before = walked(Ownership("s2"), *phases, source=source, target=target)
            after = before.after(never, 30)
            assert after == replace(before, closed={**before.closed, "s3": 5})
            with pytest.raises(OwnershipError):
                after.after(never, 31)
    with pytest.raises(OwnershipError):
        Ownership("s3").after(never, 30)
    with pytest.raises(OwnershipError, match="cannot follow on"):
        walked(Ownership("s2"), Phase.BEGUN).after(step(Phase.ABANDONED, 18), 30)


# -- in the log and in snapshots ---------------------------------------------------------------------------------------


def test_whoever_reads_the_log_knows_and_so_does_whoever_loads_a_snapshot() -> None:
    found = entries_of(*map(step, ALL_THE_WAY[:3]))
    for count in range(len(found) + 1):
        follower = empty("s2")
        for entry in found[:count]:
            follower.apply(entry, NOW_MS)
        recovered = empty("s2")
        recovered.load(snapshot_of(follower))
        assert recovered.ownership == follower.ownership
        for entry in found[count:]:
            recovered.apply(entry, NOW_MS)
        assert recovered.ownership.owned(0) == SLOT_7
        assert recovered.ownership.closed == {"s1": 17}


def test_a_snapshot_says_nothing_of_slots_as_long_as_none_has_moved() -> None:
    assert b"mdb-slots" not in snapshot_of(empty("s1"))


def test_an_entry_that_may_not_come_now_is_damage_and_changes_nothing() -> None:
    follower = empty("s2")
    (entry,) = entries_of(step(Phase.COMMITTED))
    before = follower.at, follower.checksum, follower.ownership
    with pytest.raises(Damaged, match="over does not lead to committed"):
        follower.apply(entry, NOW_MS)
    assert (follower.at, follower.checksum, follower.ownership) == before


@pytest.mark.parametrize("text", [b"x", b"[]", b"{}", b'{"gained": 3}', b"[" * 100_000])
def test_a_label_that_cannot_be_read_is_refused_by_name(text: bytes) -> None:
    with pytest.raises(OwnershipError):
        Ownership.decode("s1", text)


def test_a_snapshot_with_such_a_label_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = empty("s1")
    monkeypatch.setattr(Ownership, "encode", lambda self: b"{}")
    content = snapshot_of(broken)
    with pytest.raises(NoLabel, match="what a snapshot says of the slots"):
        empty("s1").load(content)


def test_random_migrations_leave_every_slot_with_one_owner_and_every_state_survives_a_snapshot() -> None:
    for seed in range(20):
        random = Random(seed)
        logs = {shard.name: Ownership(shard.name) for shard in THIRDS}
        first = {shard.name: shard.slots for shard in THIRDS}
        for number in range(1, 30):
            source, target = random.sample(sorted(logs), 2)
            owned = [slot for slot in range(0, 16384, 97) if logs[source].owned(first[source]) >> slot & 1]
            if not owned:
                continue
            slots = slots_in([(slot, slot) for slot in random.sample(owned, min(3, len(owned)))])
            end = random.choice((Phase.COMMITTED, Phase.ABANDONED))
            for phase in (Phase.BEGUN, Phase.PREPARED, end, Phase.OVER):
                for side in (source, target):
                    logs[side] = logs[side].after(Migration(phase, number, source, target, slots), number)
                    assert Ownership.decode(side, logs[side].encode()) == logs[side]
        owners = [logs[shard.name].owned(shard.slots) for shard in THIRDS]
        assert sum(owners) == owners[0] | owners[1] | owners[2] == ALL


# -- what a node says --------------------------------------------------------------------------------------------------


def test_a_node_redirects_by_its_own_log_and_then_by_hearsay() -> None:
    source, target = Shards(HALVES, "s1"), Shards(HALVES, "s2")
    assert (source.elsewhere(7), target.elsewhere(7)) == ("", "n1")
    source.know(walked(Ownership("s1"), *ALL_THE_WAY))
    target.know(walked(Ownership("s2"), *ALL_THE_WAY))
    assert (source.elsewhere(7), target.elsewhere(7)) == ("n2", "")
    source.heard("s2", Heard(30, "n4", parse_slots("7,8192-16383")))
    source.heard("s2", Heard(20, "n2", parse_slots("8192-16383")))
    assert source.elsewhere(7) == source.elsewhere(9000) == "n4", "what is older in its log counts less"
    assert target.ranges == ((7, 7), (8192, 16383))


def test_a_target_sends_clients_to_the_source_until_it_has_the_slot() -> None:
    home_again = walked(Ownership("s1"), *ALL_THE_WAY)
    home_again = walked(home_again, Phase.BEGUN, Phase.PREPARED, source="s2", target="s1")
    shards = Shards(HALVES, "s1")
    shards.know(home_again)
    assert shards.elsewhere(7) == "n2", "although it began with it"


def test_redirections_come_to_an_end_whatever_was_heard_and_however_long_ago() -> None:
    for seed in range(30):
        random = Random(seed)
        logs = {shard.name: Ownership(shard.name) for shard in THIRDS}
        nodes = {shard.name: Shards(THIRDS, shard.name) for shard in THIRDS}
        shard_of = {shard.nodes[0]: shard.name for shard in THIRDS}
        owner, said = "s1", [("s1", Heard(0, "n1", THIRDS[0].slots))]
        for number in range(1, 12):
            target = random.choice([name for name in logs if name != owner])
            for phase in ALL_THE_WAY:
                for side in (owner, target):
                    logs[side] = logs[side].after(Migration(phase, number, owner, target, SLOT_7), number)
                    nodes[side].know(logs[side])
            owner = target
            for name, shards in nodes.items():
                word = Heard(number, shards.own.nodes[0], shards.owned)
                said.append((name, word))
            for listener in nodes.values():
                name, word = random.choice(said)
                if name != listener.own.name and random.random() < 0.5:
                    listener.heard(name, word)
            for start in nodes:
                at, hops = start, 0
                while (leader := nodes[at].elsewhere(7)) != "":
                    at, hops = shard_of[leader], hops + 1
                    assert hops <= 12, f"seed {seed}, migration {number}: round and round, from {start}"
                assert at == owner
