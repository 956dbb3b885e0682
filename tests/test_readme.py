"""What the README says is so: its session is run, and its commands are those that CI runs."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_session_in_the_readme_runs_as_printed():
    text = "\n".join(re.findall(r"```pycon\n(.*?)```", README, re.DOTALL))
    test = doctest.DocTestParser().get_doctest(text, {}, "README", "README.md", 0)
    assert len(test.examples) >= 5
    assert doctest.DocTestRunner().run(test).failed == 0


def test_every_chapter_is_listed_under_its_claim():
    import json

    for path in sorted((ROOT / "book").glob("[0-9]*.ipynb")):
        title = "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"]).splitlines()[0]
        number, claim = re.fullmatch(r"# (\d\d) · (.*)", title).groups()
        assert f"| [{number}](book/{path.name}) | {claim} |" in README


def test_ci_runs_the_test_command_of_the_readme():
    assert "python -m pytest" in README
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert "python -m pytest" in lines


def test_every_link_into_the_project_leads_somewhere():
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in target]
    assert targets
    for target in targets:
        assert (ROOT / target).exists(), target
