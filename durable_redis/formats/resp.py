r"""RESP, the Redis serialization protocol, versions 2 and 3: the one door to the wire.

A client sends *commands*, a server sends *replies*; both are streams of bytes in which every string has its length in
front, so that any byte may be inside it.

    `resp_commands`   encode_command, CommandParser       the server's ear, the replica's ear, the AOF's alphabet
    `resp_values`     the replies as values, encode       the server's mouth
    `resp_replies`    ReplyParser                         the client's ear

What a reply looks like on the wire (the two columns are the two versions of the protocol):

    value                       RESP2                           RESP3
    b"ab"                       $2\r\nab\r\n                    the same
    7                           :7\r\n                          the same
    None                        $-1\r\n                         _\r\n
    [b"a", 1]                   *2\r\n$1\r\na\r\n:1\r\n         the same
    OK                          +OK\r\n                         the same
    ErrorReply("ERR no")        -ERR no\r\n                     the same
    NULL_ARRAY                  *-1\r\n                         _\r\n
    Map([(b"a", 1)])            *2\r\n$1\r\na\r\n:1\r\n         %1\r\n$1\r\na\r\n:1\r\n
    Members([b"a"])             *1\r\n$1\r\na\r\n               ~1\r\n$1\r\na\r\n
    Double(1.5)                 $3\r\n1.5\r\n                   ,1.5\r\n
    Boolean(True)               :1\r\n                          #t\r\n
    Verbatim("txt", b"ab")      $2\r\nab\r\n                    =6\r\ntxt:ab\r\n
    Push([b"a"])                *1\r\n$1\r\na\r\n               >1\r\n$1\r\na\r\n

The parsers keep no socket: bytes in, values out, and `NEED_MORE` is a value too.  Damage is a `ProtocolError`.
"""

from __future__ import annotations

from durable_redis.formats.resp_commands import (
    NEED_MORE,
    CommandParser,
    Limits,
    NeedMore,
    ProtocolError,
    encode_command,
    split_inline,
    strict_integer,
)
from durable_redis.formats.resp_replies import ReplyParser
from durable_redis.formats.resp_values import (
    NULL_ARRAY,
    OK,
    Boolean,
    Double,
    ErrorReply,
    Map,
    Members,
    NullArray,
    Push,
    Reply,
    Status,
    Verbatim,
    encode,
    format_double,
)

__all__ = [
    "NEED_MORE",
    "NULL_ARRAY",
    "OK",
    "Boolean",
    "CommandParser",
    "Double",
    "ErrorReply",
    "Limits",
    "Map",
    "Members",
    "NeedMore",
    "NullArray",
    "ProtocolError",
    "Push",
    "Reply",
    "ReplyParser",
    "Status",
    "Verbatim",
    "encode",
    "encode_command",
    "format_double",
    "split_inline",
    "strict_integer",
]
