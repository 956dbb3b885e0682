"""A mistake of the reader's is one sentence in a notebook, without a traceback, and the next cell runs."""

from __future__ import annotations

import pytest
from IPython.core.interactiveshell import InteractiveShell

PREPARE = """
import durable_redis as dr
from durable_redis.classroom import adversary, check, observe, predict
run = dr.Redis(appendonly=True).start(seed=7)
run.write(5)
run.play()
line = run.replay_string()
"""


@pytest.fixture(scope="module")
def shell():
    shell = InteractiveShell()
    assert shell.run_cell(PREPARE).success
    return shell


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        ("dr.replay(line.replace('dr1', 'dr0'))", "ReplayError: "),
        ("dr.replay(line.replace('every_ms=10', 'every_ms=11'))", "ModelChanged: "),
        ("dr.replay('hello')", "ReplayError: "),
        ("run.crash('n2')", "Error: "),
        ("run.go(-1)", "LabError: there is no step -1"),
        ("dr.Redis(appendfsync='allways')", "ConfigError: "),
        ("predict('x', 'How many?', options=[1, 2]).lock(3)", "ClassroomError: choose one of the options: 1, 2."),
        ("predict('y', 'How many?').lock('many')", "ClassroomError: write a number, such as 12."),
        ("check('no-such-exercise', 1)", "ClassroomError: there is no exercise 'no-such-exercise'"),
        ("adversary(run, 'thunder')", "ClassroomError: no crash is called 'thunder'"),
    ],
)
def test_a_mistake_is_one_sentence(shell, capsys, cell, sentence):
    capsys.readouterr()
    assert not shell.run_cell(cell).success
    said = capsys.readouterr()
    said = said.out + said.err
    assert sentence in said
    assert "Traceback" not in said
    assert ".py" not in said
    assert len(said.strip().splitlines()) == 1
    assert shell.run_cell("assert 'PlainError' not in dir()").success


def test_an_error_of_the_package_keeps_its_traceback(shell, capsys):
    capsys.readouterr()
    assert not shell.run_cell("run.frame('x')").success
    said = capsys.readouterr()
    assert "Traceback" in said.out + said.err
