"""Opening the book: finds its folder, trusts its notebooks, and starts JupyterLab on the first chapter.

JupyterLab shows the pictures of a notebook only if it trusts it; whoever opens the book by this command wants to see
them, so its notebooks are signed first (`jupyter trust` does the same).
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

FIRST_CHAPTER = "00_crash_your_first_node.ipynb"


def find_book() -> Path | None:
    """The folder `book` of the current folder, or of the checkout that this package was installed from."""
    for folder in (Path.cwd(), Path(__file__).resolve().parent.parent):
        if (folder / "book" / FIRST_CHAPTER).is_file():
            return folder / "book"
    return None


def open_book(arguments: Sequence[str]) -> int:
    """Start JupyterLab on the first chapter; `arguments` are handed on to it."""
    book = find_book()
    if book is None:
        print("durable-redis: there is no book here: run this in the folder of the project", file=sys.stderr)
        return 2
    try:
        import jupyterlab  # noqa: F401
        from nbformat import read
        from nbformat.sign import NotebookNotary
    except ImportError:
        print("durable-redis: JupyterLab is not installed: pip install '.[book]'", file=sys.stderr)
        return 2
    notary = NotebookNotary()  # type: ignore[no-untyped-call]
    for path in sorted(book.glob("*.ipynb")):
        notary.sign(read(path, as_version=4))  # type: ignore[no-untyped-call]
    command = [sys.executable, "-m", "jupyterlab", str(book / FIRST_CHAPTER), *arguments]
    return subprocess.call(command)
