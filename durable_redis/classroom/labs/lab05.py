"""Chapter 05, "A replica is a copy of the past": the tasks of its console lab."""

from durable_redis.classroom.conditions import held, lacks, lost_to, resynced
from durable_redis.lab.tasks import Task

TASKS = (
    Task(
        "Stand where the client has heard an OK, and no replica has that write.",
        lambda run: min(lacks(run, "n2"), lacks(run, "n3")) > 0,
        hint="The OK of w30 has just been sent. Go on by events.",
        praise="If n1 died here, nobody would have it. It is so after every write, for a moment.",
    ),
    Task(
        "Hold a message on its way to n2, and stand where n2 lacks ten acknowledged writes or more.",
        lambda run: held(run, by="n1") and lacks(run, "n2") >= 10,
        hint="Click the message between n1 and n2 while it is on the wire, then let everything play.",
        praise="The stream is one line of bytes: whatever stands behind the held ones waits with them.",
    ),
    Task(
        "Lose the disk of n2, restart it, and let a full resync give it everything again.",
        lambda run: {crash.machine for crash in run.crashes()} == {"n2"} and resynced(run, "n2", "full"),
        hint="After the restart, let everything play: n2 asks n1 by itself.",
        praise="This is what replicas are good at. n1 went on serving all the time.",
    ),
    Task(
        "Kill the process of n1 and restart it, and let n2 and n3 become as empty as it is.",
        lambda run: (
            {crash.machine for crash in run.crashes()} == {"n1"}
            and lost_to(run, "process kill") > 0
            and all(resynced(run, replica, "full") for replica in ("n2", "n3"))
        ),
        hint="A kill, a restart, and some patience: no more than a supervisor does.",
        praise="The same protocol, the other way round: it gives everything, also when that is nothing.",
    ),
)
