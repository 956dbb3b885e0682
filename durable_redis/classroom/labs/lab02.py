"""Chapter 02, "A snapshot is always out of date": the tasks of its console lab."""

from durable_redis.classroom.conditions import at_risk, crashed_during, here, lost_to, told
from durable_redis.lab.tasks import Task
from durable_redis.lab.verdicts import UNPROMISED

TASKS = (
    Task(
        "Stand in the middle of a save: forked, and not finished.",
        lambda run: here(run).node.get("child") == "bgsave",
        hint="A beat or two from here the save point is reached.",
        praise="The child sees the memory as it was at the fork.",
    ),
    Task(
        "Stand where a power loss may erase at least 40 writes more than a process kill.",
        lambda run: at_risk(run, "power loss") >= at_risk(run, "process kill") + 40,
        hint="The new snapshot has its name, and the directory that says so is not on the platter yet.",
        praise="The name is in the page cache.",
    ),
    Task(
        "Kill the process while the second save is at work, restart, and lose at least 80.",
        lambda run: crashed_during(run, "bgsave") and lost_to(run, "process kill") >= 80,
        hint="The run ends in the middle of the second save. What is the newest snapshot that a restart finds there?",
        praise="All since the fork of the last save that finished.",
    ),
    Task(
        "Make the fsyncs fail before a save, play on, and see the client refused.",
        lambda run: told(run, "failed", UNPROMISED),
        hint="In the menu of n1: failing fsyncs. Then play to the end.",
        praise="The server stops promising.",
    ),
)
