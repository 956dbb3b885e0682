"""Break the engine on purpose, run the cells of a chapter, and say which of them notice.

    python tests/book/sabotage.py 00_crash_your_first_node "reply before fsync" [until section, 99]

Prints a JSON list of [number of the code cell, what happened to it, its last line].  A cell notices if it ends in an
error, or says something else than the notebook has stored.  Cells that show source code are passed over: they would
notice any change of the code itself, which proves nothing.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

BOOK = Path(__file__).parents[2] / "book"
EXEC = b"*1\r\n$4\r\nEXEC\r\n"


def reply_before_fsync() -> None:
    """The server says OK first, and then writes and fsyncs its log."""
    from durable_redis.contract import Send
    from durable_redis.redis.server import RedisServer

    log_then_reply = RedisServer.before_sleep

    def reply_then_log(self: Any, now: int) -> Iterator[Any]:
        for connection in self._waiting:
            client = self.clients.get(connection)
            if client is not None and client.output:
                yield Send(connection, bytes(client.output))
                client.output.clear()
        yield from log_then_reply(self, now)

    RedisServer.before_sleep = reply_then_log  # type: ignore[method-assign, assignment]


def replay_past_a_torn_tail() -> None:
    """Of a transaction that was cut, the server executes what there is."""
    from durable_redis.redis.persistence import loading

    read_whole = loading.read_records

    def read_all(content: bytes, name: str, **limits: Any) -> Any:
        found = read_whole(content, name, **limits)
        if found.damage is None or not found.damage.truncated:
            return found
        for end in range(len(content), found.valid_to, -1):
            guessed = read_whole(content[:end] + EXEC, name, **limits)
            if guessed.damage is None:
                guessed.valid_to = found.valid_to
                return guessed
        return found

    loading.read_records = read_all


def snapshot_without_rename() -> None:
    """A save writes over the old snapshot, in place."""
    from durable_redis.contract import SyncDirectory
    from durable_redis.redis.persistence import files

    write_beside = files.write_whole

    def write_over(path: str, chunks: Any) -> Any:
        return write_beside("dump.rdb" if path.startswith("temp-") else path, chunks)

    def sync_only(temporary: str, path: str) -> Iterator[Any]:
        return (yield SyncDirectory(path.rpartition("/")[0]))

    files.write_whole, files.put_in_place = write_over, sync_only


def append_behind_anything() -> None:
    """A node whose append has met somebody else's sends it again, behind that."""
    from durable_redis.memorydb.bugs import BUGS
    from durable_redis.memorydb.server import MemoryDBServer

    MemoryDBServer.logbook_type = BUGS["append behind anything"].node.logbook_type


def snapshot_unread() -> None:
    """The snapshotter releases what it has uploaded, and does not have it back first."""
    from durable_redis.memorydb.bugs import BUGS
    from durable_redis.memorydb.shadow import Shadow

    trusting = BUGS["snapshot without verification"].snapshotter.shadow_type
    Shadow.verify = trusting.verify  # type: ignore[method-assign]


def commit_on_one_platter() -> None:
    """The leader of the log takes its own platter for a majority."""
    from durable_redis.memorydb.log.leading import Leading

    def own_platter(self: Any, own: int) -> int:
        return own if own >= self.own_term_from else 0

    Leading.commit_point = own_platter  # type: ignore[method-assign]


SABOTAGES: dict[str, Callable[[], None]] = {
    "none": lambda: None,
    "reply before fsync": reply_before_fsync,
    "replay past a torn tail": replay_past_a_torn_tail,
    "snapshot without rename": snapshot_without_rename,
    "commit on one platter": commit_on_one_platter,
    "append behind anything": append_behind_anything,
    "snapshot unread": snapshot_unread,
}


def cells(chapter: str, until: int) -> Iterator[tuple[int, str, str]]:
    """(number, source, what the notebook has stored) of the code cells before section `until`."""
    number = 0
    for cell in json.loads((BOOK / f"{chapter}.ipynb").read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown" and source.startswith(f"## {until} "):
            return
        if cell["cell_type"] == "code":
            number += 1
            texts = [output.get("text", output.get("data", {}).get("text/plain", "")) for output in cell["outputs"]]
            yield number, source, "\n".join("".join(text) for text in texts)


def words(text: str) -> list[str]:
    """The words, in no order: how a wide table is broken into lines depends on the terminal."""
    return sorted(word for word in text.split() if word != "\\")


def noticed(chapter: str, until: int) -> Iterator[tuple[int, str, str]]:
    """The cells that notice, in order."""
    import pandas as pd
    from IPython.core.interactiveshell import InteractiveShell

    pd.set_option("display.max_columns", 20)  # as in a notebook
    shell = InteractiveShell()
    for number, source, stored in cells(chapter, until):
        with redirect_stdout(io.StringIO()) as printed:
            result = shell.run_cell(source)
        said = re.sub(r"^Out\[\d+\]: ?\n?", "", printed.getvalue(), flags=re.M)
        last = source.splitlines()[-1]
        if not result.success:
            error = type(result.error_in_exec or result.error_before_exec).__name__
            yield number, f"ends in {error}", last
        elif "dr.source(" not in source and words(said) != words(stored):
            yield number, "says something else", last


def main(chapter: str, sabotage: str, until: str = "99") -> None:
    os.environ["MPLBACKEND"] = "Agg"
    SABOTAGES[sabotage]()
    print(json.dumps(list(noticed(chapter, int(until)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
