"""How the chapters are tested: `pytest` runs every cell again and compares its outputs, strictly (nbval).

What nbval does with a display of the console, read in its plugin.py and shown by `tests/book/test_build.py`: the bundle
of the fresh run holds `text/plain`, `image/svg+xml` and the reference to a live widget; the committed one holds the
first two.  nbval passes over the key `application/vnd.jupyter.widget-view+json` on both sides by itself (its id is
random), and compares the text and the SVG byte for byte.  So nothing has to be told to it here.  PNGs it passes over
too; a cell that was never executed it does not compare at all, which is why `tests/book/test_book_lint.py` refuses one.

The kernels run as in `build.py`, except that PYTHONHASHSEED is left to chance: outputs may not depend on it.
"""

from __future__ import annotations

import os

os.environ["SOURCE_DATE_EPOCH"] = "0"
os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
