"""Chapter 06, "Whoever wins the election decides what happened": the tasks of its console lab."""

from durable_redis.classroom.conditions import found_nobody, heir, leaders, was_split
from durable_redis.lab.tasks import Task

TASKS = (
    Task(
        "Cut zone a off, the client with it, and stand where two servers are primaries at once.",
        lambda run: leaders(run) >= 2,
        hint="Click zone a. Then play on, until the sentinels of the other zones have promoted somebody.",
        praise="Each of them serves whoever reaches it. Nobody in the room knows of both, but you.",
    ),
    Task(
        "Heal the network after that, go on until n1 follows, and find at least 100 acknowledged writes gone.",
        lambda run: was_split(run) and heir(run) not in ("", "n1") and run.receipt().lost >= 100,
        hint="The old primary is told some ten seconds after the healing. Go on beat by beat.",
        praise="The client of n1 was told OK, every time.",
    ),
    Task(
        "Cut zone a off once more, but heal the network so early that no write is lost.",
        lambda run: was_split(run) and heir(run) == "n1" and run.receipt().lost == 0,
        hint="Undo, and heal before two seconds are over: before the sentinels lose patience.",
        praise="What had stalled on the wires arrived late, and all of it arrived.",
    ),
    Task(
        "Let the sentinels elect a leader that finds nobody to promote.",
        found_nobody,
        hint="Who could be promoted? Cut the power of those first, and then that of n1; let everything play on.",
        praise="An election gives the right to choose. It does not give a choice.",
    ),
)
