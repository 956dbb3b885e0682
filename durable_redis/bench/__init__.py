"""Benchmarks: how fast the parts are beside their peers, measured in one run.

Each benchmark is a function of a scale (1 is the usual amount of work) and a number of rounds; it returns rows.  The
peers are optional packages, imported when their turn comes; a row without its peer says how to install it.

    python -m durable_redis bench                    all of them
    python -m durable_redis bench engine --json      one, for a program to read
"""

from __future__ import annotations

import argparse
import json as json_format
import sys
from collections.abc import Callable, Sequence

from durable_redis.bench.checker import measure_checker
from durable_redis.bench.engine import measure_engine
from durable_redis.bench.measure import Row
from durable_redis.bench.rdb import measure_rdb
from durable_redis.bench.replay import measure_replay
from durable_redis.bench.simulator import measure_simulator

__all__ = ["BENCHMARKS", "Row", "add_bench_parser", "run", "run_bench"]

Benchmark = Callable[[float, int], list[Row]]

BENCHMARKS: dict[str, Benchmark] = {
    "simulator": measure_simulator,
    "replay": measure_replay,
    "engine": measure_engine,
    "rdb": measure_rdb,
    "checker": measure_checker,
}


NUMBERS = (2, 4, 5, 6)
"""The columns of the table that are aligned at the right."""


def run(names: Sequence[str] = (), json: bool = False, scale: float = 1.0, rounds: int = 5) -> list[Row]:
    """Measure these (all of them, if none is named) and print a table, or one JSON object."""
    rows = []
    for name in names or list(BENCHMARKS):
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        rows += BENCHMARKS[name](scale, rounds)
    print(json_format.dumps({"rows": [_as_json(row) for row in rows]}, indent=2) if json else table(rows))
    return rows


def table(rows: Sequence[Row]) -> str:
    """The rows as aligned text."""
    lines = [("what", "unit", "ours", "peer", "", "ratio", "aim", "")]
    for row in rows:
        peer = "" if row.peer is None else _figure(row.peer)
        ratio = "" if row.ratio is None else f"{row.ratio:.1f}x"
        aim = "" if row.aim is None else f"{row.aim:g}x"
        lines.append((row.what, row.unit, _figure(row.ours), row.peer_name, peer, ratio, aim, row.verdict))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(_aligned(line, widths) for line in lines)


def _aligned(line: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        cell.rjust(width) if place in NUMBERS else cell.ljust(width)
        for place, (cell, width) in enumerate(zip(line, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()


def add_bench_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `bench`."""
    parser = subparsers.add_parser("bench", help="how fast the parts are beside their peers, measured in one run")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(BENCHMARKS)} (default: all)")
    parser.add_argument("--scale", type=float, default=1.0, metavar="X", help="X times the usual work (default 1)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="the best of N rounds counts (default 5)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run_bench(options: argparse.Namespace) -> int:
    """Run the command; 2 if it was used wrongly.  A missed aim is shown, and is no failure: machines differ."""
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown or options.scale <= 0 or options.rounds < 1:
        reason = f"there is no benchmark {unknown[0]!r}: choose from {', '.join(BENCHMARKS)}" if unknown else ""
        print(f"durable-redis: {reason or '--scale and --rounds must be more than 0'}", file=sys.stderr)
        return 2
    run(options.names, options.json, options.scale, options.rounds)
    return 0


def _figure(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.1f}"


def _as_json(row: Row) -> dict[str, object]:
    return {
        "what": row.what,
        "unit": row.unit,
        "ours": row.ours,
        "peer_name": row.peer_name or None,
        "peer": row.peer,
        "ratio": row.ratio,
        "aim": row.aim,
        "verdict": row.verdict,
    }
