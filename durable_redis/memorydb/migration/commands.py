"""The commands of a migration: those of an operator, and those that the source says to the target (`link`).

    CLUSTER MIGRATESLOTS SLOTSRANGE first last NODE node       to the primary: give these slots to the node's shard
    CLUSTER GETSLOTMIGRATIONS                                  what has become of the last one
    CLUSTER CANCELSLOTMIGRATIONS                               to the primary: abandon it, as long as it is undecided

The names are Valkey 9's, where slots migrate between primaries as well, without logs.  (There, NODE is the id of a
primary, and several ranges may be named.)

Every refusal says why, and that nothing was begun.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from durable_redis.engine import Call
from durable_redis.engine.arguments import integer
from durable_redis.formats.resp import OK, ErrorReply, Reply, strict_integer
from durable_redis.memorydb.migration.ownership import Migration, Phase
from durable_redis.memorydb.migration.source import DEMANDS
from durable_redis.memorydb.migration.target import Demand
from durable_redis.redis.cluster.slots import SLOTS, SlotError, parse_slots, slots_in, slots_text
from durable_redis.redis.config import DEFAULT_PORT

if TYPE_CHECKING:
    from durable_redis.memorydb.caller import Caller
    from durable_redis.memorydb.server import MemoryDBServer

NOT_THE_PRIMARY = ErrorReply("ERR this is for the primary of the shard, while its lease holds: ask it instead")
USAGE = ErrorReply("ERR syntax error: CLUSTER MIGRATESLOTS SLOTSRANGE first last NODE node")
WORDS_OF_A_DEMAND = {"PREPARE": 7}
"""How many words a demand has, if it is not 5."""


def migrate_slots(server: MemoryDBServer, call: Call) -> Reply:
    """CLUSTER MIGRATESLOTS SLOTSRANGE first last NODE node: +OK, it will be begun."""
    words = [word.decode("latin-1") for word in call.argv[2:]]
    if len(words) != 5 or words[0].upper() != "SLOTSRANGE" or words[3].upper() != "NODE":
        return USAGE
    first, last = (strict_integer(word) for word in call.argv[3:5])
    if first is None or last is None or not (0 <= first < SLOTS and 0 <= last < SLOTS):
        return ErrorReply("ERR Invalid or out of range slot")
    if first > last:
        return ErrorReply(f"ERR start slot number {first} is greater than end slot number {last}")
    if not server.leadership.serves(server.now_us):
        return NOT_THE_PRIMARY
    shards, slots = server.shards, slots_in([(first, last)])
    target = shards.of_node(words[4])
    if target is None:
        return ErrorReply(
            f"ERR Unknown node {words[4]}: there is {', '.join(sum((s.nodes for s in shards.shards), ()))}"
        )
    if target is shards.own:
        return ErrorReply(
            f"ERR {words[4]} is a node of {target.name}: the target must be another shard than the source"
        )
    if missing := slots & ~shards.owned:
        return ErrorReply(f"ERR {shards.own.name} does not serve the slots {slots_text(missing)}")
    migration = server.logbook.data.ownership.migration or server.migration.source.asked
    if migration is not None:
        return ErrorReply(f"ERR a migration is running already: {migration}")
    server.migration.source.asked = Migration(Phase.BEGUN, 0, shards.own.name, target.name, slots)
    return OK


def get_slot_migrations(server: MemoryDBServer, call: Call) -> Reply:
    """CLUSTER GETSLOTMIGRATIONS: [[field, value, ...]] of the last migration that this node knows of; or []."""
    last = server.logbook.data.ownership.migration or server.migration.last
    if last is None:
        return []
    fields = {
        "name": f"{last.source}-{last.number}",
        "operation": "EXPORT" if last.source == server.config.shard else "IMPORT",
        "slot_ranges": slots_text(last.slots),
        "source": last.source,
        "target": last.target,
        "state": last.phase.value,
        "message": server.migration.why,
    }
    return [[word.encode() for field in fields.items() for word in field]]


def cancel_slot_migrations(server: MemoryDBServer, call: Call) -> Reply:
    """CLUSTER CANCELSLOTMIGRATIONS: +OK, it will be abandoned."""
    if not server.leadership.serves(server.now_us):
        return NOT_THE_PRIMARY
    source = server.migration.source
    if source.asked is None and (
        source.migration is None or source.migration.phase not in (Phase.BEGUN, Phase.PREPARED)
    ):
        return ErrorReply("ERR no migration from here is running that is not decided yet")
    source.asked = None
    source.give_up("an operator has cancelled it")
    return OK


def migration(server: MemoryDBServer, call: Call) -> Reply:
    """MIGRATION verb source number ...: what the source says."""
    verb, source = call.argv[1].decode("latin-1").upper(), call.argv[2].decode("latin-1")
    if verb not in ("DATA", *(word.decode() for word in DEMANDS.values())):
        return ErrorReply(f"ERR MIGRATION knows no {verb[:20]}")
    if len(call.argv) != WORDS_OF_A_DEMAND.get(verb, 5):
        return ErrorReply(f"ERR wrong number of arguments for MIGRATION {verb}")
    if source not in server.shards.map or source == server.config.shard:
        return ErrorReply(f"ERR there is no other shard {source}")
    if not server.leadership.serves(server.now_us):
        leader = server.leadership.leader
        known = not server.leadership.leads and leader not in ("", server.name)
        return ErrorReply(f"REDIRECT {leader}:{DEFAULT_PORT}") if known else NOT_THE_PRIMARY
    number, connection = integer(call.argv[3]), cast("Caller", call.session).connection
    target = server.migration.target
    if verb == "DATA":
        return target.data(source, number, call.argv[4], connection)
    try:
        slots = parse_slots(call.argv[4].decode("latin-1"))
        checksum, passed_ms = (int(call.argv[5], 16), integer(call.argv[6])) if verb == "PREPARE" else (0, 0)
    except (SlotError, ValueError) as error:
        return ErrorReply(f"ERR {error}")
    return target.demanded(Demand(verb, source, number, slots, server.behind.executed, checksum, passed_ms), connection)
