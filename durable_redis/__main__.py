"""Crash the nodes of a Redis in a simulated machine room, and see which acknowledged writes survive.

The command line: `python -m durable_redis COMMAND`, or `durable-redis COMMAND`.

Every command exits with 0 when all is well, 1 when it looked and the answer is bad (a damaged file, a run that came out
differently), and 2 when it was used wrongly.  To find losses is what a sweep is for: that is 0.  What takes longer than
a second shows a progress bar on stderr; `--json` is there wherever a program may want to read the answer.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace

from durable_redis import __version__, bench, bookshelf, inspection
from durable_redis.lab import scenarios
from durable_redis.lab.deployments import DEPLOYMENTS, parse_deployment
from durable_redis.lab.errors import LabError
from durable_redis.lab.run import Run, replay
from durable_redis.lab.schedules import ALL_FAULTS
from durable_redis.lab.sweep import sweep
from durable_redis.sim.faults import CRASHES
from durable_redis.sim.scenario import ModelChanged
from durable_redis.verify.bughunt import bugs
from durable_redis.verify.fuzz import fuzz
from durable_redis.verify.reference import UnknownCommand
from durable_redis.verify.trials import NEMESIS
from durable_redis.verify.verdict import Verdict, judge

NAMES = ", ".join(DEPLOYMENTS)
BROKEN_PIPE = 141
"""What a shell says of a command that was ended by SIGPIPE."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    if rest and options.command != "book":
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        status = _run(options, rest)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # whoever read this has seen enough: `inspect ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the interpreter tries once more
        return BROKEN_PIPE
    except ValueError as error:  # every named error of the lab is one
        print(f"durable-redis: {error}", file=sys.stderr)
        return 1 if isinstance(error, ModelChanged) else 2


def _run(options: argparse.Namespace, rest: Sequence[str]) -> int:
    match options.command:
        case "book":
            return bookshelf.open_book(rest)
        case "inspect":
            return inspection.run_inspect(options)
        case "bench":
            return bench.run_bench(options)
        case "replay":
            return _replay(options)
        case "scenarios":
            return _scenarios(options)
        case "fuzz":
            return _fuzz(options)
        case "bugs":
            return _bugs(options)
        case _:
            return _sweep(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="durable-redis", description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--version", action="version", version=f"durable-redis {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("book", help="open the book in JupyterLab; further options go to jupyter lab")
    inspection.add_inspect_parser(commands)

    player = commands.add_parser("replay", help="play a replay string: is it the same run, and what did it lose?")
    player.add_argument(
        "string",
        metavar="STRING",
        help="what run.replay_string() printed, in quotes; or the name of a scenario",
    )
    player.add_argument("--json", action="store_true", help="print one JSON object")

    lister = commands.add_parser(
        "scenarios", help="the named scenarios: what happens in each, and which has the remedy"
    )
    lister.add_argument("--json", action="store_true", help="print one JSON object")

    _add_sweep_parser(commands)
    _add_fuzz_parsers(commands)
    bench.add_bench_parser(commands)
    return parser


def _add_sweep_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    sweeper = commands.add_parser("sweep", help="crash a deployment after every step, or under many seeds")
    sweeper.add_argument("deployment", metavar="DEPLOYMENT", help=f'such as "Redis(appendonly=True)" ({NAMES})')
    sweeper.add_argument(
        "--writes", type=_positive, default=100, metavar="N", help="writes of the client (default 100)"
    )
    sweeper.add_argument("--every-ms", type=float, default=10, metavar="MS", help="a write every MS (default 10)")
    sweeper.add_argument("--crash", choices=CRASHES, action="append", help="this kind of crash only; may be repeated")
    sweeper.add_argument("--node", default="", help="the node to crash (default: the primary)")
    sweeper.add_argument(
        "--then",
        choices=("restart", "failover"),
        default="restart",
        help="the node comes back at once (default), or stays away until another has taken over",
    )
    sweeper.add_argument("--seed", type=_seed, default=0, help="the first seed (default 0)")
    sweeper.add_argument("--seeds", type=_positive, default=1, metavar="N", help="so many seeds (default 1)")
    sweeper.add_argument(
        "--every", type=_positive, default=1, metavar="N", help="crash after every Nth step (default 1)"
    )
    sweeper.add_argument("--jobs", type=_positive, default=2, metavar="N", help="processes (default 2)")
    sweeper.add_argument("--json", action="store_true", help="print one JSON object")


def _add_fuzz_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    fuzzer = commands.add_parser("fuzz", help="random schedules of faults, and what the judges say of each run")
    fuzzer.add_argument("deployment", metavar="DEPLOYMENT", help=f'such as "Redis(appendonly=True)" ({NAMES})')
    fuzzer.add_argument("--seeds", type=_positive, default=100, metavar="N", help="so many seeds (default 100)")
    fuzzer.add_argument("--first-seed", type=_seed, default=0, metavar="K", help="the first seed (default 0)")
    fuzzer.add_argument("--fault", choices=ALL_FAULTS, action="append", help="this fault only; may be repeated")
    fuzzer.add_argument("--jobs", type=_positive, default=2, metavar="N", help="processes (default 2)")
    fuzzer.add_argument("--json", action="store_true", help="print one JSON object")

    hunter = commands.add_parser(
        "bugs", help="hunt the bugs planted in MemoryDB: who catches each, after how many seeds?"
    )
    hunter.add_argument("names", metavar="NAME", nargs="*", help="such as 'no tracker' (default: all bugs)")
    hunter.add_argument(
        "--seeds", type=_positive, metavar="N", help="so many seeds for each at most (default: its own)"
    )
    hunter.add_argument("--jobs", type=_positive, default=2, metavar="N", help="processes (default 2)")
    hunter.add_argument("--json", action="store_true", help="print one JSON object")


def _replay(options: argparse.Namespace) -> int:
    named = scenarios.SCENARIOS.get(options.string)
    if named is None and ";" not in options.string:
        raise LabError(
            f"there is no scenario {options.string!r}, and a replay string begins with 'dr1' and a semicolon: "
            "`durable-redis scenarios` lists them"
        )
    try:
        run = replay(options.string) if named is None else scenarios.play(named.name)
    except AssertionError as error:
        print(f"durable-redis: the run ends where a node finds a mistake of its own: {error}", file=sys.stderr)
        return 1
    receipt = run.receipt() if run.survivor_is_up else None
    verdict: Verdict | str
    try:
        verdict = judge(run)
    except UnknownCommand as error:
        verdict = f"nobody can judge this run: {error}"
    if options.json:
        print(
            json.dumps(
                {
                    "digest": run.digest(),
                    "steps": run.steps,
                    "now_ms": run.now_ms,
                    "receipt": dict(receipt.counts) if receipt is not None else None,
                    "objections": [str(one) for one in verdict.findings] if isinstance(verdict, Verdict) else None,
                }
            )
        )
        return 0
    if named is not None:
        print(f"{named.name}: {named.expect}\n")
    print(f"{run.deployment!r}, seed {run.seed}: {run.steps} steps, {run.now_ms:.3f} ms")
    print(f"digest {run.digest()}")
    print(receipt if receipt is not None else "the run ends with the server down: there is no receipt")
    print(f"\n{verdict}")
    if named is not None and named.remedy:
        print(f"\nThe same with the mechanism: durable-redis replay {named.remedy}")
    return 0


def _scenarios(options: argparse.Namespace) -> int:
    if options.json:
        print(json.dumps({name: asdict(scenario) for name, scenario in scenarios.SCENARIOS.items()}))
        return 0
    for name, scenario in scenarios.SCENARIOS.items():
        print(f"{name}\n    {scenario.expect}\n    {scenario.deployment}")
        if scenario.remedy:
            print(f"    with the mechanism: {scenario.remedy}")
        print()
    print("durable-redis replay NAME plays one.")
    return 0


def _sweep(options: argparse.Namespace) -> int:
    run = Run(parse_deployment(options.deployment), options.seed)
    run.write(options.writes, every_ms=options.every_ms)
    run.play()
    first = run.playback.performed[0].before
    with ProcessPoolExecutor(options.jobs) as executor:
        result = sweep(
            run,
            crashes=options.crash or CRASHES,
            steps=range(first, run.steps + 1, options.every),
            seeds=range(options.seed, options.seed + options.seeds),
            executor=executor,
            progress=sys.stderr.isatty(),
            node=options.node,
            then=options.then,
        )
    if options.json:
        names = ("crash", "points", "with_losses", "mean_lost", "most_lost")
        rows = [dict(zip(names, row, strict=True)) for row in result.summary()]
        print(json.dumps({"deployment": options.deployment, "seeds": options.seeds, "crashes": rows}))
    else:
        print(f"{run.deployment!r}: {options.writes} writes, a crash after every {_ordinal(options.every)}step")
        print(result)
    return 0


def _fuzz(options: argparse.Namespace) -> int:
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    nemesis = replace(NEMESIS, faults=tuple(options.fault)) if options.fault else None
    with ProcessPoolExecutor(options.jobs) as executor:
        report = fuzz(options.deployment, seeds, nemesis, executor, progress=sys.stderr.isatty())
    print(json.dumps(report.as_json()) if options.json else report)
    return 1 if report.failures else 0


def _bugs(options: argparse.Namespace) -> int:
    with ProcessPoolExecutor(options.jobs) as executor:
        report = bugs(*options.names, seeds=options.seeds, executor=executor, progress=sys.stderr.isatty())
    print(json.dumps(report.as_json()) if options.json else report)
    return 0 if report else 1


def _ordinal(every: int) -> str:
    return "" if every == 1 else f"{every}th "


def _seed(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError(f"a seed is a whole number, 0 or more, not {text}")
    return int(text)


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"give a number of at least 1, not {text}")
    return number


if __name__ == "__main__":
    sys.exit(main())
