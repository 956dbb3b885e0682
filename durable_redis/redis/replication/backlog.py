"""The backlog: the last bytes of the stream, so that a replica whose link was down for a moment need not start anew.

A ring of a fixed size.  Byte number `o` of the stream (the first is number 1) lies at index `(o - origin) % size`,
where `origin` is the number of the first byte that ever went in:

    size 8, origin 101; 11 bytes went in     index  0   1   2   3   4   5   6   7
                                             byte  109 110 111 104 105 106 107 108      first = 104, length = 8

Redis 7 keeps the same bytes in a chain of blocks that it shares with the output buffers of the replicas, and may so
keep a little more than it was told to; ours keeps exactly that.
"""

from __future__ import annotations


class Backlog:
    """`first` is the number of the first byte it holds; empty, the number of the byte that will come next."""

    __slots__ = ("_origin", "_ring", "first", "size")

    def __init__(self, size: int, first: int) -> None:
        assert size >= 1, f"a backlog of {size} bytes can hold nothing"
        self.size = size
        self.first = first
        self._origin = first
        self._ring = bytearray()  # grows up to `size`, then is written round and round

    def __len__(self) -> int:
        return len(self._ring)

    @property
    def window(self) -> tuple[int, int]:
        """What it holds: the number of its first byte, and how many there are."""
        return self.first, len(self._ring)

    def append(self, data: bytes | bytearray) -> None:
        """Take the next bytes of the stream; the oldest make room."""
        end = self.first + len(self._ring) + len(data)
        if len(data) >= self.size:  # nothing of what was here is left
            self._ring, self._origin = bytearray(data[-self.size :]), end - self.size
        else:
            index = (end - len(data) - self._origin) % self.size
            before_edge = min(len(data), self.size - index)
            self._ring[index : index + before_edge] = data[:before_edge]
            self._ring[: len(data) - before_edge] = data[before_edge:]
        self.first = end - len(self._ring)

    def since(self, offset: int) -> bytes:
        """The bytes from number `offset` to the last one; of what is not held, `decide` must not let anybody ask."""
        first, length = self.window
        assert first <= offset <= first + length, f"byte {offset} is not among {length} bytes from {first} on"
        start = (first - self._origin) % self.size
        ordered = self._ring[start:] + self._ring[:start]
        return bytes(ordered[offset - first :])

    def resized(self, size: int) -> Backlog:
        """A backlog of another size, with as many of the bytes as it can hold."""
        other = Backlog(size, self.first)
        other.append(self.since(self.first))
        return other
