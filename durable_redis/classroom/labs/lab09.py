"""Chapter 09, "Catch up first, lead second": the tasks of its console lab."""

from durable_redis.classroom.conditions import asks, heir, led_by, refused, was_split
from durable_redis.lab.tasks import Task

TASKS = (
    Task(
        "Cut the power of n1, and stand where a replica has asked the log to lead and has no answer yet.",
        asks,
        hint="Crash n1, then go on by beats: the wait is a backoff long.",
        praise="Its entry is on the way. Until it is committed, nobody leads.",
    ),
    Task(
        "Pause n1 for so long that another leads, and find n1 refused by the log when it wakes.",
        lambda run: refused(run, "n1") and led_by(run)[-1] != "n1",
        hint="A pause of 2 s is shorter than the backoff. There are longer ones.",
        praise="Nobody had told it. Its own next append did.",
    ),
    Task(
        "Cut zone a off, the client with it, let another lead, heal the network, and lose nothing.",
        lambda run: was_split(run) and heir(run) not in ("", "n1") and run.receipt().lost == 0,
        hint="Cut, play to the end, heal, play on.",
        praise="Chapter 06 did the same to sentinels, and 141 writes were gone.",
    ),
    Task(
        "Let n1 lead again in the end, after another has, and lose nothing.",
        lambda run: len(led_by(run)) > 2 and led_by(run)[-1] == "n1" and run.receipt().lost == 0,
        hint="It must be back, and the two others must not be there.",
        praise="Whoever is left reads the log, and has everything.",
    ),
)
