"""environment.yml, for conda and Binder, asks for what pyproject.toml asks for in its extra "book".

conda itself is not run here: its channels need a client of their own.  So the shape of the file is checked, and every
line is compared with the pip requirement that it stands for.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
PIP_NAME = {"matplotlib-base": "matplotlib"}  # conda's matplotlib would bring a window system along
SPECIFICATION = re.compile(
    r"([a-z0-9][a-z0-9._-]*)((?:>=|<=|==|<|>|!=)[0-9][0-9a-z.*]*(?:,(?:>=|<=|<|>|!=)[0-9][0-9.]*)*)?"
)


def environment():
    return yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def split(requirement):
    """`pandas>=2.2,<4` -> (`pandas`, {`>=2.2`, `<4`})"""
    match = SPECIFICATION.fullmatch(requirement)
    assert match, f"not a name with a range: {requirement!r}"
    return match[1], frozenset((match[2] or "").split(",")) - {""}


def test_the_file_has_the_shape_that_conda_and_binder_read():
    found = environment()
    assert sorted(found) == ["channels", "dependencies", "name"]
    assert re.fullmatch(r"[a-z0-9-]+", found["name"])
    assert found["channels"] == ["conda-forge"]
    *names, last = found["dependencies"]
    assert all(isinstance(line, str) and split(line) for line in names)
    assert last == {"pip": ["-e .[book]"]}
    assert "pip" in names  # without it conda warns, and Binder stops


def test_names_and_ranges_are_those_of_the_extra_book():
    conda = dict(split(line) for line in environment()["dependencies"] if isinstance(line, str))
    assert conda.pop("pip") == frozenset()
    assert conda.pop("python") == split(f"python{project()['requires-python']}")[1]
    extra = [line for line in project()["optional-dependencies"]["book"] if not line.startswith("durable-redis")]
    assert {PIP_NAME.get(name, name): ranges for name, ranges in conda.items()} == dict(map(split, extra))
