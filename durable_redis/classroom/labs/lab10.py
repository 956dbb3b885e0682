"""Chapter 10, "Every node can die": the tasks of its console lab."""

from durable_redis.classroom.conditions import all_came_back, came_back_from, heir, snapshot_was_cut_short
from durable_redis.lab.tasks import Task

TASKS = (
    Task(
        "Cut the power of both nodes, start them again, and lose nothing.",
        lambda run: all_came_back(run) and heir(run) != "" and run.receipt().lost == 0,
        hint="Two crashes, two restarts, and some patience: the new leader waits for a few seconds first.",
        praise="They asked nobody but the log. There was nobody else to ask.",
    ),
    Task(
        "Let a snapshot be taken, and make n1 come back from it, with ten entries of the log or fewer.",
        lambda run: 0 <= came_back_from(run, "n1", snapshot=True) <= 10,
        hint="The snapshotter stands outside of the zones: click it. It looks for orders once a second.",
        praise="The snapshot is the larger part now, and the log the small rest.",
    ),
    Task(
        "Cut the power of the snapshotter between the beginning of a snapshot and its release, "
        "and let n1 come back from the log alone.",
        lambda run: snapshot_was_cut_short(run) and came_back_from(run, "n1", snapshot=False) > 100,
        hint="Go on by beats, from the order to the sentence that a snapshot begins.",
        praise="Half a snapshot is no snapshot, and nothing was trimmed for it.",
    ),
)
