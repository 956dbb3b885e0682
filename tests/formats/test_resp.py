"""RESP against literal bytes, against every way of cutting a stream into pieces, and against real servers' replies."""

from __future__ import annotations

import math
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durable_redis.formats.resp import (
    NEED_MORE,
    NULL_ARRAY,
    OK,
    Boolean,
    CommandParser,
    Double,
    ErrorReply,
    Limits,
    Map,
    Members,
    ProtocolError,
    Push,
    ReplyParser,
    Status,
    Verbatim,
    encode,
    encode_command,
    format_double,
    split_inline,
    strict_integer,
)

bounded = settings(max_examples=150, derandomize=True, deadline=None)


def read(parser, *pieces):
    """Everything that the parser makes of the pieces: values, then the sentence of the error if there is one."""
    values = []
    for piece in pieces:
        parser.feed(piece)
        try:
            while (value := parser.next()) is not NEED_MORE:
                values.append(value)
        except ProtocolError as error:
            return [*values, str(error)]
    return values


def cuts(data):
    """The data in two pieces, cut at every byte; then byte by byte."""
    for at in range(len(data) + 1):
        yield data[:at], data[at:]
    yield tuple(data[at : at + 1] for at in range(len(data)))


# --- commands --------------------------------------------------------------------------------------------------------


def test_a_command_is_an_array_of_bulk_strings():
    assert encode_command([b"SET", b"k", b"\r\n"]) == b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\n\r\n\r\n"
    assert encode_command([b"PING"]) == b"*1\r\n$4\r\nPING\r\n"


COMMANDS = (
    b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING  'a b' \"\\x41\\n\"\r\n*0\r\n\r\n*-1\r\n*1\r\n$0\r\n\r\n"
    + encode_command([b"SET", b"\r\n*1\r\n", b"v" * 600])
)


def test_commands_are_the_same_however_the_bytes_are_cut():
    expected = [[b"GET", b"k"], [b"PING", b"a b", b"A\n"], [b""], [b"SET", b"\r\n*1\r\n", b"v" * 600]]
    for pieces in cuts(COMMANDS):
        parser = CommandParser()
        assert read(parser, *pieces) == expected
        assert parser.consumed == len(COMMANDS)


def test_consumed_is_the_end_of_the_last_command_and_the_rest_can_be_taken():
    parser = CommandParser()
    parser.feed(b"PING\r\n*1\r\n$4\r\nQUIT\r\nrest of it")
    assert parser.next() == [b"PING"]
    assert parser.consumed == 6
    assert parser.next() == [b"QUIT"]
    assert parser.consumed == 20
    assert parser.next() is NEED_MORE
    assert parser.take_rest() == b"rest of it"
    assert parser.consumed == 30
    assert parser.next() is NEED_MORE


@pytest.mark.parametrize(
    ("data", "reason", "offset"),
    [
        (b"*x\r\n", "Protocol error: invalid multibulk length", 0),
        (b"*1048577\r\n", "Protocol error: invalid multibulk length", 0),
        (b"*+1\r\n", "Protocol error: invalid multibulk length", 0),
        (b"PING\r\n*01\r\n", "Protocol error: invalid multibulk length", 6),
        (b"*1\r\n:4\r\nPING\r\n", "Protocol error: expected '$', got ':'", 4),
        (b"*2\r\n$3\r\nGET\r\nx3\r\n", "Protocol error: expected '$', got 'x'", 13),
        (b"*1\r\n$-1\r\n", "Protocol error: invalid bulk length", 4),
        (b"*1\r\n$536870913\r\n", "Protocol error: invalid bulk length", 4),
        (b"*1\r\n$1_0\r\n", "Protocol error: invalid bulk length", 4),
        (b"*1\r\n$ 1\r\n", "Protocol error: invalid bulk length", 4),
        (b'SET "a\r\n', "Protocol error: unbalanced quotes in request", 0),
        (b"SET " + b"x" * 70_000, "Protocol error: too big inline request", 0),
        (b"SET " + b"x" * 70_000 + b"\r\n", "Protocol error: too big inline request", 0),
        (b"*" + b"1" * 70_000, "Protocol error: too big mbulk count string", 0),
        (b"*1\r\n$" + b"1" * 70_000 + b"\r\n", "Protocol error: too big bulk count string", 4),
    ],
)
def test_damage_is_named_with_its_offset(data, reason, offset):
    parser = CommandParser()
    parser.feed(data)
    with pytest.raises(ProtocolError) as caught:
        list(iter(parser.next, NEED_MORE))
    assert (caught.value.reason, caught.value.offset) == (reason, offset)
    assert str(caught.value) == f"{reason}, at byte {offset} of the stream"
    parser.feed(b"PING\r\n")
    with pytest.raises(ProtocolError, match=str(offset)):
        parser.next()  # and it stays damaged
    if len(data) < 100:
        assert all(read(CommandParser(), *pieces)[-1] == str(caught.value) for pieces in cuts(data))


def test_a_line_at_the_limit_is_read_and_one_byte_more_is_not():
    limits = Limits(line_bytes=8)
    for pieces in cuts(b"PING abc\n"):
        assert read(CommandParser(limits), *pieces) == [[b"PING", b"abc"]]
    for pieces in cuts(b"PING abcd\n"):
        assert read(CommandParser(limits), *pieces) == [
            "Protocol error: too big inline request, at byte 0 of the stream"
        ]


def test_an_announced_length_allocates_nothing():
    parser = CommandParser()
    parser.feed(b"*1048576\r\n$536870912\r\nabc")
    assert parser.next() is NEED_MORE
    assert len(parser.take_rest()) == 3


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"", []),
        (b"   \t ", []),
        (b"set key value", [b"set", b"key", b"value"]),
        (rb'set "a b" c', [b"set", b"a b", b"c"]),
        (rb'"\x00\xfF\n\r\t\b\a\q\"\\"', [b'\x00\xff\n\r\t\b\aq"\\']),
        (rb'"\xzz"', [b"xzz"]),
        (rb"'it\'s' '\n'", [b"it's", rb"\n"]),
        (b'""', [b""]),
        (b'a"b c"', [b"ab c"]),
        (b'"a"b', None),
        (b'"a', None),
        (b"'a", None),
        (rb'"a\"', None),
    ],
)
def test_inline_words_are_split_as_redis_splits_them(line, words):
    assert split_inline(line) == words


def test_integers_are_read_strictly():
    assert [strict_integer(text) for text in (b"0", b"-1", b"9223372036854775807", b"-9223372036854775808")] == [
        0,
        -1,
        2**63 - 1,
        -(2**63),
    ]
    bad = (b"", b"-", b"+1", b" 1", b"1 ", b"01", b"-0", b"1_0", b"9223372036854775808", b"1\n", b"\xd9\xa1")
    assert [strict_integer(text) for text in bad] == [None] * len(bad)


# --- replies ---------------------------------------------------------------------------------------------------------

WIRE = [
    (b"ab", b"$2\r\nab\r\n", b"$2\r\nab\r\n"),
    (b"", b"$0\r\n\r\n", b"$0\r\n\r\n"),
    (7, b":7\r\n", b":7\r\n"),
    (-7, b":-7\r\n", b":-7\r\n"),
    (None, b"$-1\r\n", b"_\r\n"),
    ([b"a", 1, [None]], b"*3\r\n$1\r\na\r\n:1\r\n*1\r\n$-1\r\n", b"*3\r\n$1\r\na\r\n:1\r\n*1\r\n_\r\n"),
    ([], b"*0\r\n", b"*0\r\n"),
    (OK, b"+OK\r\n", b"+OK\r\n"),
    (ErrorReply("ERR no"), b"-ERR no\r\n", b"-ERR no\r\n"),
    (NULL_ARRAY, b"*-1\r\n", b"_\r\n"),
    (Map([(b"a", 1)]), b"*2\r\n$1\r\na\r\n:1\r\n", b"%1\r\n$1\r\na\r\n:1\r\n"),
    (Map([]), b"*0\r\n", b"%0\r\n"),
    (Members([b"a"]), b"*1\r\n$1\r\na\r\n", b"~1\r\n$1\r\na\r\n"),
    (Double(1.5), b"$3\r\n1.5\r\n", b",1.5\r\n"),
    (Double(math.inf), b"$3\r\ninf\r\n", b",inf\r\n"),
    (Boolean(True), b":1\r\n", b"#t\r\n"),
    (Boolean(False), b":0\r\n", b"#f\r\n"),
    (Verbatim("txt", b"ab"), b"$2\r\nab\r\n", b"=6\r\ntxt:ab\r\n"),
    (Push([b"message", Double(2.0)]), b"*2\r\n$7\r\nmessage\r\n$1\r\n2\r\n", b">2\r\n$7\r\nmessage\r\n,2\r\n"),
]


@pytest.mark.parametrize(("reply", "resp2", "resp3"), WIRE)
def test_replies_have_these_bytes(reply, resp2, resp3):
    assert encode(reply) == resp2
    assert encode(reply, 3) == resp3
    if reply is not NULL_ARRAY:  # RESP3 has one null for both
        assert read(ReplyParser(), resp3) == [reply]


def test_a_line_end_inside_an_error_cannot_end_it_early():
    assert encode(ErrorReply("ERR bad\r\n+OK")) == b"-ERR bad  +OK\r\n"
    assert ErrorReply("WRONGTYPE Operation").code == "WRONGTYPE"


def test_what_is_no_reply_is_refused():
    with pytest.raises(TypeError, match="True is not a reply"):
        encode(True)  # a bool is an int to Python; Redis has Boolean


def test_replies_are_the_same_however_the_bytes_are_cut():
    for pieces in cuts(b"".join(resp3 for _, _, resp3 in WIRE)):
        assert read(ReplyParser(), *pieces) == [None if reply is NULL_ARRAY else reply for reply, _, _ in WIRE]


def test_resp3_extras_are_understood():
    assert read(ReplyParser(), b"|1\r\n+ttl\r\n:3\r\n$1\r\nv\r\n") == [b"v"]  # an attribute is dropped
    assert read(ReplyParser(), b"*2\r\n|1\r\n+a\r\n:3\r\n:1\r\n|0\r\n:2\r\n") == [[1, 2]]
    assert read(ReplyParser(), b"!8\r\nERR a\r\nb\r\n") == [ErrorReply("ERR a\r\nb")]
    assert read(ReplyParser(), b"(3492890328409238509324850943850943825024385\r\n") == [
        3492890328409238509324850943850943825024385
    ]
    assert read(ReplyParser(), b",1e3\r\n,-inf\r\n") == [Double(1000.0), Double(-math.inf)]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"?\r\n", "unknown reply type b'?', at byte 0"),
        (b"+OK\r\n\r\n", "unknown reply type b'\\r', at byte 5"),
        (b":x\r\n", "not a value of type b':': b'x', at byte 0"),
        (b":1_0\r\n", "not a value of type"),
        (b",1_0\r\n", "not a value of type"),
        (b"#x\r\n", "not a value of type"),
        (b"_x\r\n", "not a value of type"),
        (b"(" + b"1" * 5000 + b"\r\n", "not a value of type"),
        (b"$-2\r\n", "invalid bulk length, at byte 0"),
        (b"=-1\r\n", "invalid bulk length, at byte 0"),
        (b"$1\r\nabc", "a bulk string does not end with CRLF, at byte 5"),
        (b"=2\r\nab\r\n", "a verbatim string does not begin"),
        (b"*-2\r\n", "invalid multibulk length, at byte 0"),
        (b"%-1\r\n", "invalid multibulk length, at byte 0"),
        (b"*1\r\n" * 65, "replies nested deeper than 64, at byte 256"),
        (b"+" + b"x" * 70_000, "too big reply line, at byte 0"),
    ],
)
def test_damaged_replies_are_named_with_their_offset(data, reason):
    result = read(ReplyParser(), data)
    assert result[-1].startswith(f"Protocol error: {reason}")


# --- numbers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.0, b"3"),
        (-3.0, b"-3"),
        (0.0, b"0"),
        (-0.0, b"-0"),
        (0.1, b"0.1"),
        (1 / 3, b"0.3333333333333333"),
        (1234.5678, b"1234.5678"),
        (1e21, b"1e+21"),
        (1.5e8, b"150000000"),
        (2.0**62, b"4611686018427387904"),
        (-(2.0**62) - 1024, b"-4611686018427389000"),
        (5e18, b"5e+18"),
        (5.0000000001e18, b"5.0000000001e+18"),  # eight zeros to write out are too many, seven are not
        (5.00000000001e18, b"5000000000010000000"),
        (123456789012345680.0, b"123456789012345680"),
        (1e-7, b"1e-7"),
        (1e-6, b"0.000001"),
        (1.2345e-5, b"1.2345e-5"),
        (5e-324, b"5e-324"),
        (1.7976931348623157e308, b"1.7976931348623157e+308"),
        (math.inf, b"inf"),
        (-math.inf, b"-inf"),
        (math.nan, b"nan"),
    ],
)
def test_doubles_are_written_with_the_fewest_digits(value, text):
    assert format_double(value) == text


@bounded
@given(st.floats(allow_nan=False))
def test_doubles_read_back_as_themselves(value):
    assert float(format_double(value)) == value


# --- any input -------------------------------------------------------------------------------------------------------

scalars = (
    st.binary(max_size=20)
    | st.integers(-(2**63), 2**63 - 1)
    | st.none()
    | st.builds(Status, st.binary(max_size=8).map(lambda text: text.translate(None, b"\r\n")))
    | st.builds(ErrorReply, st.text("ERR no", max_size=8))
    | st.builds(Double, st.floats(allow_nan=False))
    | st.builds(Boolean, st.booleans())
    | st.builds(Verbatim, st.sampled_from(["txt", "mkd"]), st.binary(max_size=8))
)
replies = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.builds(Members, st.lists(inner, max_size=3))
        | st.builds(Push, st.lists(inner, max_size=3))
        | st.builds(Map, st.lists(st.tuples(inner, inner), max_size=3))
    ),
    max_leaves=12,
)


@bounded
@given(st.lists(replies, max_size=4), st.integers(1, 7))
def test_replies_survive_the_wire(sent, piece):
    data = b"".join(encode(reply, 3) for reply in sent)
    assert read(ReplyParser(), *[data[at : at + piece] for at in range(0, len(data), piece)]) == sent


@bounded
@given(st.lists(st.lists(st.binary(max_size=600), min_size=1, max_size=5), max_size=4), st.integers(1, 50))
def test_commands_survive_the_wire(sent, piece):
    data = b"".join(encode_command(argv) for argv in sent)
    assert read(CommandParser(), *[data[at : at + piece] for at in range(0, len(data), piece)]) == sent


@bounded
@given(
    st.lists(st.sampled_from([b"*", b"$", b"1", b"2", b"-", b"\r\n", b"\n", b"a", b'"', b"%", b"|", b"=", b":", b" "])),
    st.sampled_from([CommandParser, ReplyParser]),
    st.data(),
)
def test_random_bytes_end_in_values_or_in_the_named_error(pieces, parser, data):
    stream = b"".join(pieces)
    at = data.draw(st.integers(0, len(stream)))
    assert repr(read(parser(), stream)) == repr(read(parser(), stream[:at], stream[at:]))


# --- real servers ----------------------------------------------------------------------------------------------------


def say(server, data):
    """The replies to these raw bytes on a connection of their own, which is closed for writing afterwards."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(10)
        connection.connect(str(server.socket_path))
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return read(ReplyParser(), *iter(lambda: connection.recv(1 << 16), b""))


def test_real_servers_understand_what_we_understand(real_server):
    lines = [rb'ECHO "a\x41\n\q"', rb"ECHO 'it\'s'", b'ECHO a"b c"', b"", b"ECHO \t x ", rb'ECHO "\xzz"', b"*0", b"*-1"]
    data = b"\r\n".join(lines) + b"\r\n" + encode_command([b"ECHO", b"\r\n"])
    assert split_inline(b'ECHO "a"b') is None
    if real_server.binary.version < (9,):  # Valkey 9 lets a word go on after a closing quote
        assert say(real_server, b'ECHO "a"b\r\n') == [ErrorReply("ERR Protocol error: unbalanced quotes in request")]
    assert say(real_server, data) == [argv[1] for argv in read(CommandParser(), data)]
    loose_end = b"*2\r\n$4\r\nECHO\r\n$2\r\nabXXPING\n"  # the two bytes after the data are not looked at
    assert read(CommandParser(), loose_end) == [[b"ECHO", b"ab"], [b"PING"]]
    if real_server.binary.version < (8,):
        assert say(real_server, loose_end) == [b"ab", Status(b"PONG")]
    else:
        assert say(real_server, loose_end) == [ErrorReply("ERR Protocol error: invalid CRLF in request")]


@pytest.mark.parametrize(
    "data",
    [
        b"*x\r\n",
        b"*+1\r\n",
        b"*01\r\n",
        b"*1\r\n:4\r\nPING\r\n",
        b"*1\r\n$-1\r\n",
        b"*1\r\n$536870913\r\n",
        b"*1\r\n$1_0\r\n",
        b'ECHO "a\r\n',
        b"*" + b"1" * 65_537,
        b"*1\r\n$" + b"1" * 65_537,
    ],
)
def test_real_servers_refuse_what_we_refuse_in_the_same_words(real_server, data):
    parser = CommandParser()
    parser.feed(data)
    with pytest.raises(ProtocolError) as caught:
        parser.next()
    assert say(real_server, data) == [ErrorReply(f"ERR {caught.value.reason}")]


def test_real_servers_write_doubles_as_we_do(real_server):
    values = [
        3.0,
        -0.1,
        1 / 3,
        1e21,
        1.5e8,
        2.0**52,
        1e-6,
        1.2345e-5,
        5e-324,
        math.inf,
        1234.5678,
        1e17,
        0.00012,
        2.0**62,
        5e18,
    ]
    texts = []
    for value in values:
        real_server.execute("ZADD", "z", repr(value), "m")
        texts.append(real_server.execute("ZSCORE", "z", "m"))
    if real_server.binary.version < (7, 2):
        assert [float(text) for text in texts] == values  # 17 digits, before the servers went over to the shortest
    else:
        assert texts == [format_double(value) for value in values]


def test_real_servers_speak_the_resp3_that_we_read(real_server):
    commands = [b"HELLO 3", b"HSET h f v", b"HGETALL h", b"SADD s m", b"SMEMBERS s", b"ZADD z 1.5 m", b"ZSCORE z m"]
    commands += [b"GET nothing", b"LOLWUT VERSION 1", b"SUBSCRIBE c", b"COMMAND INFO get"]
    data = b"".join(encode_command(command.split()) for command in commands)
    hello, *replies = say(real_server, data)
    assert dict(hello.pairs)[b"proto"] == 3
    assert replies[:7] == [1, Map([(b"f", b"v")]), 1, Members([b"m"]), 1, Double(1.5), None]
    assert isinstance(replies[7], Verbatim)
    assert replies[8] == Push([b"subscribe", b"c", 1])
    assert replies[9][0][0] == b"get"
