"""Execute the chapters and write their outputs into them, the same bytes every time.

    python book/build.py                      execute every chapter, write what changed
    python book/build.py 03_append_only_file  only this one
    python book/build.py --check              write nothing; fail, with a diff, where a fresh run differs

The `.ipynb` files are the sources *and* hold the outputs; there is no other copy.  So that a rebuild changes nothing
unless the book has changed, all that differs from run to run is kept out: execution times, random cell ids, the state
of widgets, the version of Python, and the reference to a live widget (`application/vnd.jupyter.widget-view+json`; the
still picture and the text beside it stay, and are what a static page shows).  Streams are joined, because where they
are cut depends on timing.

PNG figures are the exception: their bytes depend on the versions of the drawing libraries, so `--check` asks only that
there is one.  The numbers of a figure are printed beside it, and those are compared.

Each chapter has a budget of processor time, so that a busy machine does not break it; what it used is said on stderr.

Exit code: 0; 1 when a chapter differs, fails or takes too long; 2 when used wrongly.
"""

from __future__ import annotations

import argparse
import difflib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

BOOK = Path(__file__).parent
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
CELL_TIMEOUT_S = 60
CHAPTER_CPU_S = 26
"""1.3 times what a chapter may take on an idle machine (20 s): one that shares its cores needs more for the same work.

A fifth more is what was measured: chapter 06 took 15 s by itself, and 18 with five busy neighbours on each core."""
KEPT_CELL_METADATA = ("tags", "jupyter", "editable", "deletable")
NOTEBOOK_METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {
        "codemirror_mode": {"name": "ipython", "version": 3},
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "nbconvert_exporter": "python",
        "pygments_lexer": "ipython3",
    },
}
REPRODUCIBLE = {
    "PYTHONHASHSEED": "0",
    "SOURCE_DATE_EPOCH": "0",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
}


def canonical(notebook: Any) -> Any:
    """The notebook without anything that differs between two runs; changed in place."""
    notebook.metadata = nbformat.from_dict(NOTEBOOK_METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for number, cell in enumerate(notebook.cells, start=1):
        cell.id = f"cell-{number:02d}"
        cell.metadata = nbformat.from_dict(
            {key: cell.metadata[key] for key in KEPT_CELL_METADATA if key in cell.metadata}
        )
        if cell.cell_type == "code":
            cell.outputs = kept_outputs(cell.outputs)
    return notebook


def kept_outputs(outputs: Sequence[Any]) -> list[Any]:
    """The outputs of a cell without anything that differs between two runs; changed in place."""
    for output in outputs:
        output.get("data", {}).pop(WIDGET_VIEW, None)
        output.get("metadata", {}).pop(WIDGET_VIEW, None)
    return joined_streams(outputs)


def joined_streams(outputs: Sequence[Any]) -> list[Any]:
    """One output for what one stream printed without a pause by another output."""
    joined: list[Any] = []
    for output in outputs:
        last = joined[-1] if joined else {}
        if output["output_type"] == "stream" == last.get("output_type") and output["name"] == last["name"]:
            last["text"] += output["text"]
        else:
            joined.append(output)
    return joined


def rebuilt(path: Path) -> str:
    """The text of the notebook after a fresh run.  Raises the errors of nbclient."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    notebook.metadata.pop("widgets", None)
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT_S,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        extra_arguments=["--log-level=ERROR"],  # else every kernel warns that it talks over TCP, on loopback
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    nbformat.validate(canonical(notebook))
    return nbformat.writes(notebook) + "\n"


def child_cpu_s() -> float:
    """The processor time of the kernels that have ended, in seconds."""
    times = os.times()
    return times.children_user + times.children_system


def without_pngs(text: str) -> list[str]:
    """The lines of a notebook, each PNG replaced by a word."""
    lines = text.splitlines()
    return ['"image/png": ...' if line.lstrip().startswith('"image/png": "') else line for line in lines]


def difference(path: Path, old: str, new: str) -> list[str]:
    """The first lines of a unified diff, empty if the two are the same for `--check`."""
    lines = difflib.unified_diff(
        without_pngs(old), without_pngs(new), f"{path.name}, kept", "a fresh run", "", "", 1, ""
    )
    return [line[:160] for line in lines][:40]


def build(path: Path, check: bool) -> tuple[bool, str]:
    """Rebuild one chapter: (is all well, what to say about it)."""
    before_s = child_cpu_s()
    try:
        new = rebuilt(path)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        return False, f"{path.name}: FAILED\n{error}"
    used_s = child_cpu_s() - before_s
    print(f"{path.name}: {used_s:.1f} s of processor time", file=sys.stderr)
    if used_s > CHAPTER_CPU_S:
        return False, f"{path.name}: TOO SLOW: {used_s:.0f} s of processor time, more than {CHAPTER_CPU_S}"
    old = path.read_text(encoding="utf-8")
    if check:
        changed = difference(path, old, new)
        return not changed, "\n".join([f"{path.name}: {'DIFFERS' if changed else 'same'}", *changed])
    if old == new:
        return True, f"{path.name}: same"
    path.write_text(new, encoding="utf-8", newline="\n")
    return True, f"{path.name}: written"


def chapters(names: Sequence[str]) -> Iterator[Path]:
    """The notebooks of these names, or all.  Raises FileNotFoundError."""
    if not names:
        yield from sorted(BOOK.glob("[0-9][0-9]_*.ipynb"))
    for name in names:
        path = Path(name) if name.endswith(".ipynb") else BOOK / f"{name}.ipynb"
        if not path.is_file():
            raise FileNotFoundError(f"there is no chapter {path}")
        yield path.resolve()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Execute the chapters and write their outputs into them.")
    parser.add_argument("chapter", nargs="*", help="such as 03_append_only_file; all chapters if none is named")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a fresh run differs")
    parser.add_argument("--jobs", type=int, default=2, help="chapters at once (2)")
    options = parser.parse_args(arguments)
    try:
        paths = list(chapters(options.chapter))
    except FileNotFoundError as error:
        print(f"build.py: {error}", file=sys.stderr)
        return 2
    os.environ.update(REPRODUCIBLE)
    all_well = True
    with tempfile.TemporaryDirectory() as profile:
        os.environ["IPYTHONDIR"] = profile  # nobody's own startup files
        with ProcessPoolExecutor(max(1, min(options.jobs, len(paths)))) as pool:
            for well, said in pool.map(build, paths, [options.check] * len(paths)):
                print(said, flush=True)
                all_well = all_well and well
    print(f"chapters: {len(paths)}", file=sys.stderr)
    return 0 if all_well else 1


if __name__ == "__main__":
    sys.exit(main())
