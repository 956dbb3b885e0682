"""The search for an order: against brute force on small histories, on large ones for speed, and on runs."""

from __future__ import annotations

from random import Random

import pytest
from smallhistories import MIXES, brute_force, call, history, random_history

import durable_redis as dr
from durable_redis.formats.resp import OK
from durable_redis.verify.history import NEVER_US, Call, History, HistoryError
from durable_redis.verify.linearizability import Search, check
from durable_redis.verify.models import RULES, State


@pytest.mark.parametrize("mix", MIXES)
def test_the_search_finds_what_the_definition_says(mix: str) -> None:
    found = {True: 0, False: 0}
    for seed in range(1_000):
        calls = random_history(Random(f"{mix}/{seed}"), MIXES[mix], most=6)
        expected = brute_force(calls)
        assert Search(calls).run() == expected, f"{mix}, seed {seed}: {list(map(str, calls))}"
        found[expected] += 1
    assert min(found.values()) > 80, "both answers must be common, or this proves nothing"


def test_the_brute_force_and_the_search_can_disagree() -> None:
    """Break the search in each of its ideas, and the comparison above sees it."""

    class EveryCallIsACandidate(Search):
        def _candidates(self, place):
            unplaced = [
                n for n in range(len(self.answered)) if n >= place.base and not place.window >> n - place.base & 1
            ]
            return unplaced, NEVER_US

    class TheUnheardHadNoEffect(Search):
        def __init__(self, calls, budget=1_000):
            super().__init__(calls, budget)
            self.unheard = []

    class EverythingCommutes(Search):
        def __init__(self, calls, budget=1_000):
            super().__init__(calls, budget)
            self.rules = [RULES[b"GET"].__class__(rule.step, rule.kind, 0, 9, only_reads=True) for rule in self.rules]

    class NobodyIsUnderWayWithAnother(Search):
        def __init__(self, calls, budget=1_000):
            super().__init__(calls, budget)
            self.ended = [0] * len(self.ended)

    for broken in (
        EveryCallIsACandidate,
        TheUnheardHadNoEffect,
        EverythingCommutes,
        NobodyIsUnderWayWithAnother,
    ):
        histories = [random_history(Random(f"register/{seed}"), MIXES["register"], most=6) for seed in range(300)]
        assert any(broken(calls).run() != brute_force(calls) for calls in histories), broken.__name__


# -- what a reader should know ----------------------------------------------------------------------------------------

SET_1 = call("a", "SET x 1", 0, 10, OK)
SET_2 = call("a", "SET x 2", 20, 30, OK)


def test_one_stale_read_is_refused_and_named() -> None:
    assert check(history(SET_1, SET_2, call("b", "GET x", 40, 50, b"2")))
    verdict = check(history(SET_1, SET_2, call("b", "GET x", 40, 50, b"1")))
    assert verdict.linearizable is False
    (refusal,) = verdict.refused
    assert (refusal.key, refusal.placed, refusal.calls, refusal.state) == (b"x", 2, 3, b"2")
    assert "b's GET x, sent at 0.000040 s and answered b'1' at 0.000050 s" in str(refusal)
    assert "Then GET x (b) must be answered 2, and was answered 1." in str(verdict)


def test_a_read_may_see_a_write_that_is_under_way_and_the_next_one_may_not_unsee_it() -> None:
    slow = call("a", "SET x 2", 20, 90, OK)
    early, late = call("b", "GET x", 40, 50, b"2"), call("c", "GET x", 60, 70, b"1")
    assert check(history(SET_1, slow, early))
    assert check(history(SET_1, slow, late))
    assert check(history(SET_1, slow, early, late)).linearizable is False


def test_a_call_that_nobody_answered_may_have_happened_much_later_or_never() -> None:
    lost = call("a", "SET x 2", 20)
    assert check(history(SET_1, lost, call("b", "GET x", 400, 410, b"1"), call("b", "GET x", 500, 510, b"2")))
    assert check(history(SET_1, lost, call("b", "GET x", 400, 410, b"1")))
    back_and_forth = [call("b", "GET x", at, at + 10, value) for at, value in ((400, b"2"), (500, b"1"))]
    assert check(history(SET_1, lost, *back_and_forth)).linearizable is False


def test_a_client_that_sends_at_once_sends_after_the_answer() -> None:
    assert check(history(SET_1, call("a", "GET x", 10, 20, b"1")))
    assert check(history(SET_1, call("a", "GET x", 10, 20, None))).linearizable is False


def test_keys_are_judged_apart_and_calls_on_no_key_left_out() -> None:
    ping = call("c", "PING", 5, 6, b"PONG")
    verdict = check(history(SET_1, call("b", "SET y 1", 0, 5, OK), ping, call("b", "GET y", 9, 12, b"7")))
    assert [refusal.key for refusal in verdict.refused] == [b"y"]
    assert (verdict.calls, verdict.keys) == (3, 2)


@pytest.mark.parametrize("words", ["MSET x 1 y 2", "DEL x y", "MULTI", "SET x 1 PX 100", "FLUSHALL", "HSET x f v"])
def test_what_it_cannot_judge_it_refuses_to_judge(words: str) -> None:
    with pytest.raises(HistoryError, match=words.split()[0]):
        check(history(call("a", words, 0, 10, OK)))


# -- size -------------------------------------------------------------------------------------------------------------


def long_history(seed: int, calls: int, keys: int, clients: int = 8) -> list[Call]:
    """A linearizable history: each call takes effect in the middle of its time, on one copy of the data."""
    random = Random(seed)
    states: dict[bytes, State] = {}
    made = []
    for number in range(calls):
        key = b"k%d" % random.randrange(keys)
        words = (b"GET", key) if random.random() < 0.5 else (b"SET", key, b"%d" % number)
        states[key], reply = RULES[words[0]].apply(states.get(key), words)
        moment_us = number * 10
        began_us, ended_us = moment_us - random.randrange(10 * clients), moment_us + random.randrange(1, 10 * clients)
        made.append(Call(f"c{number}", words, began_us, ended_us, reply))
    return made


def test_a_hundred_thousand_calls_take_few_steps_and_one_stale_read_is_found() -> None:
    calls = long_history(1, 100_000, keys=1_000)
    verdict = check(history(*calls))
    assert verdict
    assert verdict.steps < 300_000
    spoiled = next(n for n, one in enumerate(calls) if n > 50_000 and one.argv[0] == b"GET" and one.reply)
    calls[spoiled] = Call("c", calls[spoiled].argv, calls[spoiled].began_us, calls[spoiled].ended_us, b"0")
    assert [refusal.key for refusal in check(history(*calls)).refused] == [calls[spoiled].argv[1]]


def test_a_long_history_of_one_key_is_no_harder() -> None:
    assert check(history(*long_history(2, 10_000, keys=1))).steps < 200_000


def test_a_spent_budget_is_undecided_and_not_a_verdict() -> None:
    """Seven pushes that nobody answered, and a list that no order of some of them gives: all have to be tried."""
    pushes = [call(f"c{n}", f"RPUSH x {n}", 0) for n in range(7)]
    wrong = call("r", "LRANGE x 0 -1", 200, 210, [b"%d" % n for n in (0, 1, 2, 3, 4, 5, 5)])
    assert check(history(*pushes, wrong)).linearizable is False
    verdict = check(history(*pushes, wrong), budget=500)
    assert verdict.linearizable is None
    assert not verdict
    assert str(verdict) == "Undecided: 8 calls on 1 key; the budget was spent on x."


# -- runs -------------------------------------------------------------------------------------------------------------


def across_a_power_loss(**options: object) -> dr.Run:
    run = dr.Redis(appendonly=True, **options).start(seed=7)
    run.write(150, every_ms=10, key="x")
    run.crash("n1", "power loss", tail="lost", at_ms=1_090)
    run.restart("n1")
    run.command("GET", "x")
    return run


def test_a_lost_acknowledged_write_is_a_history_that_makes_no_sense() -> None:
    assert dr.linearizable(across_a_power_loss(appendfsync="always"))
    verdict = dr.linearizable(across_a_power_loss(appendfsync="everysec"))
    assert verdict.linearizable is False
    assert "Then GET x (you) must be answered" in str(verdict)


def test_a_history_holds_what_the_clients_know() -> None:
    run = dr.Redis(appendonly=True).start(seed=7)
    run.write(3, every_ms=10)
    run.play()
    run.command("INCR", "w1")
    run.crash("n1")
    made = History.of(run.playback)
    assert [one.argv[0] for one in made] == [b"SET"] * 3, "an error is no observation of the data"
    assert all(0 < one.began_us < one.ended_us < 1_000_000 for one in made)


def test_what_an_operator_asks_of_the_log_is_no_read_of_the_data() -> None:
    run = dr.MemoryDB(replicas=0).start(seed=7)
    run.write(1, key="x", value="1")
    run.play()
    assert run.command("GET", "x", node="log-a") != b"1"
    assert run.command("GET", "x") == b"1"
    assert dr.linearizable(run)


@pytest.mark.parametrize("what", [7, None, "run", dr.Redis()])
def test_what_is_no_run_is_not_judged(what: object) -> None:
    with pytest.raises(HistoryError, match="what is judged is a run, or a History, not "):
        dr.linearizable(what)  # type: ignore[arg-type]
