"""Chapter 01, "OK is a promise, and memory cannot keep it": the tasks of its console lab."""

from durable_redis.classroom.conditions import held, lost_to, released_late, told
from durable_redis.lab.tasks import Task
from durable_redis.lab.verdicts import LUCKY, UNPROMISED

TASKS = (
    Task(
        "Hold an OK on the wire until its client gives up, and find the verdict of that write in the receipt.",
        lambda run: held(run, by="n1") and told(run, "unknown", LUCKY),
        hint="Go on event by event until n1 has sent an OK. Click on the message, then play to the end.",
        praise="Kept, never acknowledged: the server has it, and its client does not know.",
    ),
    Task(
        "Hold a command instead. Let its client give up, then release it.",
        released_late,
        hint="A command is on the wire already. Hold it, play to the end, click on it again, and go on by a beat.",
        praise="It was late, not lost.",
    ),
    Task(
        "Kill the process while a write is on its way to it, restart, and find the verdict of that write.",
        lambda run: lost_to(run, "process kill") > 0 and told(run, "unknown", UNPROMISED),
        hint="Here and now one is on its way.",
        praise="Lost, never acknowledged; the others are lost though acknowledged.",
    ),
)
