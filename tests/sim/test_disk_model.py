"""The disk against a naive model of the same rules, in random sequences of operations.

The model is written without looking at marks and prefixes: it keeps whole contents, and lists every state that a power
loss may leave.
"""

from __future__ import annotations

from random import Random

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sim_toys import fsync

from durable_redis.sim.disk import Disk


class Inode:
    """Whole contents only: as last synced, and every content it had since."""

    def __init__(self) -> None:
        self.synced = b""
        self.now = b""
        self.safe = 0  # so many first bytes of `synced` were never cut or overwritten since

    def may_be_left(self) -> set[bytes]:
        return {self.synced} | {self.now[:size] for size in range(self.safe, len(self.now) + 1)}


PATHS = st.sampled_from(["a", "b", "folder/c"])
DATA = st.binary(min_size=1, max_size=4)


class DiskAgainstModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.disk = Disk(Random(11))
        self.names: dict[str, Inode] = {}
        self.histories: list[dict[str, Inode]] = [{}]  # every set of names since the last directory sync

    def names_changed(self) -> None:
        self.histories.append(dict(self.names))

    def inode(self, path: str) -> Inode:
        if path not in self.names:
            self.names[path] = Inode()
            self.names_changed()
        return self.names[path]

    @rule(path=PATHS, data=DATA)
    def append(self, path: str, data: bytes) -> None:
        self.disk.append(path, data)
        self.inode(path).now += data

    @rule(path=PATHS, data=DATA)
    def write(self, path: str, data: bytes) -> None:
        self.disk.write(path, data)
        inode = self.inode(path)
        inode.now, inode.safe = data, 0

    @rule(path=PATHS, size=st.integers(0, 6))
    def truncate(self, path: str, size: int) -> None:
        found = self.disk.truncate(path, size)
        assert (found is None) == (path in self.names)
        if path in self.names:
            inode = self.names[path]
            inode.now, inode.safe = inode.now[:size], min(inode.safe, size)

    @rule(path=PATHS)
    def fsync(self, path: str) -> None:
        assert (fsync(self.disk, path) is None) == (path in self.names)
        if path in self.names:
            inode = self.names[path]
            inode.synced, inode.safe = inode.now, len(inode.now)

    @rule(old=PATHS, new=PATHS)
    def rename(self, old: str, new: str) -> None:
        found = self.disk.rename(old, new)
        assert (found is None) == (old in self.names)
        if old in self.names:
            self.names[new] = self.names.pop(old)
            self.names_changed()

    @rule(path=PATHS)
    def remove(self, path: str) -> None:
        found = self.disk.remove(path)
        assert (found is None) == (path in self.names)
        if self.names.pop(path, None) is not None:
            self.names_changed()

    @rule()
    def sync_names(self) -> None:
        assert self.disk.sync_names() is None
        self.histories = [dict(self.names)]

    @rule()
    def write_back(self) -> None:
        self.disk.write_back()
        for inode in self.names.values():
            inode.synced, inode.safe = inode.now, len(inode.now)
        self.histories = [dict(self.names)]

    @rule(tail=st.sampled_from(["lost", "kept", "seeded", "seeded"]))
    @precondition(lambda self: self.disk.dirty)
    def power_loss(self, tail: str) -> None:
        self.disk.power_loss(tail)
        found = {path: self.disk.read(path) or b"" for path in self.disk.files}
        left = next((names for names in self.possible_names(tail) if self.explains(found, names, tail)), None)
        assert left is not None, f"a power loss ({tail}) cannot have left {found}"
        self.names = dict(left)
        self.histories = [dict(left)]
        for path, inode in left.items():
            inode.synced = inode.now = found[path]
            inode.safe = len(inode.now)

    def possible_names(self, tail: str) -> list[dict[str, Inode]]:
        return {"lost": self.histories[:1], "kept": self.histories[-1:]}.get(tail, self.histories)

    def explains(self, found: dict[str, bytes], names: dict[str, Inode], tail: str) -> bool:
        if found.keys() != names.keys():
            return False
        if tail == "lost":
            return all(found[path] == inode.synced for path, inode in names.items())
        if tail == "kept":
            return all(found[path] == inode.now for path, inode in names.items())
        return all(found[path] in inode.may_be_left() for path, inode in names.items())

    @invariant()
    def processes_read_what_was_written(self) -> None:
        assert {path: self.disk.read(path) for path in self.disk.files} == {p: i.now for p, i in self.names.items()}


TestDiskAgainstModel = DiskAgainstModel.TestCase
TestDiskAgainstModel.settings = settings(
    max_examples=150,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.filter_too_much],
)
