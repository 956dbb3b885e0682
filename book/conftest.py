"""How the chapters are tested: `pytest` runs every cell once, and two judges look at what it gives.

1. *Strict nbval* compares text and pictures with those that the notebook holds.  What it does with a display of the
   console, read in its plugin.py and shown by `tests/book/test_build.py`: the bundle of the fresh run holds
   `text/plain`, `image/svg+xml` and the reference to a live widget; the committed one holds the first two.  nbval
   passes over the key `application/vnd.jupyter.widget-view+json` on both sides by itself (its id is random), and
   compares the text and the SVG byte for byte.  So nothing has to be told to it here.
2. *A rebuild would change nothing.*  nbval passes over PNGs, the metadata and the kind of an output, and the order of
   outputs of different kinds.  So the same outputs are compared once more, all that `build.py` would write of them.
   With `tests/book/test_build.py`, which looks at the form of the file around them, this is what `build.py --check`
   says of a chapter, for one run instead of two.  The processor time that the kernel has used is held to the budget.

A cell that was never executed nbval does not compare at all, which is why `tests/book/test_book_lint.py` refuses one.

The kernels run as in `build.py`, except that PYTHONHASHSEED is left to chance: outputs may not depend on it.
"""

from __future__ import annotations

import copy
import importlib.util
import json
import os
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import pytest
from nbval.plugin import IPyNbCell

os.environ["SOURCE_DATE_EPOCH"] = "0"
os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"

_SPECIFICATION = importlib.util.spec_from_file_location("book_build", Path(__file__).with_name("build.py"))
build = importlib.util.module_from_spec(_SPECIFICATION)
_SPECIFICATION.loader.exec_module(build)

ANSWER_TIMEOUT_S = 60


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """After nbval has passed a cell: would a rebuild write the same outputs?  After the last: was it quick enough?"""
    result = yield
    if isinstance(item, IPyNbCell):
        changed = build.difference(item.path, as_written(item.cell.outputs), as_written(item.test_outputs))
        if changed:
            item.raise_cell_error("A rebuild would change the outputs", "\n".join(changed))
        if item.cell is [cell for cell in item.parent.nb.cells if cell.cell_type == "code"][-1]:
            used_s = processor_time_s(item.parent.kernel)
            if used_s > build.CHAPTER_CPU_S:
                item.raise_cell_error(f"TOO SLOW: {used_s:.0f} s of processor time, more than {build.CHAPTER_CPU_S}")
    return result


def as_written(outputs: Sequence[Any]) -> str:
    """The outputs of a cell as `build.py` writes them, without their number: nbval gives its cells none."""
    kept = build.kept_outputs(copy.deepcopy(outputs))
    for output in kept:
        output.pop("execution_count", None)
    return json.dumps(kept, indent=1, ensure_ascii=False, sort_keys=True)


def processor_time_s(kernel: Any) -> float:
    """What a kernel has used since it was started; it says so itself."""
    asked = kernel.kc.execute("", silent=True, user_expressions={"used": "__import__('time').process_time()"})
    while True:
        reply = kernel.get_message("shell", timeout=ANSWER_TIMEOUT_S)
        if reply["parent_header"].get("msg_id") == asked:
            return float(reply["content"]["user_expressions"]["used"]["data"]["text/plain"])
