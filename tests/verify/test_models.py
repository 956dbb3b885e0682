"""The checker's model of one key against the engine: two writings of the same rules."""

from __future__ import annotations

from random import Random

import pytest

from durable_redis.engine import Engine, Session
from durable_redis.formats.resp import ErrorReply, Members, Reply
from durable_redis.verify.models import REFUSED, RULES, Outcome, Rule, State, comparable

VALUES = [b"", b"a", b"b", b"7", b"-3", b"9223372036854775807", b"-9223372036854775808", b"007", b"1.5"]
INDEXES = [b"0", b"1", b"-1", b"-2", b"5", b"-9", b"x"]


def random_words(random: Random, name: bytes, rule: Rule) -> tuple[bytes, ...]:
    arguments = INDEXES if name == b"LRANGE" else VALUES
    count = random.randint(rule.least, min(rule.most, rule.least + 2)) - 2
    spelled = name if random.random() < 0.8 else name.lower()
    return (spelled, b"k", *(random.choice(arguments) for _ in range(count)))


def held(engine: Engine) -> State:
    """The state of the key in the engine, asked for in the engine's own commands."""
    match engine.execute(Session(), [b"TYPE", b"k"], 0):
        case Reply if Reply.text == b"none":
            return None
        case Reply if Reply.text == b"string":
            return engine.execute(Session(), [b"GET", b"k"], 0)
        case Reply if Reply.text == b"list":
            return tuple(engine.execute(Session(), [b"LRANGE", b"k", b"0", b"-1"], 0))
    return frozenset(engine.execute(Session(), [b"SMEMBERS", b"k"], 0).items)


def as_sent(reply: Reply) -> Reply:
    return reply.items if isinstance(reply, Members) else reply


def disagreement(seed: int, rules: dict[bytes, Rule]) -> str:
    """The first command of a random row of them of which the engine thinks otherwise."""
    random, engine, session = Random(seed), Engine(Random(seed)), Session()
    state: State = None
    for _ in range(60):
        name = random.choice(list(rules))
        words = random_words(random, name, rules[name])
        before = state
        state, reply = rules[name].apply(state, words)
        answered = as_sent(engine.execute(session, list(words), 0))
        same = reply is REFUSED if isinstance(answered, ErrorReply) else reply == comparable(words, answered)
        if not same or state != held(engine):
            return f"{words} on {before!r}: the model says {reply!r}, the engine {answered!r}"
        if rules[name].only_reads and state != before:
            return f"{words} changed {before!r}"
    return ""


@pytest.mark.parametrize("first", range(0, 600, 100))
def test_the_model_is_what_the_engine_does(first: int) -> None:
    assert [words for seed in range(first, first + 100) if (words := disagreement(seed, RULES))] == []


def test_a_wrong_rule_is_seen() -> None:
    def pops_the_wrong_end(state: tuple[bytes, ...] | None, words: tuple[bytes, ...]) -> Outcome:
        return (state[:-1] or None, state[-1]) if state else (None, None)

    wrong = {**RULES, b"LPOP": Rule(pops_the_wrong_end, tuple, 2, 2)}
    assert any(disagreement(seed, wrong) for seed in range(100))


def test_every_state_can_be_hashed() -> None:
    random = Random(1)
    for name, rule in RULES.items():
        for state in (None, b"7", (b"a", b"b"), frozenset({b"a"})):
            hash(rule.apply(state, random_words(random, name, rule))[0])
