"""The house has floors (DESIGN 2): read from the imports, so that an arrow that runs up fails here.

`problems_of` judges one module from its source, and is itself tested at the end on small sources that break one rule
each.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "durable_redis"

FLOORS = {
    "contract": 0,
    "errors": 0,
    "formats": 1,
    "sim": 1,
    "engine": 2,
    "redis": 3,
    "memorydb": 3,
    "mysql": 3,
    "lab": 4,
    "verify": 4,
    "console": 5,
    "classroom": 5,
    "live": 5,
    "bookshelf": 5,  # the commands of the command line, one module each
    "inspection": 5,
    "inspection_log": 5,
    "bench": 5,
    "__main__": 6,
    "__init__": 6,
}
SIDEWAYS = {
    ("memorydb", "redis"),  # MemoryDB's server is Redis's server with another rule for the reply
    ("verify", "lab"),  # the judges read playbacks; nothing in the lab needs a judge
    ("inspection", "inspection_log"),  # one command in two files
    ("__main__", "__init__"),  # the command line may use the public names
}
SYSTEM_FLOOR = 3  # up to here: the standard library alone, no clock, no luck, no sockets, no files
MAY_IMPORT_SIM = 4  # the systems and the simulator meet only in `contract`
WORLDLY = {"time", "random", "socket", "os", "asyncio", "threading", "secrets", "pathlib", "datetime", "uuid"}
WORLDLY_ALLOWED = {"sim": {"random"}}  # its seeded streams
ACCELERATORS = {"formats": {"crcmod", "lzf"}}  # optional: under try, with a fallback
LONGEST_FILE, LONGEST_FUNCTION = 350, 60
SYSTEMS = ("sim", "formats", "engine", "redis", "memorydb")  # in each, the door tells in which order to read


@dataclass(frozen=True)
class Import:
    """One imported module, as a dotted name, and in what circumstances."""

    module: str
    line: int
    type_checking: bool  # only for the type checker
    guarded: bool  # under try
    inside_function: bool


def imports_of(tree: ast.Module, package: str) -> Iterator[Import]:
    """Every import of a module that lies in `package` ("durable_redis.sim"), relative ones made absolute."""

    def walk(node: ast.AST, type_checking: bool, guarded: bool, inside: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield Import(alias.name, child.lineno, type_checking, guarded, inside)
            elif isinstance(child, ast.ImportFrom):
                parents = package.split(".")[: len(package.split(".")) - child.level + 1] if child.level else []
                module = ".".join([*parents, *([child.module] if child.module else [])])
                names = [alias.name for alias in child.names] if module == "durable_redis" else [""]
                for name in names:  # `from durable_redis import formats` imports formats
                    yield Import(f"{module}.{name}".rstrip("."), child.lineno, type_checking, guarded, inside)
            else:
                for_types = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
                tried = isinstance(child, ast.Try)
                function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
                yield from walk(child, type_checking or for_types, guarded or tried, inside or function)

    yield from walk(tree, False, False, False)


def problems_of(name: str, source: str) -> list[str]:
    """What is wrong with the module `name`, relative to the package: "formats/resp", "contract"."""
    tree = ast.parse(source)
    home = name.split("/")[0]
    package = ".".join(["durable_redis", *name.split("/")[:-1]])
    problems = [] if ast.get_docstring(tree) else ["does not open with its law in a docstring"]
    if (length := len(source.splitlines())) > LONGEST_FILE:
        problems.append(f"has {length} lines, more than {LONGEST_FILE}")
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > LONGEST_FUNCTION:
                problems.append(f"line {node.lineno}: {node.name} has {length} lines, more than {LONGEST_FUNCTION}")
    for found in imports_of(tree, package):
        problem = (_problem_inside if found.module.split(".")[0] == "durable_redis" else _problem_outside)(home, found)
        if problem:
            problems.append(f"line {found.line}: {problem}")
    return problems


def _problem_inside(home: str, found: Import) -> str | None:
    """An import of the package itself: downwards only."""
    target = found.module.partition(".")[2].partition(".")[0]
    if target not in FLOORS:
        target = "__init__"  # a name of the package's own: `from durable_redis import __version__`
    if target == home or (home, target) in SIDEWAYS:
        return None
    if FLOORS[target] >= FLOORS[home]:
        return f"{home} (floor {FLOORS[home]}) imports {target} (floor {FLOORS[target]})"
    if target == "sim" and FLOORS[home] < MAY_IMPORT_SIM:
        return f"{home} imports sim: they meet only in contract"
    return None


def _problem_outside(home: str, found: Import) -> str | None:
    """An import from elsewhere: nothing of the world below the lab."""
    top = found.module.split(".")[0]
    foreign = top not in sys.stdlib_module_names
    if found.type_checking:
        return None
    if FLOORS[home] > SYSTEM_FLOOR:
        unconditional = foreign and not (found.guarded or found.inside_function)
        return f"{home} needs {top} to be imported at all" if unconditional and FLOORS[home] == 4 else None
    if top in WORLDLY - WORLDLY_ALLOWED.get(home, set()):
        return f"{home} imports {top}: the world is handed in through contract"
    if foreign and not (top in ACCELERATORS.get(home, set()) and found.guarded):
        return f"{home} imports {top}, which is not in the standard library"
    return None


MODULES = sorted(path.relative_to(PACKAGE).with_suffix("").as_posix() for path in PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("name", MODULES)
def test_the_house_stands(name):
    assert name.split("/")[0] in FLOORS, f"{name} is on no floor: add it to FLOORS and to DESIGN 2"
    assert problems_of(name, (PACKAGE / f"{name}.py").read_text(encoding="utf-8")) == []


DOORS = [path for path in PACKAGE.rglob("__init__.py") if path.relative_to(PACKAGE).parts[0] in SYSTEMS]


def packages_with_a_reading_order() -> list[str]:
    doors = {path.parent: ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) for path in DOORS}
    return sorted(
        folder.relative_to(PACKAGE).as_posix() for folder, text in doors.items() if "Reading order" in (text or "")
    )


def left_out(text: str, modules: Iterable[str]) -> list[str]:
    """The modules that a package's docstring does not name."""
    return sorted(set(modules) - set(re.findall(r"\w+", text)) - {"__init__", "__pycache__"})


@pytest.mark.parametrize("name", packages_with_a_reading_order())
def test_a_reading_order_leaves_nothing_out(name: str) -> None:
    door = PACKAGE / name / "__init__.py"
    modules = [path.stem for path in door.parent.iterdir() if path.suffix == ".py" or path.is_dir()]
    assert left_out(ast.get_docstring(ast.parse(door.read_text(encoding="utf-8"))) or "", modules) == []


def test_a_module_that_no_reading_order_names_is_seen() -> None:
    assert len(packages_with_a_reading_order()) >= 11
    assert left_out("Reading order: `resp`, then `aof`.", ["__init__", "aof", "lzf", "resp"]) == ["lzf"]


# --- the checker itself ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "source", "sentence"),
    [
        ("formats/resp", "from durable_redis.engine import values", "formats (floor 1) imports engine (floor 2)"),
        ("formats/resp", "from durable_redis import engine", "formats (floor 1) imports engine (floor 2)"),
        ("formats/rdb/reader", "from ...sim import world", "formats (floor 1) imports sim (floor 1)"),
        ("sim/world", "import durable_redis.formats", "sim (floor 1) imports formats (floor 1)"),
        ("redis/server", "from durable_redis.memorydb.log import Log", "redis (floor 3) imports memorydb (floor 3)"),
        ("redis/server", "from durable_redis.sim import world", "redis imports sim: they meet only in contract"),
        ("redis/server", "from durable_redis import OK", "redis (floor 3) imports __init__ (floor 6)"),
        (
            "redis/server",
            "def f():\n    from durable_redis import lab",
            "line 3: redis (floor 3) imports lab (floor 4)",
        ),
        ("engine/engine", "import time", "engine imports time: the world is handed in"),
        ("engine/engine", "import os.path", "engine imports os: the world is handed in"),
        ("formats/rdb/reader", "import random", "formats imports random"),
        ("mysql/source", "import asyncio", "mysql imports asyncio"),
        ("sim/disk", "from time import sleep", "sim imports time"),
        ("sim/disk", "import numpy", "sim imports numpy, which is not in the standard library"),
        ("formats/lzf", "import lzf", "formats imports lzf, which is not in the standard library"),
        ("engine/engine", "try:\n    import lzf\nexcept ImportError:\n    lzf = None", "engine imports lzf"),
        ("lab/sweep", "import pandas", "lab needs pandas to be imported at all"),
        ("lab/sweep", "x = 1\n" * 350, "has 351 lines, more than 350"),
        ("lab/sweep", "def f():\n" + "    x = 1\n" * 60, "line 2: f has 61 lines, more than 60"),
    ],
)
def test_the_checker_sees_each_broken_rule(name, source, sentence):
    problems = problems_of(name, f'"""The law."""\n{source}')
    assert len(problems) == 1
    assert sentence in problems[0]


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("memorydb/server", "from durable_redis.redis.server import RedisServer"),
        ("redis/persistence/aof", "from durable_redis.redis.server import RedisServer"),
        ("redis/persistence/aof", "from ..config import Config"),
        ("redis/server", "from durable_redis import contract\nfrom durable_redis.formats.resp import OK\nimport heapq"),
        ("sim/world", "from random import Random"),
        ("lab/run", "import time\nfrom durable_redis.sim import world\ndef frame():\n    import pandas"),
        ("formats/lzf", "try:\n    import lzf\nexcept ImportError:\n    lzf = None"),
        ("engine/engine", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from random import Random"),
        ("console/scene", "import anywidget"),
        ("__init__", "from durable_redis.lab import Redis"),
        ("__main__", "from durable_redis import lab, Redis"),
    ],
)
def test_the_checker_lets_good_imports_be(name, source):
    assert problems_of(name, f'"""The law."""\n{source}') == []


def test_a_module_without_its_law_is_seen():
    assert problems_of("lab/sweep", "x = 1") == ["does not open with its law in a docstring"]


def test_every_test_module_has_a_name_of_its_own():
    """pytest imports them by their bare names: of two with the same one, the second is not collected."""
    names = [path.name for path in Path(__file__).parent.rglob("test_*.py")]
    assert sorted(name for name in names if names.count(name) > 1) == []
