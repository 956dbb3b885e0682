"""The parts of a sentinel that need no world: configuration, INFO, votes, the choice of a replica, its file, hello."""

from __future__ import annotations

import re
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durable_redis.contract import Close, Connect
from durable_redis.formats.resp import ErrorReply, Status
from durable_redis.redis.config import ConfigError
from durable_redis.redis.sentinel import Sentinel, SentinelConfig, detection, election, selection
from durable_redis.redis.sentinel.election import Ballot, count
from durable_redis.redis.sentinel.failover import TRANSITIONS, State
from durable_redis.redis.sentinel.hello import Hello
from durable_redis.redis.sentinel.instances import PRIMARY, REPLICA, Peer, Report, Server, read_info
from durable_redis.redis.sentinel.links import Link
from durable_redis.redis.sentinel.memory import Memory

NOW = 1_000_000_000_000


# -- configuration ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"quorum": 4}, "quorum is 4, but there are 3 sentinels: no failover could ever start; choose 1 to 3"),
        ({"quorum": 0}, "quorum can be 1 or more, not 0"),
        ({"quorum": "2"}, "quorum is of type int, such as 2, not '2'"),
        ({"down_after_ms": 0}, "down_after_ms can be 1 or more, not 0"),
        ({"sentinels": ("s1", "s1", "s2")}, "sentinels names one of them twice: s1, s1, s2"),
        ({"primary": "n 1"}, "'n 1' will not do as a name"),
        ({"primary": ""}, "'' will not do as a name"),
        ({"down_after": 3}, "there is no option 'down_after': a sentinel knows primary, sentinels"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused_by_name(options, sentence):
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        SentinelConfig.of(**options)


def test_a_sentinel_must_be_in_its_own_configuration():
    with pytest.raises(ConfigError, match=r"s9 is not among the sentinels of the configuration \(s1, s2, s3\)"):
        Sentinel(Random(1), "s9", SentinelConfig())


# -- links -----------------------------------------------------------------------------------------------------------

SECOND = 1_000_000


def performed(work):
    """The effects of a generator; Connect gives a connection called "c"."""
    effects, result = [], None
    while True:
        try:
            effects.append(work.send(result))
        except StopIteration:
            return effects
        result = "c" if isinstance(effects[-1], Connect) else None


def open_link() -> Link:
    link = Link("n1", NOW)
    assert performed(link.keep(NOW, 4 * SECOND)) == [Connect("n1")]
    link.opened(NOW)
    return link


def test_answers_belong_to_questions_in_their_order():
    link = open_link()
    performed(link.ask("info", [b"INFO"]))
    performed(link.ping_if_due(NOW + SECOND + 1, SECOND))
    assert link.received(b"$1\r\nx\r\n+PO", NOW + SECOND + 2) == [("info", b"x")]
    assert link.silence_us(NOW + 2 * SECOND) == 2 * SECOND
    assert link.received(b"NG\r\n", NOW + SECOND + 3) == [("ping", Status(b"PONG"))]
    assert link.silence_us(NOW + 2 * SECOND) == 0


@pytest.mark.parametrize("data", [b"+PONG\r\n", b"\x00\r\n", b"$-9\r\n"])
def test_what_nobody_asked_for_and_what_is_not_resp_break_a_link_and_it_is_made_anew(data):
    link = open_link()
    assert link.received(data, NOW) == []
    assert not link.ready
    assert performed(link.keep(NOW + SECOND, 4 * SECOND)) == [Close("c"), Connect("n1")]


def test_an_attempt_that_nobody_answers_is_repeated():
    link = Link("n1", NOW)
    performed(link.keep(NOW, 4 * SECOND))
    assert performed(link.keep(NOW + 3 * SECOND, 4 * SECOND)) == []
    assert performed(link.keep(NOW + 3 * SECOND + 1, 4 * SECOND)) == [Close("c"), Connect("n1")]


def test_a_silent_connection_is_given_up_when_it_is_15_s_old():
    link = open_link()
    assert performed(link.keep(NOW + 15 * SECOND, 4 * SECOND)) == []
    assert performed(link.keep(NOW + 15 * SECOND + 1, 4 * SECOND)) == [Close("c"), Connect("n1")]
    link.opened(NOW + 16 * SECOND)
    performed(link.ping_if_due(NOW + 16 * SECOND, SECOND))
    link.received(b"+PONG\r\n", NOW + 16 * SECOND)
    assert performed(link.keep(NOW + 60 * SECOND, 4 * SECOND)) == []


def test_a_lost_connection_is_made_anew_after_a_second_and_its_silence_counts_from_the_last_answer():
    link = open_link()
    performed(link.ping_if_due(NOW + 2 * SECOND, SECOND))
    link.received(b"+PONG\r\n", NOW + 2 * SECOND)
    link.lost()
    assert link.silence_us(NOW + 3 * SECOND) == SECOND
    assert performed(link.keep(NOW + SECOND - 1, 4 * SECOND)) == []
    assert performed(link.keep(NOW + SECOND, 4 * SECOND)) == [Connect("n1")]


def test_an_opinion_lasts_5_s():
    sentinel = Sentinel(Random(1), "s1")
    peer = sentinel.peers["s2"]
    detection.answered(peer, [1, b"ab", 3], NOW)
    performed(detection.ask_peers(sentinel, at_once=False, now=NOW + 5 * SECOND))
    assert (peer.says_down, peer.vote, peer.vote_epoch) == (True, "ab", 3)
    performed(detection.ask_peers(sentinel, at_once=False, now=NOW + 5 * SECOND + 1))
    assert (peer.says_down, peer.vote) == (False, "")


@pytest.mark.parametrize("reply", [None, b"x", [], [1], [1, b"a"], [b"1", b"a", 2], [1, 2, 3], ErrorReply("ERR no")])
def test_an_opinion_that_is_none_changes_nothing(reply):
    peer = Peer("s2", NOW)
    detection.answered(peer, reply, NOW)
    assert (peer.says_down, peer.vote, peer.answered_us) == (False, "", 0)


def test_a_vote_is_asked_for_in_the_epoch_in_which_it_will_be_counted():
    sentinel = Sentinel(Random(1), "s1")
    sentinel.primary.down = True
    peer = sentinel.peers["s2"]
    assert performed(peer.link.keep(NOW, 4 * SECOND))
    peer.link.opened(NOW)
    sentinel.failover.state, sentinel.failover.epoch = State.WAIT_START, 5
    sentinel.ballot.hear(6)  # somebody else has begun a failover, too
    (question,) = performed(detection.ask_peers(sentinel, at_once=True, now=NOW + SECOND))
    assert question.data.split(b"\r\n")[-4:-1] == [b"5", b"$40", sentinel.run_id.encode()]


def test_whoever_answers_ping_with_an_error_keeps_its_connection():
    link = open_link()
    for second in range(1, 40):
        now = NOW + second * SECOND
        assert performed(link.keep(now, 4 * SECOND)) == []
        performed(link.ping_if_due(now, SECOND // 2))
        link.received(b"-MISCONF its disk is full\r\n", now + 1)
    assert link.silence_us(now) > 30 * SECOND, "and yet it is not available"


# -- INFO ------------------------------------------------------------------------------------------------------------


def test_info_of_a_primary():
    text = (
        b"# Server\r\nrun_id:abc\r\n\r\n# Replication\r\nrole:master\r\nconnected_slaves:2\r\n"
        b"slave0:ip=n2,port=6379,state=online,offset=14,lag=1\r\nslave1:ip=n3,port=6379,state=wait_bgsave,offset=0,lag=0\r\n"
        b"master_repl_offset:14\r\n"
    )
    assert read_info(text) == Report(role=PRIMARY, run_id="abc", replicas=("n2", "n3"))


def test_info_of_a_replica():
    text = (
        b"role:slave\r\nmaster_host:n1\r\nmaster_port:6379\r\nmaster_link_status:down\r\n"
        b"master_link_down_since_seconds:7\r\nslave_repl_offset:99\r\nslave_priority:10\r\n"
    )
    report = read_info(text)
    assert report == Report(role=REPLICA, primary="n1", link_down_us=7_000_000, priority=10, offset=99)


@pytest.mark.parametrize("text", [b"", b"role:\r\n", b"role:king\r\n", b"\xff" * 9, None, 7, [b"role:master"]])
def test_what_is_no_info_is_no_report(text):
    assert read_info(text) is None


def test_strange_values_in_info_are_left_out():
    text = (
        b"role:master\r\nslave0:port=1\r\nslave1:ip=a b\r\nslave2:ip=n2\r\nslave3:ip=n2\r\nslave4\r\nslaveX:ip=n3\r\n"
    )
    assert read_info(text) == Report(role=PRIMARY, replicas=("n2",))
    assert read_info(b"role:slave\r\nslave_priority:many\r\nslave_repl_offset:1_0\r\nmaster_host:\xff\r\n") == Report(
        REPLICA
    )


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60))
def test_no_info_raises(noise):
    read_info(b"role:master\r\nslave0:" + noise)
    read_info(noise)


# -- votes -----------------------------------------------------------------------------------------------------------


def test_one_vote_an_epoch_for_the_first_that_asks():
    ballot = Ballot()
    assert ballot.vote("s1", 1)
    assert not ballot.vote("s2", 1)
    assert ballot.vote_in(1) == "s1"
    assert ballot.vote("s2", 2)
    assert not ballot.vote("s3", 1), "an old epoch"
    assert (ballot.epoch, ballot.voted_epoch, ballot.candidate) == (2, 2, "s2")


def test_an_epoch_heard_of_is_not_a_vote_but_ends_the_older_ones():
    ballot = Ballot()
    assert ballot.hear(5)
    assert not ballot.hear(5)
    assert not ballot.vote("s1", 4)
    assert ballot.vote("s1", 5)


@pytest.mark.parametrize(
    ("sentinels", "quorum", "needed"), [(3, 2, 2), (3, 1, 2), (4, 2, 3), (5, 2, 3), (5, 5, 5), (1, 1, 1), (2, 1, 2)]
)
def test_votes_needed(sentinels, quorum, needed):
    assert election.votes_needed(sentinels, quorum) == needed


def test_counting():
    assert count(["a", "b", "a", "", ""], 5, 2) == election.Tally("a", 2, 3)
    assert not count(["a", "b", "a"], 5, 2).elected
    assert count(["a", "b", "a", "a"], 5, 2).elected
    assert count(["", ""], 3, 2) == election.Tally("", 0, 2)
    assert count(["b", "a"], 3, 2).candidate == "b", "of equals the first"


@settings(max_examples=100, deadline=None)
@given(
    requests=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(1, 4)), max_size=40),
    sentinels=st.integers(1, 5),
)
def test_no_two_candidates_have_a_majority_in_one_epoch(requests, sentinels):
    """Whoever asks whom for votes in which order: of one epoch there is one leader at most."""
    ballots = [Ballot() for _ in range(sentinels)]
    leaders: dict[int, str] = {}
    for voter, candidate, epoch in requests:
        ballots[voter % sentinels].vote(str(candidate), epoch)
        tally = count([ballot.vote_in(epoch) for ballot in ballots], sentinels, 1)
        if tally.elected:
            assert leaders.setdefault(epoch, tally.candidate) == tally.candidate


# -- the choice of a replica -----------------------------------------------------------------------------------------


def server(name: str, **beliefs: object) -> Server:
    """A replica that nothing speaks against."""
    replica = Server(name, REPLICA, NOW)
    replica.run_id, replica.informed_us, replica.link.up = f"id-{name}", NOW, True
    for belief, value in beliefs.items():
        setattr(replica, belief, value)
    return replica


def choose(*replicas: Server, primary_down_us: int = 1_000_000) -> selection.Choice:
    primary = Server("n1", PRIMARY, NOW)
    primary.down, primary.down_since_us = primary_down_us > 0, NOW - primary_down_us
    return selection.select(replicas, primary, 5_000_000, NOW)


def test_an_old_primary_that_still_leads_does_not_win_by_the_offset_of_its_own_history():
    """It has led on in a partition, and others lead its replicas since: all that it has counts for nothing."""
    old, replica = server("n1"), server("n2", offset=1_000)
    old.learn(read_info(b"role:master\r\nmaster_repl_offset:9000\r\n"), NOW)
    assert choose(old, replica).replica == "n2"
    old.learn(read_info(b"role:slave\r\nmaster_host:n3\r\nslave_repl_offset:9000\r\n"), NOW)
    assert choose(old, replica).replica == "n1"


def test_priority_before_offset_before_run_id():
    assert choose(server("n2", priority=20, offset=9), server("n3", priority=10)).replica == "n3"
    assert choose(server("n2", offset=8), server("n3", offset=9)).replica == "n3"
    assert choose(server("n3"), server("n2")).replica == "n2"
    assert choose(server("n2", run_id=""), server("n3")).replica == "n3"


def test_the_choice_says_why_it_did_not_take_the_others():
    choice = choose(server("n2", priority=200), server("n3", offset=9), server("n4", offset=7), server("n5", offset=9))
    assert choice.replica == "n3"
    assert choice.others == {
        "n2": "its priority is 200, n3 has 100",
        "n4": "its offset is 7, n3 has 9",
        "n5": "n3 has the smaller run id",
    }


@pytest.mark.parametrize(
    ("beliefs", "reason"),
    [
        ({"down": True}, "it is down"),
        ({"priority": 0}, "its priority is 0"),
        ({"informed_us": NOW - 5_000_001}, "its last INFO is too old"),
        ({"link_down_us": 51_000_001}, "it has been without its primary for 51000 ms"),
    ],
)
def test_who_is_passed_over(beliefs, reason):
    choice = choose(server("n2", **beliefs), server("n3", priority=200))
    assert choice == selection.Choice("n3", {"n2": reason})


def test_the_limits_themselves_are_allowed():
    assert choose(server("n2", informed_us=NOW - 5_000_000, link_down_us=51_000_000)).replica == "n2"
    assert choose(server("n2", informed_us=NOW - 30_000_000), primary_down_us=0).replica == "n2"


def test_a_silent_replica_is_passed_over():
    replica = server("n2")
    replica.link.available_us = NOW - 5_000_001
    assert choose(replica) == selection.Choice("", {"n2": "it has not answered for 5000 ms"})
    replica = server("n2")
    replica.link.up = False
    assert choose(replica).others == {"n2": "its link to this sentinel is down"}


# -- the file, and hello ---------------------------------------------------------------------------------------------

FILE = b"""\
sentinel myid 8cdea4d7cf97e5600e4e3bbbefdf25e4eb1103ff
sentinel monitor mymaster n2 6379 2
sentinel config-epoch mymaster 3
sentinel leader-epoch mymaster 4
sentinel current-epoch 4
sentinel known-replica mymaster n1 6379
sentinel known-sentinel mymaster s2 26379 1a0660fc987bd2c24d5ea6e5373932ba98dbd308
"""


def test_the_file_literally_and_back():
    run_id, other = "8cdea4d7cf97e5600e4e3bbbefdf25e4eb1103ff", "1a0660fc987bd2c24d5ea6e5373932ba98dbd308"
    memory = Memory(run_id, "n2", 3, 4, 4, ["n1"], {"s2": other})
    assert memory.render("mymaster", 2) == FILE
    assert Memory.parse(FILE) == memory


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (FILE.replace(b"leader-epoch mymaster 4", b"leader-epoch mymaster x"), "sentinel.conf, line 4: 'sentinel lead"),
        (b"\x00\xff", "sentinel.conf, line 1"),
        (b"", "says no myid"),
        (FILE[60:], "sentinel.conf, line 1"),
    ],
)
def test_a_damaged_file_is_named(text, sentence):
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        Memory.parse(text)


def test_hello_literally_and_back():
    hello = Hello("s1", "ab", 4, "mymaster", "n2", 3)
    assert hello.render() == b"s1,26379,ab,4,mymaster,n2,6379,3"
    assert Hello.parse(hello.render()) == hello


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"bar",
        b"s1,26379,ab,4,mymaster,n2,6379",
        b"s1,26379,ab,x,mymaster,n2,6379,3",
        b"s1,26379,ab,4,mymaster,n2,6379,-3",
        b"s1,26379,ab,4,mymaster,n2,6379,99999999999999999999",
        b"s1,26379,a b,4,mymaster,n2,6379,3",
        b"s\xff,26379,ab,4,mymaster,n2,6379,3",
    ],
)
def test_what_is_no_hello_is_none(message):
    assert Hello.parse(message) is None


def test_every_state_is_in_the_table_and_can_be_reached():
    assert list(TRANSITIONS) == list(State)
    reached = {State.NONE}
    for _ in State:
        reached |= {after for before in reached for after in TRANSITIONS[before]}
    assert reached == set(State)
