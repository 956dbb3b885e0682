"""The values that a key can hold.

A string is a plain `bytes` object, immutable, and so can be shared with a fork for nothing.  The other types are
*containers*: they change in place, and carry three numbers for the keyspace:

* `generation`: how many forks had happened when this very object was made.  A fork shares the containers that are older
  than itself; a write must copy those first (`Database.open`).
* `size`: an estimate of its memory in bytes, kept up by every change: the lengths of the elements plus a fixed overhead
  each.  Redis measures its allocator; this counts what a reader can add up by hand.
* `accounted`: the `size` that the keyspace's `used_memory` has last seen.

Nothing here knows keys, expiry or commands.
"""

from __future__ import annotations

from bisect import bisect_left
from bisect import insort as insert_sorted
from collections import deque
from collections.abc import Iterable
from typing import TypeAlias

from durable_redis.formats.rdb import Opaque

ELEMENT_OVERHEAD = 16
"""Bytes charged for each element of a container, beside its own."""

NEVER_SHARED = -1
"""The generation of a container that is not in the keyspace yet."""


class Container:
    """What the keyspace needs to know of every value that changes in place."""

    __slots__ = ("accounted", "generation", "size")

    kind = ""

    def __init__(self) -> None:
        self.generation = NEVER_SHARED
        self.size = 0
        self.accounted = 0

    def copy(self) -> Container:
        """An equal container that shares nothing that can change."""
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError


class RedisList(Container):
    """A list: cheap at both ends, slow in the middle, as Redis's quicklist is."""

    __slots__ = ("items",)

    kind = "list"

    def __init__(self, items: Iterable[bytes] = ()) -> None:
        super().__init__()
        self.items: deque[bytes] = deque(items)
        self.size = sum(map(len, self.items)) + ELEMENT_OVERHEAD * len(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def copy(self) -> RedisList:
        return RedisList(self.items)

    def push(self, item: bytes, left: bool) -> None:
        """Add at one end."""
        if left:
            self.items.appendleft(item)
        else:
            self.items.append(item)
        self.size += len(item) + ELEMENT_OVERHEAD

    def pop(self, left: bool) -> bytes:
        """Take from one end."""
        item = self.items.popleft() if left else self.items.pop()
        self.size -= len(item) + ELEMENT_OVERHEAD
        return item

    def replace(self, index: int, item: bytes) -> None:
        """Put `item` in the place of another."""
        self.size += len(item) - len(self.items[index])
        self.items[index] = item

    def insert(self, index: int, item: bytes) -> None:
        """Put `item` before the one at `index`."""
        self.items.insert(index, item)
        self.size += len(item) + ELEMENT_OVERHEAD

    def refill(self, items: Iterable[bytes]) -> None:
        """Put these in the place of all that was here."""
        self.items = deque(items)
        self.size = sum(map(len, self.items)) + ELEMENT_OVERHEAD * len(self.items)


class RedisHash(Container):
    """A hash: fields and their values."""

    __slots__ = ("fields",)

    kind = "hash"

    def __init__(self, pairs: Iterable[tuple[bytes, bytes]] = ()) -> None:
        super().__init__()
        self.fields: dict[bytes, bytes] = dict(pairs)
        self.size = sum(len(field) + len(value) + ELEMENT_OVERHEAD for field, value in self.fields.items())

    def __len__(self) -> int:
        return len(self.fields)

    def copy(self) -> RedisHash:
        return RedisHash(self.fields.items())

    def put(self, field: bytes, value: bytes) -> bool:
        """Set a field; True if it is new."""
        old = self.fields.get(field)
        self.fields[field] = value
        if old is None:
            self.size += len(field) + len(value) + ELEMENT_OVERHEAD
            return True
        self.size += len(value) - len(old)
        return False

    def discard(self, field: bytes) -> bool:
        """Remove a field; True if it was there."""
        value = self.fields.pop(field, None)
        if value is None:
            return False
        self.size -= len(field) + len(value) + ELEMENT_OVERHEAD
        return True


class RedisSet(Container):
    """A set of members.  A dict, not a set, because the order of a dict is the same in every run."""

    __slots__ = ("members",)

    kind = "set"

    def __init__(self, members: Iterable[bytes] = ()) -> None:
        super().__init__()
        self.members: dict[bytes, None] = dict.fromkeys(members)
        self.size = sum(map(len, self.members)) + ELEMENT_OVERHEAD * len(self.members)

    def __len__(self) -> int:
        return len(self.members)

    def copy(self) -> RedisSet:
        return RedisSet(self.members)

    def add(self, member: bytes) -> bool:
        """Add a member; True if it is new."""
        if member in self.members:
            return False
        self.members[member] = None
        self.size += len(member) + ELEMENT_OVERHEAD
        return True

    def discard(self, member: bytes) -> bool:
        """Remove a member; True if it was there."""
        if member not in self.members:
            return False
        del self.members[member]
        self.size -= len(member) + ELEMENT_OVERHEAD
        return True


class SortedSet(Container):
    """Members with scores, in the order of (score, member).

    `scores` answers "what score?", `ordered` answers "which rank?" and "who lies between?" by bisection.  Redis keeps a
    skip list instead of a sorted array; the answers are the same.
    """

    __slots__ = ("ordered", "scores")

    kind = "zset"

    def __init__(self, pairs: Iterable[tuple[bytes, float]] = ()) -> None:
        super().__init__()
        # Adding 0.0 makes 0.0 of -0.0, as the small encoding of Redis does.
        self.scores: dict[bytes, float] = {member: score + 0.0 for member, score in pairs}
        self.ordered: list[tuple[float, bytes]] = sorted((score, member) for member, score in self.scores.items())
        self.size = sum(map(len, self.scores)) + 2 * ELEMENT_OVERHEAD * len(self.scores)

    def __len__(self) -> int:
        return len(self.scores)

    def copy(self) -> SortedSet:
        return SortedSet(self.scores.items())

    def put(self, member: bytes, score: float) -> None:
        """Set the score of a member, new or not."""
        score += 0.0
        old = self.scores.get(member)
        if old is None:
            self.size += len(member) + 2 * ELEMENT_OVERHEAD
        else:
            del self.ordered[self.rank(member)]
        self.scores[member] = score
        insert_sorted(self.ordered, (score, member))

    def discard(self, member: bytes) -> bool:
        """Remove a member; True if it was there."""
        if member not in self.scores:
            return False
        del self.ordered[self.rank(member)]
        del self.scores[member]
        self.size -= len(member) + 2 * ELEMENT_OVERHEAD
        return True

    def discard_slice(self, start: int, end: int) -> int:
        """Remove the members of the ranks from `start` up to but not including `end`; how many."""
        gone = self.ordered[start:end]
        del self.ordered[start:end]
        for _, member in gone:
            del self.scores[member]
            self.size -= len(member) + 2 * ELEMENT_OVERHEAD
        return len(gone)

    def rank(self, member: bytes) -> int:
        """How many members come before this one, which must be here."""
        return bisect_left(self.ordered, (self.scores[member], member))


class OpaqueValue(Container):
    """A value of a type that the engine has no commands for (a stream, a module's type), kept as its RDB bytes."""

    __slots__ = ("opaque", "opaque_kind")

    kind = "opaque"

    def __init__(self, opaque_kind: str, opaque: Opaque) -> None:
        super().__init__()
        self.opaque_kind = opaque_kind
        self.opaque = opaque
        self.size = len(opaque.payload)

    def __len__(self) -> int:
        return 1

    def copy(self) -> OpaqueValue:
        return OpaqueValue(self.opaque_kind, self.opaque)


Value: TypeAlias = bytes | Container


def size_of(value: Value) -> int:
    """The estimated memory of a value, in bytes, without its key."""
    return len(value) if isinstance(value, bytes) else value.size
