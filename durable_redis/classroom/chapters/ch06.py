"""Chapter 06, "Whoever wins the election decides what happened": its exercises and exit questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

from durable_redis.classroom.checking import Exercise, Wrong
from durable_redis.classroom.incidents import IN_N1, by_length, split
from durable_redis.classroom.kinds import Function, Number, Settings
from durable_redis.classroom.quiz import Question
from durable_redis.lab.deployments import RedisCluster, ReplicatedRedis
from durable_redis.lab.errors import LabError
from durable_redis.lab.run import Run
from durable_redis.redis.sentinel.election import votes_needed

SEED = 7
ZONES = ("a", "b", "c")
WATCHED: dict[str, Any] = {"sentinels": 3, "down_after_ms": 2_000}
ROOM: dict[str, Any] = {"replicas": 2, **WATCHED, "failover_timeout_ms": 6_000}
MINORITY = ("n1", "n2", "s1")


def told_ok(run: Run, *instants_ms: float) -> list[int]:
    """How many of the lost writes were told OK between each two of these instants."""
    answered_ms = [(row.answered_us or 0) / 1000 for row in run.receipt().lost_rows]
    return [sum(begin_ms <= at_ms < end_ms for at_ms in answered_ms) for begin_ms, end_ms in pairwise(instants_ms)]


def by_patience(lengths_s: Sequence[float]) -> dict[str, dict[float, int]]:
    """How many acknowledged writes a cut of each length erases: by how long the watchers wait, and by who stops."""
    rooms = {f"down-after {wait_s} s": ROOM | {"down_after_ms": wait_s * 1000} for wait_s in (2, 5, 10)}
    rooms["2 s, min-replicas 1"] = ROOM | {"min_replicas_to_write": 1}
    losses = {name: by_length(ReplicatedRedis(**room), lengths_s) for name, room in rooms.items()}
    cluster = RedisCluster(node_timeout_ms=3_000)
    return losses | {"cluster, timeout 3 s": by_length(cluster, lengths_s, alone=("n1",), key=IN_N1)}


# -- 8.1: how many votes -----------------------------------------------------------------------------------------------

ELECTORATES = ((3, 2), (5, 2), (4, 2), (5, 5), (1, 1), (7, 1), (6, 4), (7, 6))
"""(sentinels, quorum)."""


def votes_for_each() -> tuple[int, ...]:
    return tuple(votes_needed(sentinels, quorum) for sentinels, quorum in ELECTORATES)


def _majority(sentinels: int, quorum: int) -> int:
    return sentinels // 2 + 1


def _rounded_up(sentinels: int, quorum: int) -> int:
    return max((sentinels + 1) // 2, quorum)


VOTES_NEEDED = Exercise(
    name="votes-needed",
    kind=Function(("sentinels", "quorum"), lambda: ELECTORATES, Number("votes", 0)),
    truth=votes_for_each,
    solution=lambda sentinels, quorum: max(sentinels // 2 + 1, quorum),
    right="A majority of all that there are, and never fewer than the quorum.",
    wrong=(
        Wrong(
            lambda sentinels, quorum: quorum,
            "The quorum is for agreeing that the primary is down. To lead, a sentinel needs a majority as well: with "
            "5 sentinels and quorum 2 that is 3 votes.",
        ),
        Wrong(
            _majority,
            "Nearly. A quorum above the majority counts, too: of 5 sentinels with quorum 5, all must vote.",
        ),
        Wrong(
            _rounded_up,
            "Half of 4 is 2, and two camps of 2 could both have that. A majority is *more* than half.",
        ),
        Wrong(
            lambda sentinels, quorum: sentinels,
            "If all had to vote, one dead sentinel would be enough to forbid every failover.",
        ),
    ),
)

# -- 8.2: the window ---------------------------------------------------------------------------------------------------

LAG_S, MINUTE = 5, 60


@cache
def lost_in_a_minute() -> int:
    """Ten writes a second; n1 and n2 are cut off for a minute; two replicas must have answered in the last 5 s."""
    deployment = ReplicatedRedis(**WATCHED, replicas=4, min_replicas_to_write=2, min_replicas_max_lag=LAG_S)
    return split(deployment, MINUTE, MINORITY).lost


WINDOW = Exercise(
    name="window",
    kind=Number("writes", 0),
    truth=lost_in_a_minute,
    accept=lambda outcome, truth: 0.8 * truth <= outcome <= 1.1 * truth,
    solution=60,
    right="{truth} in the run: for 5 s the last word of the others still counts, and it is counted in whole seconds.",
    wrong=(
        Wrong(
            0,
            "When the wires are cut, n1 does not know it. It goes on until the last words of its replicas are too old.",
        ),
        Wrong(
            600,
            "That is the whole minute, as without min-replicas. After a while n1 sees that only one replica answers.",
            when=lambda given, outcome: 500 <= given <= 800,
        ),
        Wrong(
            110,
            "That would be the default, a lag of 10 s. What is the lag here?",
            when=lambda given, outcome: 90 <= given <= 120,
        ),
        Wrong(
            20,
            "The sentinels need 2 s to miss n1, but that does not stop it: nobody can tell it. What does stop it?",
            when=lambda given, outcome: 15 <= given <= 40,
        ),
        Wrong(
            5,
            "5 s is the window. How many writes fit into it, at ten a second?",
            when=lambda given, outcome: given < 10,
        ),
    ),
    otherwise="The run says {truth}. The window is a time: how many writes fit into it?",
)

# -- 8.3: a bound that binds -------------------------------------------------------------------------------------------

STUB = {"replicas": 4, **WATCHED, "min_replicas_to_write": 1, "min_replicas_max_lag": 10}
LAST_WRITE_S = 12


class Bounded(NamedTuple):
    """What comes of some settings: writes lost when the minority is cut off for half a minute; how long after the cut
    the last of them was acknowledged; and for how long nothing was written after one replica had died."""

    lost: int
    last_s: float
    silent_s: float


def bounded(settings: Mapping[str, Any]) -> Bounded:
    """Cut n1 and n2 off; and in another run let one replica die."""
    cost = split(ReplicatedRedis(**settings), 30, MINORITY)
    run = ReplicatedRedis(**settings).start(seed=SEED)
    run.write(250, every_ms=100)
    run.crash(run.deployment.nodes[-1], "power loss", at_ms=3_000)
    run.play(until_ms=27_000)
    return Bounded(cost.lost, cost.last_s, run.availability().longest_us / 1e6)


BOUND = Exercise(
    name="bound",
    kind=Settings(ReplicatedRedis),
    truth=lambda: LAST_WRITE_S,
    outcome=bounded,
    accept=lambda outcome, truth: outcome.last_s <= truth and outcome.silent_s < 1,
    stub=STUB,
    solution=STUB | {"min_replicas_to_write": 2},
    right="The last write that is lost was acknowledged {outcome.last_s:.1f} s after the cut; and a dead replica stops "
    "nobody.",
    wrong=(
        Wrong(
            STUB | {"min_replicas_max_lag": 0},
            "A lag of 0 does not mean *at once*: it switches the rule off. {outcome.lost} writes are lost.",
            when=lambda given, outcome: not given.get("min_replicas_max_lag", 10),
        ),
        Wrong(
            STUB | {"min_replicas_max_lag": 1},
            "n2 is on the same side, and answers every second, however short the lag: {outcome.lost} writes are lost. "
            "How many replicas are over there, at most, if n1 is in the minority?",
            when=lambda given, outcome: given.get("min_replicas_to_write") == 1 and outcome.last_s > LAST_WRITE_S,
        ),
        Wrong(
            STUB | {"min_replicas_to_write": 4},
            "That bounds the loss. But then one dead replica of four stops all writing, for {outcome.silent_s:.0f} s "
            "in the run: until it is back.",
            when=lambda given, outcome: outcome.silent_s >= 1,
        ),
        Wrong(
            STUB | {"min_replicas_to_write": 0},
            "Without the rule n1 says OK until somebody reaches it: {outcome.lost} writes are lost.",
            when=lambda given, outcome: not given.get("min_replicas_to_write"),
        ),
        Wrong(
            STUB | {"min_replicas_to_write": 2, "min_replicas_max_lag": 20},
            "The number is right; the lag is too long: the last lost write was acknowledged {outcome.last_s:.1f} s "
            "after the cut.",
            when=lambda given, outcome: outcome.last_s > LAST_WRITE_S,
        ),
    ),
)

# -- 8.4: where to put the sentinels -----------------------------------------------------------------------------------


class Placed(ReplicatedRedis):
    """n1, n2, n3 in zones a, b, c, and sentinels wherever somebody wants them.  Raises LabError for no such place."""

    def __init__(self, zones: Sequence[str] = ZONES, quorum: int = 2) -> None:
        if isinstance(zones, str) or not zones or not all(zone in ZONES for zone in zones):
            raise LabError('zones names a zone for each sentinel, such as ("a", "b", "c")')
        super().__init__(
            replicas=2, sentinels=len(zones), quorum=quorum, down_after_ms=2_000, failover_timeout_ms=6_000
        )
        self.zones = {**self.zones, **dict(zip(self.controls, zones, strict=True))}


class Watch(NamedTuple):
    """What comes of a placement: the zones whose outage leaves nobody to write to; how many acknowledged writes a
    single bad wire, between one sentinel and a healthy primary, costs; and how many votes a leader needs."""

    stuck: str
    hasty: int
    needed: int


def watched(placement: Mapping[str, Any]) -> Watch:
    """Let each zone fail in turn, with the primary in it; and cut one wire between a sentinel and the primary."""
    zones, quorum = tuple(placement.get("zones", ZONES)), placement.get("quorum", 2)
    stuck = [zone for zone in ZONES if not _survives(zones, quorum, zone)]
    run = Placed(zones, quorum).start(seed=SEED)
    run.write(200, every_ms=100)
    run.cut("n1", "s1", at_ms=4_000)
    run.play(until_ms=20_000)
    return Watch(" and ".join(stuck), run.receipt().lost, votes_needed(len(zones), quorum))


def _survives(zones: Sequence[str], quorum: int, lost: str) -> bool:
    """Whether somebody else leads after the outage of this zone.  The zones are renamed so that n1 stands in it."""
    turn = ZONES.index(lost)
    renamed = [ZONES[(ZONES.index(zone) - turn) % 3] for zone in zones]
    run = Placed(renamed, quorum).start(seed=SEED)
    run.play(until_ms=2_000)
    run.outage("a")
    run.play(until_ms=17_000)
    return leads(run) not in ("", "n1")


def leads(run: Run) -> str:
    """The server that is a primary now and that the others follow; "" if there is none."""
    views = run.playback.views()
    return next((name for name in run.deployment.nodes if views[name].get("role") == "primary"), "")


PLACES = {"zones": ("a", "a", "b"), "quorum": 2}

PLACEMENT = Exercise(
    name="placement",
    kind=Settings(Placed),
    truth=lambda: "",
    outcome=watched,
    accept=lambda outcome, truth: outcome.stuck == truth and not outcome.hasty,
    stub=PLACES,
    solution={"zones": ("a", "b", "c"), "quorum": 2},
    right="Any zone may fail, and {outcome.needed} of the sentinels that are left can elect one of them; and one bad "
    "wire replaces nobody.",
    wrong=(
        Wrong(
            {"zones": ("a", "b", "c"), "quorum": 1},
            "With quorum 1 a single sentinel's opinion is enough to *try*, and the others vote for it although they "
            "see n1 well. One bad wire, and a healthy primary is replaced: {outcome.hasty} acknowledged writes are "
            "gone.",
            when=lambda given, outcome: bool(outcome.hasty),
        ),
        Wrong(
            {"zones": ("a", "b", "c"), "quorum": 3},
            "When a zone is gone, so is its sentinel: the quorum of 3 cannot be reached by those who are left.",
            when=lambda given, outcome: given.get("quorum", 2) > len(given.get("zones", ZONES)) // 2 + 1,
        ),
        Wrong(
            {"zones": ("a", "b"), "quorum": 2},
            "Two sentinels endure the loss of none: the majority of 2 is 2.",
            when=lambda given, outcome: len(given.get("zones", ZONES)) == 2,
        ),
        Wrong(
            {"zones": ("b", "c", "c"), "quorum": 2},
            "When zone {outcome.stuck} is gone, too few sentinels are left to elect one: {outcome.needed} votes are "
            "needed, whoever is alive.",
            when=lambda given, outcome: bool(outcome.stuck),
        ),
    ),
)

EXERCISES = (VOTES_NEEDED, WINDOW, BOUND, PLACEMENT)

# -- before you go -----------------------------------------------------------------------------------------------------

QUESTIONS = (
    Question(
        "Three sentinels have elected a leader by majority, and it has promoted n2. What has the majority agreed on?",
        {
            "that n2 has every acknowledged write": "Nobody asked. The sentinels do not even know which writes there "
            "were: they compared the offsets of the replicas that they could reach.",
            "who may choose the next primary": "One leader in an epoch: that is all. Which replica it takes, and what "
            "that one lacks, is not put to the vote.",
            "that n1 has stopped": "It could not be reached by enough of them. It may well be saying OK to somebody.",
        },
        "who may choose the next primary",
    ),
    Question(
        "A switch fails for four seconds; down-after is two. For how long may acknowledged writes get lost?",
        {
            "for two seconds: from the promotion to the healing": "Those before the promotion are lost as well: the "
            "new primary never received them. And after the healing it is not over.",
            "for four seconds, while the switch was broken": "When the wires are whole again, the old primary does not "
            "know yet that it was replaced. It is told some ten seconds later.",
            "for some fourteen seconds": "From the cut to the demotion. The sentinels watch a returning primary for "
            "8 s before they make it a replica, and its clients write to it all the while.",
        },
        "for some fourteen seconds",
    ),
    Question(
        "Two replicas, min-replicas-to-write 1, max-lag 10. Which loss does this bound?",
        {
            "that of a primary which is cut off from both": "After 10 s without a word from a replica it refuses.",
            "that of a primary which dies": "It has nobody to stop any more. What it had not sent is lost with it.",
            "that of every split": "A replica on its side goes on answering, and so does the primary.",
        },
        "that of a primary which is cut off from both",
    ),
    Question(
        "WAIT 1 answered 1. What do you know about the write?",
        {
            "that it will survive the death of the primary": "If the replica that has it is the one that is promoted. "
            "Another may win, by priority, by luck, or because it can be reached.",
            "that one replica had executed it then": "No more than that. It may not be on its disk, and it may not be "
            "the heir.",
            "that it is on two disks": "Executed is not written. WAIT does not ask for any fsync; that is what WAITAOF "
            "of Redis 7.2 is for.",
        },
        "that one replica had executed it then",
    ),
)
