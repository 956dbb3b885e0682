"""A server with a disk and no world: effects are performed at once, in order, and kept to be looked at.

The law of this file: a node of the contract needs nobody but a caller.  `Bench` is the smallest such caller: the disk
is the simulated one (its faults included), time stands still unless a test moves it, children wait until a test lets
them run.
"""

from __future__ import annotations

from collections.abc import Generator
from random import Random
from typing import Any

from durable_redis import contract as c
from durable_redis.engine.values import Value
from durable_redis.formats.aof import Manifest
from durable_redis.formats.resp import encode_command
from durable_redis.redis.cluster.topology import Topology
from durable_redis.redis.config import Config
from durable_redis.redis.server import RedisServer
from durable_redis.sim.disk import Disk

NOW_US = 1_700_000_000 * 1_000_000
DIRECTORY = "appendonlydir/"
MANIFEST = "appendonlydir/appendonly.aof.manifest"


class Bench:
    """One life of a server.  `effects` are all that were performed; `exit` is the Exit that ended it, if one did."""

    def __init__(
        self,
        disk: Disk | None = None,
        now_us: int = NOW_US,
        boot: bool = True,
        name: str = "",
        topology: Topology | None = None,
        **options: Any,
    ) -> None:
        self.disk = disk or Disk(Random(1))
        self.now_us = now_us
        self.server = RedisServer(Random(2), Config.of(**options), name, topology)
        self.effects: list[c.Effect] = []
        self.children: dict[str, Generator[c.Effect, Any, Any]] = {}
        self.exit: c.Exit | None = None
        self.sent: dict[str, bytes] = {}
        if boot:
            self.perform(self.server.boot(now_us))
            self.open("one")

    # -- events ------------------------------------------------------------------------------------------------------

    def open(self, connection: str) -> None:
        self.deliver(c.Opened(connection, "somebody"))

    def deliver(self, *events: c.Event) -> None:
        """One batch."""
        for event in events:
            self.perform(self.server.handle(event, self.now_us))
        self.perform(self.server.before_sleep(self.now_us))

    def send(self, *argv: bytes | str | int, connection: str = "one") -> bytes:
        """Send one command; the bytes of the answer."""
        self.sent[connection] = b""
        self.deliver(c.Received(connection, command(*argv)))
        return self.sent[connection]

    def cron(self, later_us: int = 100_000) -> None:
        self.now_us += later_us
        self.deliver(c.TimerFired("cron"))

    def finish(self, *names: str) -> None:
        """Let these children (default: all) run to their ends, and tell the server."""
        for name in names or tuple(self.children):
            self.deliver(c.ChildEnded(name, self.perform(self.children.pop(name))))

    # -- effects -----------------------------------------------------------------------------------------------------

    def perform(self, work: Generator[c.Effect, Any, Any], limit: int | None = None) -> Any:
        """Perform effects until the generator returns, the process exits, or `limit` of them are done."""
        result: Any = None
        while self.exit is None and limit != 0:
            try:
                effect = work.send(result)
            except StopIteration as stop:
                return stop.value
            self.effects.append(effect)
            result = self._perform(effect)
            limit = None if limit is None else limit - 1
        return None

    def _perform(self, effect: c.Effect) -> Any:
        disk = self.disk
        match effect:
            case c.Append(path, data):
                return disk.append(path, data)
            case c.Write(path, data):
                return disk.write(path, data)
            case c.Truncate(path, size):
                return disk.truncate(path, size)
            case c.Rename(old, new):
                return disk.rename(old, new)
            case c.Remove(path):
                return disk.remove(path)
            case c.Read(path):
                return disk.read(path)
            case c.ListDirectory(directory):
                return disk.list(directory)
            case c.Fsync(path):
                promise = disk.fsync_begins(path)
                return promise if isinstance(promise, c.DiskError) else disk.fsync_ends(*promise, path)
            case c.SyncDirectory():
                return disk.sync_names()
            case c.Connect(peer):
                return f"to {peer}"
            case c.Send(connection, data):
                self.sent[connection] = self.sent.get(connection, b"") + data
            case c.Fork(name, work):
                assert name not in self.children, f"a child called {name} runs already"
                self.children[name] = work
            case c.Kill(name):
                self.children.pop(name, None)
            case c.Exit():
                self.exit = effect
        return None

    # -- looking -----------------------------------------------------------------------------------------------------

    def of(self, *kinds: type) -> list[c.Effect]:
        """The effects of these kinds, in order."""
        return [effect for effect in self.effects if isinstance(effect, kinds)]

    def keys(self, db: int = 0) -> dict[bytes, Value]:
        return dict(self.server.engine.keyspace.databases[db].values)

    def restarted(self, **options: Any) -> Bench:
        """A new life on the same disk."""
        return Bench(self.disk, self.now_us, **options)


def command(*argv: bytes | str | int) -> bytes:
    return encode_command([word if isinstance(word, bytes) else str(word).encode() for word in argv])


def disk_of(files: dict[str, bytes]) -> Disk:
    """A disk that holds these files, safely."""
    disk = Disk(Random(1))
    for path, content in files.items():
        disk.append(path, content)
        disk.fsync_ends(*disk.fsync_begins(path), path)  # type: ignore[misc]
    disk.sync_names()
    return disk


def manifest_of(bench: Bench) -> list[str]:
    text = bench.disk.read(MANIFEST)
    assert text is not None
    return [f"{file.kind} {file.name}" for file in Manifest.parse(text, "appendonly.aof.manifest").files]


def log_of(bench: Bench) -> list[str]:
    """The files of the log on the disk, without the manifest."""
    return [path.removeprefix(DIRECTORY) for path in bench.disk.list("appendonlydir") if path != MANIFEST]
