"""Chapter 03, "The log is only as durable as its last fsync": the tasks of its console lab."""

from durable_redis.classroom.conditions import here, longest_wait_ms, lost_to
from durable_redis.lab.tasks import Task

TASKS = (
    Task(
        "Stand where at least 20 writes wait in the AOF buffer of n1.",
        lambda run: here(run).marks.executed - here(run).marks.written >= 20,
        hint="At 1.000 s an fsync begins. From then on the lane fills: go on beat by beat, or drag the knob.",
        praise="They are executed and answered, and the kernel has none of them.",
    ),
    Task(
        "Kill the process where it costs at least 200, and restart it.",
        lambda run: lost_to(run, "process kill") >= 200,
        hint="Postponed for two seconds, from 1.0 s to 3.0 s; and the fsync that is in the way ends at 3.5 s.",
        praise="No power was cut.",
    ),
    Task(
        "Cut the power in that same half a second instead, restart, and lose still more.",
        lambda run: lost_to(run, "power loss") > 201,
        hint="Press undo twice, and choose the other crash.",
        praise="It takes what was postponed, and the page cache too.",
    ),
    Task(
        "Stand where a client has been waiting for its answer for 50 ms or more.",
        lambda run: longest_wait_ms(run) >= 50,
        hint="After two seconds the server gives in and writes; and then it has to wait for the fsync.",
        praise="The server stands still, and so does everybody.",
    ),
)
