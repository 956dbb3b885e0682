r"""A snapshot on the wire: bytes in, an RDB file out.

After +FULLRESYNC a primary may send empty lines, to show that it lives; then one of two headers, and the file:

    $88\r\n<88 bytes>                  from its disk: the length is known, and the stream follows at once
    $EOF:<40 bytes>\r\n<...><40 bytes>    straight from a child: it ends with the 40 bytes that were announced, and the
                                          stream follows only after the replica has said that it has it all

What this file must not know: what the file contains.  A length allocates nothing.
"""

from __future__ import annotations

from durable_redis.formats.resp_commands import strict_integer

MARK_BYTES = 40
LONGEST_LINE = 1024
EOF = b"$EOF:"


class TransferError(Exception):
    """What arrives is no snapshot.  The message says what it is."""


class Transfer:
    """One snapshot that is arriving.  `content` is None until it is whole; `rest` is what came behind it."""

    def __init__(self) -> None:
        self.content: bytes | None = None
        self.rest = b""
        self.size: int | None = None  # as announced; None if it is not known
        self.marked = False  # it ends with a mark: the stream waits for our word
        self.received = 0
        self._line = bytearray()
        self._in_header = True
        self._mark = b""
        self._chunks: list[bytes] = []
        self._tail = b""

    def feed(self, data: bytes) -> None:
        """Bytes that have just arrived.  Raises TransferError."""
        while self._in_header and data:
            data = self._header(data)
        if not self._in_header and self.content is None:
            self._body(data)

    def _header(self, data: bytes) -> bytes:
        """Read up to the end of a line; what is behind it."""
        line, end, behind = data.partition(b"\n")
        self._line += line
        if len(self._line) > LONGEST_LINE:
            raise TransferError(f"a line of more than {LONGEST_LINE} bytes came instead of a snapshot")
        if end:
            header, self._line = bytes(self._line).removesuffix(b"\r"), bytearray()
            if header:  # an empty line only says that the primary lives
                self._begin(header)
        return behind

    def _begin(self, header: bytes) -> None:
        shown = header[:60].decode("ascii", "backslashreplace")
        if header.startswith(b"-"):
            raise TransferError(f"the primary gave up: {shown[1:]}")
        if header.startswith(EOF) and len(header) == len(EOF) + MARK_BYTES:
            self._mark, self.marked = header[len(EOF) :], True
        elif header.startswith(b"$") and (size := strict_integer(header[1:])) is not None and size >= 0:
            self.size = size
        else:
            raise TransferError(f"{shown!r} came instead of a snapshot")
        self._in_header = False

    def _body(self, data: bytes) -> None:
        self._chunks.append(data)
        self.received += len(data)
        if self.size is not None:
            if self.received >= self.size:
                whole = b"".join(self._chunks)
                self.content, self.rest = whole[: self.size], whole[self.size :]
        else:
            self._tail = (self._tail + data)[-MARK_BYTES:]
            if self._tail == self._mark:
                self.content = b"".join(self._chunks)[:-MARK_BYTES]
