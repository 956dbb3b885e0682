"""What the tests of the engine share: short ways to run commands, and random commands to run.

The random commands come from a small grammar, one line a command.  A word in capitals stands for itself, any other for
something drawn from the pool of that name; `word?` may be missing, `word*` comes 0 to 3 times, `word+` 1 to 3 times.
Keys are few and shared by all types, so that wrong types, overwritten keys and emptied keys happen all the time.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from durable_redis.engine import Engine, Session
from durable_redis.formats.resp import Double, Map, Members, Reply

NOW_MS = 1_700_000_000_000


def words(line: str) -> list[bytes]:
    """`"SET k v"` as a command; `""` written in it is the empty string."""
    return [b"" if word == '""' else word.encode("latin-1") for word in line.split()]


class Driver:
    """An engine with one client, to be driven by lines of text."""

    def __init__(self, seed: int = 7, protocol: int = 2) -> None:
        self.engine = Engine(random.Random(seed))
        self.session = Session("test", protocol=protocol)
        self.now_ms = NOW_MS

    def __call__(self, line: str, session: Session | None = None) -> Reply:
        return self.engine.execute(session or self.session, words(line), self.now_ms)

    def effects(self) -> list[str]:
        """The effects since the last time, as lines."""
        return [b" ".join(argv).decode("latin-1") for _, argv in self.engine.take_effects()]


def contents(engine: Engine) -> list[tuple[Any, ...]]:
    """All that is in an engine, in an order that does not depend on how it got there."""
    found = []
    for entry in engine.entries():
        value = sorted(entry.value) if entry.kind in ("set", "hash") else entry.value
        found.append((entry.db, entry.key, entry.kind, value, entry.expires_at_ms))
    return sorted(found, key=lambda row: row[:2])


FURNITURE = [
    words(line)
    for line in (
        "SET s1 10",
        "SET s2 abc PXAT 4000000000000",
        "RPUSH l1 1 10 abc 1 3.5",
        "RPUSH l2 a",
        "HSET h1 a 1 b 2 c abc",
        "HSET h2 a 3.5",
        "SADD m1 a b c 1 2",
        "SADD m2 b c",
        "ZADD z1 1 a 2 b 3 c 2.5 1",
        "ZADD z2 2 b 3 d",
        "ZADD x1 0 a 0 b 0 aa 0 c",
        "PEXPIREAT h1 4000000000000",
    )
]
"""Commands that leave something under most keys of the grammar, so that what follows finds something."""


# ---------------------------------------------------------------------------------------------------------------------
# Random commands
# ---------------------------------------------------------------------------------------------------------------------

_INTEGERS = [b"0", b"1", b"2", b"3", b"5", b"-1", b"-2", b"-3", b"10", b"100"]
_FUTURE_MS = 4_000_000_000_000

_POOLS: dict[str, list[bytes]] = {
    "string": [b"s1", b"s1", b"s2", b"s2", b"s1", b"s2", b"l1", b"h1", b"z1"],
    "list": [b"l1", b"l1", b"l2", b"l2", b"l1", b"l2", b"s1", b"z1"],
    "hash": [b"h1", b"h1", b"h2", b"h2", b"h1", b"h2", b"s1", b"l1"],
    "set": [b"m1", b"m1", b"m2", b"m2", b"m3", b"m1", b"m2", b"l1"],
    "zset": [b"z1", b"z1", b"z2", b"z2", b"z3", b"z1", b"z2", b"m1", b"l1"],
    "lexset": [b"x1"],
    "any": [b"s1", b"s2", b"l1", b"l2", b"h1", b"h2", b"m1", b"m2", b"m3", b"z1", b"z2", b"none"],
    "value": [b"", b"1", b"10", b"-7", b"abc", b"3.5", b"1e3", b"\x00\xff\r\n", b"9223372036854775807", b" 1", b"0x10"],
    "member": [b"a", b"b", b"c", b"d", b"1", b"2", b"", b"aa"],
    "int": [*_INTEGERS, *_INTEGERS, b"", b"x", b"007", b"9223372036854775807", b"-9223372036854775808", b"1.5"],
    "small": [*_INTEGERS, *_INTEGERS, *_INTEGERS, b"x", b"-9223372036854775808"],
    "numkeys": [b"1", b"1", b"2", b"2", b"2", b"0", b"-1", b"x", b"5"],
    "float": [b"1", b"2.5", b"-1", b"0.5", b"1e3", b"3", b"inf", b"-inf", b"nan", b"x", b"", b"1e400", b"-0", b"0x8"],
    "decimal": [
        b"1",
        b"0.1",
        b"-1.7",
        b"0.3",
        b"1e3",
        b"3",
        b"inf",
        b"nan",
        b"x",
        b"",
        b"1e400",
        b"-0",
        b" 1",
        b"1e-3",
    ],
    "bound": [b"-inf", b"+inf", b"0", b"1", b"(1", b"2", b"(2.5", b"3", b"x", b"", b"("],
    "lex": [b"-", b"+", b"[a", b"(a", b"[b", b"(c", b"[", b"a", b"[aa"],
    "bit": [b"0", b"1", b"1", b"2", b"x"],
    "offset": [b"0", b"1", b"7", b"8", b"20", b"-1", b"4294967296", b"x"],
    "future": [b"%d" % _FUTURE_MS, b"%d" % (_FUTURE_MS + 5), b"%d" % (_FUTURE_MS - 5), b"x", b"9223372036854775807"],
    "future_s": [b"4000000000", b"4000000005", b"4000000001", b"0", b"-1", b"1", b"99999999999999999"],
    "past": [b"0", b"-1", b"-100", b"x", b"", b"9223372036854775807"],
    "db": [b"0", b"1", b"2", b"0", b"1", b"16", b"-1", b"x"],
    "glob": [b"*", b"s*", b"?1", b"[hm]1", b"[^s]*", b"[a-m]?", b"\\s1", b"[", b"*1*", b"[^]", b"[z-a]2"],
    "junk": [b"NX", b"x", b"LIMIT", b"GET", b"COUNT"],
    "end": [b"LEFT", b"RIGHT", b"left", b"MIDDLE"],
    "expire_option": [b"NX", b"XX", b"GT", b"LT", b"lt", b"ZZ"],
    "set_option": [
        b"NX",
        b"XX",
        b"GET",
        b"KEEPTTL",
        b"get",
        b"PXAT 4000000000000",
        b"EXAT 4000000000",
        b"PX 0",
    ],
    "getex_option": [b"PERSIST", b"PXAT 4000000000000", b"EXAT 4000000000", b"PXAT 1", b"PX 0", b"KEEPTTL"],
    "zadd_option": [b"NX", b"XX", b"GT", b"LT", b"CH", b"INCR"],
    "zpair": [score + b" " + member for score in (b"1", b"2.5", b"-1", b"inf", b"x") for member in (b"a", b"b", b"1")],
    "zrange_option": [b"REV", b"BYSCORE", b"WITHSCORES", b"LIMIT 0 2", b"LIMIT 1 -1", b"LIMIT -1 2", b"BYLEX", b"x"],
    "legacy_option": [b"WITHSCORES", b"LIMIT 0 2", b"LIMIT 1 -1", b"LIMIT -1 2", b"LIMIT 0 0", b"LIMIT 1", b"REV"],
    "lpos_option": [b"RANK 1", b"RANK -1", b"RANK 2", b"RANK 0", b"COUNT 0", b"COUNT 2", b"COUNT -1", b"MAXLEN 2"],
    "aggregate": [b"AGGREGATE MIN", b"AGGREGATE MAX", b"AGGREGATE SUM", b"AGGREGATE x", b"WEIGHTS 2 3", b"WEIGHTS 2"],
    # ALPHA and BY together leave ties, which the real server's sort puts in no particular order.
    "sort_option": [b"DESC", b"ASC", b"LIMIT 1 2", b"LIMIT 0 -1", b"GET #", b"GET s*", b"BY s*", b"BY"],
    "alpha_option": [b"DESC", b"ASC", b"LIMIT 1 2", b"GET #", b"GET s*", b"LIMIT"],
    "range_unit": [b"BYTE", b"BIT", b"x"],
    "bitop": [b"AND", b"OR", b"XOR", b"NOT", b"x"],
    "minmax": [b"MIN", b"MAX", b"MID"],
    "count_option": [b"COUNT 1", b"COUNT 2", b"COUNT 0", b"COUNT"],
    "copy_option": [b"REPLACE", b"DB 1", b"DB 16", b"DB x"],
    "limit_option": [b"LIMIT 1", b"LIMIT 0", b"LIMIT -1", b"LIMIT"],
}

GRAMMAR = """
SET string value set_option* / SET string value / GET string / GETSET string value / GETDEL string
GETEX string getex_option? / SETNX string value / SETEX string past value / PSETEX string past value
MSET string value string value / MSETNX string value list value / MGET any+ / APPEND string value / STRLEN string
INCR string / DECR string / INCRBY string int / DECRBY string int / INCRBYFLOAT string decimal
GETRANGE string int int / SUBSTR string int int / SETRANGE string offset value / SETBIT string offset bit
GETBIT string offset / BITCOUNT string / BITCOUNT string small small range_unit? / BITOP bitop string string string?
BITPOS string bit small? / BITPOS string bit small small range_unit?
LPUSH list value+ / RPUSH list value+ / LPUSHX list value / RPUSHX list value+ / LPOP list small? / RPOP list small?
LLEN list / LRANGE list int int / LINDEX list int / LSET list int value / LINSERT list BEFORE value value
LINSERT list AFTER value value / LREM list small value / LTRIM list small small / LPOS list value lpos_option*
LMOVE list list end end / RPOPLPUSH list list / LMPOP numkeys list list? end count_option?
HSET hash member value / HSET hash member value member value / HSETNX hash member value / HGET hash member
HMGET hash member+ / HMSET hash member value / HGETALL hash / HDEL hash member+ / HEXISTS hash member / HLEN hash
HKEYS hash / HVALS hash / HSTRLEN hash member / HINCRBY hash member int / HINCRBYFLOAT hash member decimal
HRANDFIELD hash 100 / HRANDFIELD hash 100 WITHVALUES / HSCAN hash 0 COUNT 1000 / HSCAN hash 0 MATCH glob
SADD set member+ / SREM set member+ / SMEMBERS set / SISMEMBER set member / SMISMEMBER set member+ / SCARD set
SPOP set 100 / SPOP set 0 / SRANDMEMBER set 100 / SMOVE set set member / SINTER set+ / SUNION set+ / SDIFF set+
SINTERSTORE set set+ / SUNIONSTORE set set+ / SDIFFSTORE set set+ / SINTERCARD numkeys set+ limit_option?
SSCAN set 0 COUNT 1000 / SSCAN set 0 MATCH glob COUNT 1000 / SSCAN set x
ZADD zset zadd_option* zpair+ / ZADD zset zpair+ / ZINCRBY zset float member / ZREM zset member+ / ZSCORE zset member
ZMSCORE zset member+ / ZCARD zset / ZCOUNT zset bound bound / ZLEXCOUNT lexset lex lex / ZRANK zset member
ZREVRANK zset member / ZRANGE zset small small zrange_option* / ZRANGE zset bound bound BYSCORE zrange_option*
ZRANGE lexset lex lex BYLEX zrange_option* / ZRANGEBYSCORE zset bound bound legacy_option*
ZREVRANGEBYSCORE zset bound bound legacy_option* / ZREVRANGE zset small small legacy_option?
ZRANGEBYLEX lexset lex lex legacy_option? / ZREVRANGEBYLEX lexset lex lex legacy_option?
ZADD lexset 0 member 0 member / ZREMRANGEBYLEX lexset lex lex / ZRANGESTORE zset zset small small zrange_option?
ZPOPMIN zset small? / ZPOPMAX zset small? / ZMPOP numkeys zset zset? minmax count_option?
ZREMRANGEBYRANK zset small small / ZREMRANGEBYSCORE zset bound bound / ZUNION numkeys zset+ aggregate? WITHSCORES
ZINTER numkeys zset+ aggregate? / ZINTER 2 zset zset WITHSCORES / ZDIFF numkeys zset+ WITHSCORES
ZUNIONSTORE zset numkeys zset+ aggregate? / ZINTERSTORE zset numkeys zset+ aggregate? / ZDIFFSTORE zset numkeys zset+
ZUNION 2 zset zset / ZINTERCARD numkeys zset+ limit_option? / ZSCAN zset 0 COUNT 1000 / ZRANDMEMBER zset 100 WITHSCORES
DEL any+ / UNLINK any / EXISTS any+ / TOUCH any+ / TYPE any / RENAME any any / RENAMENX any any
COPY any any copy_option* / MOVE any db / SWAPDB db db / EXPIREAT any future_s expire_option?
PEXPIREAT any future expire_option* / PEXPIREAT any future expire_option? / EXPIRE any past / PERSIST any
EXPIRETIME any / PEXPIRETIME any / KEYS glob / SCAN 0 COUNT 1000 / SCAN 0 MATCH glob COUNT 1000
SCAN 0 COUNT 1000 TYPE ZSET / SCAN x / SCAN 0 COUNT 0 / DBSIZE / SELECT db / FLUSHDB / FLUSHALL ASYNC / FLUSHDB x
SORT list sort_option* / SORT zset ALPHA alpha_option? / SORT set ALPHA STORE list / SORT list STORE list
PING / PING value / PING value value / ECHO value / OBJECT ENCODING / OBJECT REFCOUNT none / OBJECT x
MULTI / EXEC / EXEC / EXEC / DISCARD / WATCH any / UNWATCH / NOSUCH member member / GET / SET string
"""


def _word(word: str) -> st.SearchStrategy[list[bytes]]:
    """What one word of the grammar can become: a list of words of a command."""
    if word.isupper() or word.isdigit():
        return st.just([word.encode()])
    repeat = {"?": (0, 1), "*": (0, 3), "+": (1, 3)}.get(word[-1], (1, 1))
    pool = _POOLS.get(word.rstrip("?*+"))
    if pool is None:
        return st.just([word.encode()])
    # A literal that carries its own arguments, "LIMIT 0 2", is several words; values with blanks are one.
    splits = word.rstrip("?*+").endswith(("option", "zpair", "aggregate"))
    drawn = st.lists(st.sampled_from(pool), min_size=repeat[0], max_size=repeat[1])
    return drawn.map(lambda found: [part for text in found for part in (text.split(b" ") if splits else [text])])


def commands(skip: Callable[[str], bool] = lambda name: False) -> st.SearchStrategy[list[bytes]]:
    """Any one command of the grammar, sometimes with a word too many or too few."""
    lines = [line.strip() for part in GRAMMAR.strip().splitlines() for line in part.split("/")]
    alternatives = []
    for line in lines:
        name, *arguments = line.split()
        if not skip(name.lower()):
            parts = st.tuples(st.just([name.encode()]), *[_word(argument) for argument in arguments])
            alternatives.append(parts.map(lambda found: [word for part in found for word in part]))
    whole = st.sampled_from(alternatives).flatmap(lambda alternative: alternative)
    return st.tuples(whole, st.integers(0, 39)).map(_spoil)


def _spoil(drawn: tuple[list[bytes], int]) -> list[bytes]:
    argv, luck = drawn
    if luck == 0:
        return [*argv, b"x"]
    if luck == 1 and len(argv) > 1 and argv[0] not in _LUCKY:
        return argv[:-1]
    return argv


# Without their count these pick one at random, which two servers cannot agree on.
_LUCKY = (b"SPOP", b"SRANDMEMBER", b"HRANDFIELD", b"ZRANDMEMBER")


# ---------------------------------------------------------------------------------------------------------------------
# Comparing replies
# ---------------------------------------------------------------------------------------------------------------------

_UNORDERED = {b"KEYS", b"SMEMBERS", b"SINTER", b"SUNION", b"SDIFF", b"HKEYS", b"HVALS", b"SPOP", b"SRANDMEMBER"}
_UNORDERED_PAIRS = {b"HGETALL", b"HRANDFIELD", b"ZRANDMEMBER"}


def normal(argv: list[bytes], reply: Any) -> Any:
    """A reply in which the order that Redis does not promise is gone."""
    name = argv[0].upper()
    match reply:
        case Members(items):
            return Members(sorted(items))
        case Map(pairs):
            return Map(sorted(pairs))
        case [bytes() as cursor, list() as page] if name.endswith(b"SCAN"):
            return [cursor, sorted(_paired(page) if name in (b"HSCAN", b"ZSCAN") else page)]
        case list() if name in _UNORDERED:
            return sorted(reply)
        case list() if name in _UNORDERED_PAIRS:
            flat = name != b"HGETALL" and len(argv) < 4
            return sorted(reply if flat else _paired(reply), key=repr)
    return reply


def _paired(flat: list[Any]) -> list[Any]:
    if any(isinstance(item, list) for item in flat):
        return [tuple(_plain(part) for part in pair) for pair in flat]
    return [(_plain(first), _plain(second)) for first, second in zip(flat[::2], flat[1::2], strict=True)]


def _plain(item: Any) -> Any:
    return item.value if isinstance(item, Double) else item
