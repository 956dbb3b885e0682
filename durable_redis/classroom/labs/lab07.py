"""Chapter 07, "Availability or durability: with these parts, pick one": the tasks of its console lab."""

from durable_redis.classroom.conditions import all_came_back, heir
from durable_redis.lab.tasks import Task

TASKS = (
    Task(
        "Cut the power of n1, and let another take over, without losing a write.",
        lambda run: heir(run) not in ("", "n1") and run.receipt().lost == 0,
        hint="The links are well. Crash n1, then let everything play to its end.",
        praise="The copies were up to date. Nobody had promised that they would be.",
    ),
    Task(
        "Cut the power of all three, restart them, and lose nothing.",
        lambda run: all_came_back(run) and run.receipt().lost == 0,
        hint="Three crashes, three restarts; their logs are synced before every OK.",
        praise="Each of them has everything on a disk of its own.",
    ),
    Task(
        "Lose at least 80 acknowledged writes.",
        lambda run: all_came_back(run) and run.receipt().lost >= 80,
        hint="A log lives on a disk. How many disks are there?",
        praise="Three copies of one mistake: they stood where the servers stood.",
    ),
)
