"""Chapter 00, "You can lose an acknowledged write in sixty seconds": the tasks of its console lab."""

from durable_redis.classroom.conditions import at_risk, here, lost_to
from durable_redis.lab.tasks import Task

TASKS = (
    Task(
        "Stand where more than 50 writes were told OK, and a power loss would erase none of them.",
        lambda run: here(run).acknowledged > 50 and at_risk(run, "power loss") == 0,
        hint="Go back from the end. Look at the risk strip under the timeline, and at what has just happened there.",
        praise="An fsync has just ended.",
    ),
    Task(
        "Stand where a power loss may erase more than 50.",
        lambda run: at_risk(run, "power loss") > 50,
        hint="The longer the last fsync is ago, the more; a little earlier than the instant above it was long ago.",
        praise="Since the last fsync, half a second has passed, or more.",
    ),
    Task(
        "Kill the process, restart it, and find that no acknowledged write is gone.",
        lambda run: lost_to(run, "process kill") == 0,
        hint="Click on n1: the menu asks which crash. Then click on it once more.",
        praise="What was handed to the kernel outlives the process.",
    ),
    Task(
        "Lose the disk, restart, and read in the receipt how long its list is now.",
        lambda run: lost_to(run, "disk loss") > 50,
        hint="The third of the crashes in the menu of n1.",
        praise="The log was on the disk.",
    ),
)
