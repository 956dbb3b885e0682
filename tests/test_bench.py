"""The benchmarks run and say what they measured.  Never how fast: that is not a test's affair."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace

import pytest

from durable_redis import bench, linearizable
from durable_redis.bench import BENCHMARKS, Row, checker, simulator
from durable_redis.bench.measure import INSTALL, best_rates
from durable_redis.verify.history import NEVER_US, History

TINY = 0.001

PEERS = {"simulator": "simpy", "engine": "fakeredis", "rdb": "rdbtools"}  # what is replayed has no peer
COMPARED = {"simulator": 1, "replay": 0, "engine": 2, "rdb": 2}  # those whose peer is a package


@pytest.mark.parametrize("name", BENCHMARKS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")  # the peers', not ours
def test_each_benchmark_measures_itself_and_its_peer(name: str) -> None:
    if name in PEERS:
        pytest.importorskip(PEERS[name])
    rows = BENCHMARKS[name](TINY, 1)
    assert rows
    for row in rows:
        assert row.ours > 0
        assert row.unit.endswith("/s") or row.unit == "ms"
        if row.peer_name:
            assert row.peer is not None
            assert row.peer > 0
            assert row.verdict in ("reached", "missed")


@pytest.mark.parametrize("name", COMPARED)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_without_its_peer_a_benchmark_says_how_to_install_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("durable_redis.bench.measure.find_spec", lambda _: None)
    rows = BENCHMARKS[name](TINY, 1)
    assert [row.verdict for row in rows if row.aim is not None] == [INSTALL] * COMPARED[name]
    assert all(row.ratio is None and row.ours > 0 for row in rows)


def test_the_simulator_and_its_peer_do_the_same_work() -> None:
    """Line by line, to the microsecond: what is compared is how fast, and nothing else."""
    pytest.importorskip("simpy")
    ours = simulator.our_journal(50)
    assert ours == simulator.peer_journal(50)
    assert len(ours) == 50 * 14


def test_the_checker_and_its_peer_find_the_same() -> None:
    """Histories of 60 calls, with a wrong answer in every other one."""
    found = []
    for seed in range(60):
        calls = checker.made_history(seed, 60, keys=2)
        reads = [number for number, call in enumerate(calls) if call.argv[0] == b"GET" and call.reply]
        if seed % 2:
            calls[reads[-1]] = replace(calls[reads[-1]], reply=calls[reads[0]].reply)
        calls[0] = replace(calls[0], ended_us=NEVER_US)
        found.append(checker.plain_search(calls))
        assert found[-1] == linearizable(History(tuple(calls))).linearizable
    assert found[::2] == [True] * 30
    assert found.count(False) > 20


def test_rivals_take_turns_and_the_best_round_of_each_counts() -> None:
    turns: list[str] = []
    rates = {"ours": iter([1.0, 3.0, 2.0]), "theirs": iter([5.0, 4.0, 6.0])}

    def rival(name: str) -> float:
        turns.append(name)
        return next(rates[name])

    assert best_rates([lambda: rival("ours"), lambda: rival("theirs")], rounds=3) == [3.0, 6.0]
    assert turns == ["ours", "theirs"] * 3


ROWS = [
    Row("a part", "events/s", 300_000.0, "Peer", 100_000.0, aim=2.0),
    Row("another", "MB/s", 12.345, "Peer", 10.0, aim=2.0),
    Row("alone", "MB/s", 5.0, note="no peer"),
]


def test_the_table_is_aligned() -> None:
    assert bench.table(ROWS).splitlines() == [
        "what     unit         ours  peer           ratio  aim",
        "a part   events/s  300,000  Peer  100,000   3.0x   2x  reached",
        "another  MB/s         12.3  Peer     10.0   1.2x   2x  missed",
        "alone    MB/s          5.0                             no peer",
    ]


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    bench.add_bench_parser(parser.add_subparsers())
    return parser.parse_args(["bench", *words])


def test_the_command_prints_one_json_object(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(BENCHMARKS, "fixed", lambda scale, rounds: ROWS)
    assert bench.run_bench(parse("fixed", "--json")) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["rows"][0] == {
        "what": "a part",
        "unit": "events/s",
        "ours": 300_000.0,
        "peer_name": "Peer",
        "peer": 100_000.0,
        "ratio": 3.0,
        "aim": 2.0,
        "verdict": "reached",
    }
    assert [row["verdict"] for row in printed["rows"]] == ["reached", "missed", "no peer"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nonsense"], "there is no benchmark 'nonsense': choose from simulator, replay, engine, rdb, checker"),
        (["rdb", "--scale", "0"], "--scale and --rounds must be more than 0"),
        (["rdb", "--rounds", "0"], "--scale and --rounds must be more than 0"),
    ],
)
def test_a_wrong_use_is_told(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.run_bench(parse(*words)) == 2
    assert message in capsys.readouterr().err
