"""Replay strings: the same run anywhere, under any hash seed; and a sentence for every string that is none."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import durable_redis as dr
from durable_redis.sim.scenario import ReplayError

SCENARIO = """
import durable_redis as dr
run = dr.Redis(appendonly=True, save=((1, 5),), clients=3).start(seed=9)
run.write(90, every_ms=11)
run.play(500)
run.command("SADD", "s", *"abcdefgh")
run.command("SPOP", "s")
run.command("BGREWRITEAOF")
run.crash("n1", "power loss", at_ms=900)
run.restart("n1")
run.play()
print(run.digest())
print(run.replay_string())
"""


def played_elsewhere(hash_seed: str, program: str = SCENARIO) -> list[str]:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment, timeout=120
    )
    return ended.stdout.splitlines()


def test_the_same_run_under_any_hash_seed_and_from_its_replay_string() -> None:
    digests = [played_elsewhere(hash_seed) for hash_seed in ("0", "1", "random")]
    assert digests[0] == digests[1] == digests[2]
    digest, text = digests[0]
    here = dr.replay(text)
    assert here.digest() == digest
    assert here.replay_string() == text
    again = f"import durable_redis as dr\nprint(dr.replay({text!r}).digest())"
    assert played_elsewhere("2", again) == [digest]


def a_string() -> str:
    run = dr.Redis(appendonly=True).start(seed=7)
    run.write(30, every_ms=10)
    run.crash("n1", "power loss", at_ms=200)
    run.restart("n1")
    return run.replay_string()


GOOD = a_string()


def test_a_replayed_run_goes_on_like_the_original() -> None:
    run, again = dr.replay(GOOD), dr.replay(GOOD)
    run.write(3)
    run.play()
    again.write(3)
    again.play()
    assert run.digest() == again.digest()
    assert run.receipt().rows == again.receipt().rows


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a replay string begins with 'dr1' and a semicolon, and this text with ''"),
        ("hello; world", "a replay string begins with 'dr1' and a semicolon, and this text with 'hello'"),
        ("dr1", "at least four parts"),
        ("dr0" + GOOD[3:], "the replay string is of model dr0, and this is dr1: it cannot be replayed here"),
        (GOOD[: GOOD.index(";end")], "the replay string has no end"),
        (GOOD[: len(GOOD) // 2], "the replay string has no end|part . of the replay string"),
        (GOOD[:-40], "a check has 16 whole digests, and this one has 8: it was cut off"),
        (GOOD[: GOOD.index(";check") - 2], "it ends at step .*, before its last action: it was cut off"),
        (GOOD[:-1], "a check has 16 whole digests, and this one has 15: it was cut off"),
        (7, "a replay string is text that begins with 'dr1', not 7"),
        (None, "a replay string is text that begins with 'dr1', not None"),
        (GOOD.replace("seed=7", "seed=seven"), "part 3 should be the seed, such as seed=7"),
        (GOOD.replace("seed=7", "seed=8"), "edited, or the model has changed.* same up to step 0, and differs"),
        (GOOD.replace("write(30", "write(31"), r"without its part check=\.\.\. the line is played as it stands"),
        (GOOD.replace("crash(", "clash("), "cannot be played: there is no action 'clash'"),
        (GOOD.replace("crash('n1'", "crash('n2'"), "cannot be played: there is no node 'n2'"),
        (GOOD.replace("restart('n1')", "crash('n1', 'power loss')"), "cannot be played: n1 is already down"),
        (GOOD.replace("write(30", "write(open('x')"), "part 4 of the replay string is no action: .* not a literal"),
        (GOOD.replace("write(30", "write({[]: 1}"), "part 4 of the replay string is no action: .* not a literal"),
        (GOOD.replace("write(30", "write('x'"), "cannot be played: write"),
        (GOOD.replace("write(30", "write(10**9"), "part 4 of the replay string is no action|cannot be played"),
        (GOOD.replace("write(30", "write(999999999"), "cannot be played: write"),
        (GOOD.replace("@200000us", "@now"), "part 5 of the replay string should say when"),
        (GOOD.replace("@200000us", "@s1"), "cannot be played: .* comes too late"),
        *((GOOD.replace("seed=7", f"seed={number}"), "part 3 should be the seed") for number in ("²", "9" * 5000)),
        *((GOOD.replace(";end@s", f";end@s{number}"), "part . of the replay") for number in ("²", "9" * 5000)),
        *((GOOD.replace("@200000us", f"@{number}us"), "should say when") for number in ("²", "9" * 5000)),
        (GOOD.replace("Redis(appendonly=True)", "Sider()"), "there is no deployment 'Sider'"),
        (GOOD.replace("appendonly=True", "appendonly=1"), "appendonly is of type bool"),
        (GOOD.replace("appendonly=True", "hz=float('inf')"), "a deployment is written like Redis"),
        (GOOD.replace("Redis(appendonly=True)", "Redis(True)"), "the options of Redis are given by name"),
        (GOOD.replace("Redis(appendonly=True)", "Redis(**{})"), r"there is no option '\*\*'"),
        (GOOD.replace("Redis(appendonly=True)", "Redis(hardware={'fsync_us': 'x'})"), "fsync_us"),
        (GOOD.replace("Redis(appendonly=True)", "Redis(hardware={'write_bytes_per_s': 0})"), "write_bytes_per_s"),
        (GOOD.replace("Redis(appendonly=True)", "Redis(hardware=5)"), "hardware"),
        (GOOD.replace("Redis(appendonly=True)", "Redis(clients='x')"), "clients"),
    ],
)  # fmt: skip
def test_a_wrong_replay_string_is_named_in_one_sentence(text: str, said: str) -> None:
    with pytest.raises(ReplayError, match=said) as caught:
        dr.replay(text)
    assert "\n" not in str(caught.value)


def test_no_mangled_string_raises_anything_else() -> None:
    """Every string with one piece cut out, doubled or exchanged: a ReplayError, or a run."""
    pieces = [";", "@", "'", "(", ")", "=", "s", "7", "us", "write", "True", ","]
    tried = refused = 0
    for position in range(0, GOOD.index(";check"), 5):
        for piece in pieces:
            text = GOOD[:position] + piece + GOOD[position + 1 :]
            tried += 1
            try:
                dr.replay(text)
            except ReplayError:
                refused += 1
    assert refused > tried * 0.9
