"""A node's way to the log, driven by hand: whom it asks, how often, and what it believes."""

from __future__ import annotations

from random import Random

import pytest

from durable_redis.contract import (
    Close,
    Closed,
    Connect,
    Effect,
    Effects,
    Event,
    Note,
    Opened,
    Received,
    Send,
    SetTimer,
    TimerFired,
)
from durable_redis.formats.resp import NEED_MORE, CommandParser
from durable_redis.memorydb.log import (
    DATA,
    Answer,
    Appended,
    Conflict,
    Entries,
    EntryId,
    LogClient,
    Refused,
    Tail,
    Trimmed,
    Unknown,
)
from durable_redis.memorydb.log.entries import Entry
from durable_redis.memorydb.log.entries import encode as encode_entry
from durable_redis.memorydb.log.messages import (
    QUESTIONS,
    AppendedIs,
    AskAppend,
    AskSubscription,
    ConflictIs,
    EntriesAre,
    LogReply,
    NotLeader,
    Question,
    RefusedIs,
    TailIs,
    TrimmedIs,
    decode,
    encode,
)

PEERS = ("log-a", "log-b", "log-c")
FIRST = EntryId(1, 1)


class Hand:
    """Plays the world for one client: performs its effects, and remembers what it did."""

    def __init__(self, seed: int = 0) -> None:
        self.log = LogClient("n1", "s1", PEERS, Random(seed))
        self.now = 1_000_000
        self.connections = 0
        self.asked: list[Question] = []
        self.notes: list[str] = []
        self.due_us = 0
        self.do(self.log.connect(self.now))

    def do(self, effects: Effects) -> list[Effect]:
        done: list[Effect] = []
        result = None
        try:
            while True:
                effect = effects.send(result)
                done.append(effect)
                result = self.perform(effect)
        except StopIteration:
            return done

    def perform(self, effect: Effect) -> str | None:
        match effect:
            case Connect():
                self.connections += 1
                return self.connection
            case Send(connection=connection, data=data):
                assert connection == self.connection
                parser = CommandParser()
                parser.feed(data)
                while (words := parser.next()) is not NEED_MORE:
                    question = decode(words, QUESTIONS)
                    assert isinstance(question, Question)
                    self.asked.append(question)
            case SetTimer(name="log s1", at_us=at_us):
                self.due_us = at_us
            case Note(kind=kind):
                self.notes.append(kind)
        return None

    @property
    def connection(self) -> str:
        return f"n1>{self.log.target}#{self.connections}"

    def event(self, event: Event) -> list[Effect]:
        assert self.log.owns(event)
        return self.do(self.log.handle(event, self.now))

    def open(self) -> None:
        self.event(Opened(self.connection, self.log.target, outgoing=True))

    def hear(self, *replies: LogReply) -> list[Answer]:
        self.event(Received(self.connection, b"".join(map(encode, replies))))
        return self.log.take_answers()

    def wait(self) -> list[Answer]:
        """Let time pass until the timer fires."""
        self.now = max(self.now, self.due_us)
        self.event(TimerFired("log s1"))
        return self.log.take_answers()

    def append(self) -> AskAppend:
        self.do(self.log.append(DATA, b"body", EntryId.ZERO, self.now))
        question = self.asked[-1]
        assert isinstance(question, AskAppend)
        return question


def opened() -> Hand:
    hand = Hand()
    hand.open()
    return hand


def entry(index: int = 1, base: int = 0, body: bytes = b"body") -> Entry:
    return Entry.following(base, EntryId(1, index), DATA, body, f"t{index}")


@pytest.mark.parametrize(
    ("ask", "reply", "answer"),
    [
        ("append", lambda n: AppendedIs("s1", n, FIRST, 7), Appended(FIRST, 7)),
        ("append", lambda n: ConflictIs("s1", n, FIRST), Conflict(FIRST)),
        ("append", lambda n: RefusedIs("s1", n, "NOENTRY", "why"), Refused("NOENTRY", "why")),
        ("tail", lambda n: TailIs("s1", n, FIRST, 7), Tail(FIRST, 7)),
        ("trim", lambda n: TrimmedIs("s1", n, FIRST, 7), Trimmed(FIRST, 7)),
        (
            "read",
            lambda n: EntriesAre("s1", n, FIRST, 0, (encode_entry(entry()),)),
            Entries((entry(),), FIRST, 0),
        ),
    ],
)
def test_every_question_has_its_answers(ask, reply, answer):
    hand = opened()
    log = hand.log
    if ask == "append":
        hand.append()
    elif ask == "tail":
        hand.do(log.tail(hand.now))
    elif ask == "trim":
        hand.do(log.trim(FIRST, hand.now))
    else:
        hand.do(log.read(EntryId.ZERO, 10, hand.now))
    number = hand.asked[-1].number
    assert hand.hear(reply(number + 1)) == []  # of no question that was asked
    assert hand.hear(reply(number)) == [answer]
    assert hand.hear(reply(number)) == []  # it has been answered


def test_what_is_asked_before_there_is_a_way_is_asked_when_there_is():
    hand = Hand()
    hand.do(hand.log.tail(hand.now))
    hand.do(hand.log.append(DATA, b"", EntryId.ZERO, hand.now))
    assert hand.asked == []
    hand.open()
    assert [question.verb for question in hand.asked] == ["TAIL", "APPEND"]


def test_who_does_not_lead_says_who_does_and_the_same_append_is_asked_there():
    hand = opened()
    append = hand.append()
    other = next(peer for peer in PEERS if peer != hand.log.target)
    assert hand.hear(NotLeader("s1", append.number, other)) == []
    assert hand.log.target == other
    hand.open()
    assert hand.asked == [append, append]


def test_when_nobody_knows_a_leader_the_next_is_asked_after_a_pause():
    hand = opened()
    append = hand.append()
    tried = [hand.log.target]
    for _ in range(3):
        before = hand.now
        hand.hear(NotLeader("s1", append.number, ""))
        hand.wait()
        assert hand.now - before == 50_000
        tried.append(hand.log.target)
        hand.open()
    assert len(set(tried[:3])) == 3
    assert tried[3] == tried[0]


def test_two_that_point_at_each_other_are_not_asked_without_a_pause_for_ever():
    hand = opened()
    append = hand.append()
    for _ in range(4):
        other = next(peer for peer in PEERS if peer != hand.log.target)
        hand.hear(NotLeader("s1", append.number, other))
        if not hand.log._pauses_since_us:
            hand.open()
    assert hand.log._pauses_since_us == hand.now


def test_a_silent_replica_is_left_and_so_is_one_that_never_opens():
    hand = opened()
    append = hand.append()
    first, began = hand.log.target, hand.now
    hand.wait()
    assert hand.now - began == 400_000
    second = hand.log.target
    assert second != first
    hand.wait()  # it never opened
    assert hand.log.target not in (first, second)
    hand.open()
    assert hand.asked == [append, append]


def test_a_closed_connection_is_made_anew():
    hand = opened()
    append = hand.append()
    hand.event(Closed(hand.connection, "reset"))
    hand.wait()
    hand.open()
    assert hand.asked == [append, append]


def test_an_unknown_outcome_is_said_once_and_the_question_goes_on():
    hand = opened()
    append = hand.append()
    said = []
    for _ in range(20):
        said += hand.wait()
        if hand.log._connection and not hand.log._up:
            hand.open()
    assert said == [Unknown()]
    assert set(hand.asked) == {append}  # the same token, the same number
    assert len(hand.asked) > 10
    assert hand.hear(AppendedIs("s1", append.number, FIRST, 7)) == [Appended(FIRST, 7)]


def test_tokens_are_never_used_twice():
    tokens = set()
    for seed in range(20):
        hand = Hand(seed)
        hand.open()
        for _ in range(5):
            append = hand.append()
            tokens.add(append.token)
            hand.hear(ConflictIs("s1", append.number, FIRST))
    assert len(tokens) == 100


def test_one_append_at_a_time():
    hand = opened()
    hand.append()
    with pytest.raises(AssertionError, match="in flight"):
        hand.append()


# -- what it does not believe ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"*1\r\n$3\r\nFOO\r\n",
        b"*1\r\n$-5\r\n",
        b"*2\r\n$8\r\nAPPENDED\r\n$2\r\ns1\r\n",
        encode(EntriesAre("s1", 1, FIRST, 1, (encode_entry(entry()),))),  # its checksum follows from 0, not from 1
        encode(EntriesAre("s1", 1, FIRST, 0, (encode_entry(entry())[:-1],))),
        encode(EntriesAre("s1", 1, EntryId(1, 3), 0, (encode_entry(entry()), encode_entry(entry(3, 5))))),
    ],
)
def test_a_damaged_answer_is_noted_not_handed_on_and_asked_for_elsewhere(data):
    hand = opened()
    hand.do(hand.log.read(EntryId.ZERO, 10, hand.now))
    first = hand.log.target
    hand.event(Received(hand.connection, data))
    assert hand.log.take_answers() == []
    assert hand.notes == ["log answer damaged"]
    assert hand.log.target != first
    hand.open()
    assert hand.hear(EntriesAre("s1", 1, FIRST, 0, (encode_entry(entry()),))) == [Entries((entry(),), FIRST, 0)]


def test_a_push_must_continue_where_the_last_one_ended():
    hand = opened()
    hand.do(hand.log.subscribe(EntryId.ZERO, hand.now))
    number = hand.asked[-1].number
    first, second = entry(1), entry(2, entry(1).checksum)
    push = EntriesAre("s1", number, FIRST, 0, (encode_entry(first),))
    assert hand.hear(push) == [Entries((first,), FIRST, 0, pushed=True)]
    assert hand.hear(push) == []  # once more the same
    assert hand.notes == ["log answer damaged"]
    hand.open()
    assert hand.asked[-1] == AskSubscription("s1", number, FIRST)
    go_on = EntriesAre("s1", number, EntryId(1, 2), first.checksum, (encode_entry(second),))
    assert hand.hear(go_on) == [Entries((second,), EntryId(1, 2), first.checksum, pushed=True)]


def test_a_refused_subscription_ends():
    hand = opened()
    hand.do(hand.log.subscribe(FIRST, hand.now))
    assert hand.hear(RefusedIs("s1", hand.asked[-1].number, "BEHIND", "why")) == [Refused("BEHIND", "why", pushed=True)]
    hand.event(Closed(hand.connection, "reset"))
    hand.wait()
    hand.open()
    assert len(hand.asked) == 1


def test_what_comes_of_a_connection_that_was_left_is_its_own_and_is_ignored():
    hand = opened()
    append = hand.append()
    old = hand.connection
    assert Close(old) in hand.event(TimerFired("log s1")) or hand.wait() == []
    assert hand.connection != old
    for event in (Received(old, encode(AppendedIs("s1", append.number, FIRST, 7))), Closed(old, "reset")):
        assert hand.event(event) == []
    assert hand.log.take_answers() == []
    assert not hand.log.owns(Received("n1>n2#9", b""))
    assert not hand.log.owns(TimerFired("log s2"))
