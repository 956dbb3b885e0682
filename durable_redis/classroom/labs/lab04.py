"""Chapter 04, "A log that only grows must be replaced without ever being incomplete": the tasks of its console lab."""

from durable_redis.classroom.conditions import crashed_during, gave_up, lost_to
from durable_redis.lab.tasks import Task

TASKS = (
    Task(
        "Kill the process during the rewrite, restart it, and lose nothing.",
        lambda run: crashed_during(run, "rewrite") and lost_to(run, "process kill") == 0,
        hint="The rewrite is under way where you stand.",
        praise="The old list of files is complete.",
    ),
    Task(
        "Cut the power during the rewrite, restart, and lose nothing.",
        lambda run: crashed_during(run, "rewrite") and lost_to(run, "power loss") == 0,
        hint="Press undo twice, or choose the branch main, and go to any step of the rewrite.",
        praise="Whichever list the platter has, it is a complete one.",
    ),
    Task(
        "Break the writes of n1 during the rewrite, play on, heal the disk, restart, and lose nothing.",
        lambda run: gave_up(run) and run.receipt().lost == 0,
        hint="In the menu of n1: failing writes. Under always the server then ends itself.",
        praise="It could not keep its promise any more, so it made no more of them.",
    ),
    Task(
        "Lose the disk, restart, and see which manifest helps.",
        lambda run: lost_to(run, "disk loss") > 0,
        hint="The third of the crashes in the menu of n1.",
        praise="None: the list was on the disk as well.",
    ),
)
