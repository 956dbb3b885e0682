"""book/build.py writes the same bytes every time, sees every difference, and its chapters pass strict nbval.

On a clean checkout a rebuild changes nothing.  That is what `build.py --check` says after a run of its own; here it
follows from two parts, so that a chapter need not be run twice: `book/conftest.py` compares the outputs of every cell
under nbval, and the last test of this module the form of the file around them.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

BOOK = Path(__file__).parents[2] / "book"
BUILD = BOOK / "build.py"
CHAPTERS = sorted(BOOK.glob("*.ipynb"))

WIDGET_CELL = """import anywidget, traitlets
class Net(anywidget.AnyWidget):
    _esm = "export default { render({ model, el }) { el.textContent = model.get('n') } }"
    n = traitlets.Int(3).tag(sync=True)
    def _repr_mimebundle_(self, **options):
        data, metadata = super()._repr_mimebundle_(**options)
        still = {"text/plain": f"{self.n} nodes", "image/svg+xml": "<svg><circle r='3'/></svg>"}
        return {**data, **still}, metadata
net = Net()
net"""
PICTURE_CELL = """class Dot:
    def __repr__(self):
        return "a dot"
    def _repr_png_(self):
        return b"not really a picture"
Dot()"""


@pytest.fixture(scope="module")
def build():
    specification = importlib.util.spec_from_file_location("book_build", BUILD)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def toy(tmp_path_factory, build):
    """A chapter that shows a widget, prints in pieces and plots, after its first build."""
    path = tmp_path_factory.mktemp("book") / "00_toy.ipynb"
    sources = [WIDGET_CELL, "print(1)\nprint(2, flush=True)\nassert net.n == 3", "print(sorted({'a': 1, 'b': 2}))"]
    sources.append(PICTURE_CELL)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    nbformat.write(notebook, path)
    assert build.build(path, check=False) == (True, "00_toy.ipynb: written")
    return path


def test_a_build_keeps_the_still_picture_and_the_text_and_drops_the_live_widget(toy):
    notebook = json.loads(toy.read_text())
    assert notebook["cells"][0]["outputs"][0]["data"] == {
        "image/svg+xml": ["<svg><circle r='3'/></svg>"],
        "text/plain": ["3 nodes"],
    }
    assert notebook["cells"][1]["outputs"] == [{"name": "stdout", "output_type": "stream", "text": ["1\n", "2\n"]}]
    assert [cell["id"] for cell in notebook["cells"]] == ["cell-01", "cell-02", "cell-03", "cell-04"]
    assert [cell["metadata"] for cell in notebook["cells"]] == [{}, {}, {}, {}]
    assert sorted(notebook["metadata"]) == ["kernelspec", "language_info"]
    assert toy.read_text().endswith("}\n")


def test_a_second_build_changes_nothing_and_a_check_sees_a_difference(toy, build, tmp_path):
    assert build.build(toy, check=True) == (True, "00_toy.ipynb: same")
    altered = tmp_path / toy.name
    altered.write_text(toy.read_text().replace('"2\\n"', '"3\\n"'))
    before = altered.read_text()
    well, said = build.build(altered, check=True)
    assert not well
    assert "DIFFERS" in said
    assert '-      "3\\n"' in said
    assert altered.read_text() == before


def test_a_chapter_that_fails_is_named(build, tmp_path):
    path = tmp_path / "01_bad.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")]), path)
    well, said = build.build(path, check=False)
    assert not well
    assert "01_bad.ipynb: FAILED" in said
    assert "ZeroDivisionError" in said


def test_a_chapter_that_takes_too_long_is_named(toy, build, monkeypatch, capsys):
    monkeypatch.setattr(build, "CHAPTER_CPU_S", 0.01)
    well, said = build.build(toy, check=True)
    assert not well
    assert "00_toy.ipynb: TOO SLOW" in said
    assert "s of processor time" in capsys.readouterr().err


def test_pngs_are_only_asked_to_be_there(build):
    kept = '{\n "image/png": "AAAA",\n "text/plain": ["<Figure>"]\n}'
    assert build.difference(BUILD, kept, kept.replace("AAAA", "BBBB")) == []
    assert build.difference(BUILD, kept, kept.replace(' "image/png": "AAAA",\n', "")) != []
    assert build.difference(BUILD, kept, kept.replace("Figure", "figure")) != []


def test_pieces_of_a_stream_are_joined_but_not_across_another_output(build):
    def piece(name, text):
        return {"output_type": "stream", "name": name, "text": text}

    shown = {"output_type": "display_data", "data": {}}
    pieces = [piece("stdout", "a"), piece("stdout", "b"), shown, piece("stdout", "c"), piece("stderr", "d")]
    joined = build.joined_streams(pieces)
    assert joined == [piece("stdout", "ab"), shown, piece("stdout", "c"), piece("stderr", "d")]


def test_a_chapter_that_is_not_there_is_a_wrong_use(build, capsys):
    assert build.main(["99_nothing"]) == 2
    assert "there is no chapter" in capsys.readouterr().err


# -- under pytest ----------------------------------------------------------------------------------------------------


def nbval(folder, rebuild=True, budget_s=None):
    """Run strict nbval on a folder of its own: (exit code, what it printed).  `rebuild`: and the book's conftest.

    Without a short summary, which repeats each complaint, whole where CI is set and cut to the line elsewhere.
    """
    (folder / "pytest.ini").write_text("[pytest]\n")
    if rebuild:
        shutil.copy(BOOK / "conftest.py", folder)
        text = BUILD.read_text()
        if budget_s is not None:
            text += f"\nCHAPTER_CPU_S = {budget_s}\n"
        (folder / "build.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--nbval", "--nbval-current-env", "-n", "0"]
    ended = subprocess.run([*command, "--color=no", "-q", "-rN", "."], cwd=folder, capture_output=True, text=True)
    return ended.returncode, ended.stdout


def test_a_built_chapter_passes(toy, tmp_path):
    shutil.copy(toy, tmp_path)
    code, said = nbval(tmp_path)
    assert code == 0, said
    assert "4 passed" in said


@pytest.mark.parametrize(("old", "new"), [("r='3'", "r='4'"), ("3 nodes", "4 nodes")])
def test_strict_nbval_sees_a_changed_picture_and_a_changed_text(toy, tmp_path, old, new):
    notebook = json.loads(toy.read_text())
    bundle = notebook["cells"][0]["outputs"][0]["data"]
    notebook["cells"][0]["outputs"][0]["data"] = json.loads(json.dumps(bundle).replace(old, new))
    (tmp_path / toy.name).write_text(json.dumps(notebook))
    code, said = nbval(tmp_path, rebuild=False)
    assert code == 1
    assert "1 failed, 3 passed" in said


@pytest.mark.parametrize(("rebuild", "outcome"), [(False, "4 passed"), (True, "2 failed, 2 passed")])
def test_what_nbval_passes_over_is_seen_as_what_a_rebuild_would_change(toy, tmp_path, rebuild, outcome):
    """A note on an output, and a PNG that is missing."""
    notebook = json.loads(toy.read_text())
    shown, picture = notebook["cells"][0]["outputs"][0], notebook["cells"][3]["outputs"][0]
    shown["metadata"] = {"isolated": True}
    del picture["data"]["image/png"]
    (tmp_path / toy.name).write_text(json.dumps(notebook))
    code, said = nbval(tmp_path, rebuild)
    assert code == rebuild
    assert outcome in said
    assert said.count("A rebuild would change the outputs") == 2 * rebuild


def test_a_kernel_that_took_too_long_fails_the_last_cell(toy, tmp_path):
    shutil.copy(toy, tmp_path)
    code, said = nbval(tmp_path, budget_s=0.01)
    assert code == 1
    assert "1 failed, 3 passed" in said
    assert "s of processor time, more than 0.01" in said


@pytest.mark.parametrize("path", CHAPTERS, ids=[path.stem for path in CHAPTERS])
def test_a_chapter_is_kept_in_the_form_that_a_build_writes(path, build):
    """All but the outputs that a fresh run gives: the keys and their order, metadata, ids, and the numbers."""
    kept = path.read_text(encoding="utf-8")
    notebook = build.canonical(nbformat.reads(kept, as_version=4))
    assert nbformat.writes(notebook) + "\n" == kept
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for number, cell in enumerate(cells, start=1):
        carried = [output.execution_count for output in cell.outputs if output.output_type == "execute_result"]
        assert {cell.execution_count, *carried} == {number}
