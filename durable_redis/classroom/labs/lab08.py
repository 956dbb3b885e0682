"""Chapter 08, "Move the log out of the node": the tasks of its console lab."""

from durable_redis.classroom.conditions import all_came_back, heir, silent_ms, told
from durable_redis.lab.tasks import Task

TASKS = (
    Task(
        "Cut the power of n1 and of a machine of the log, let another node take over, and lose nothing.",
        lambda run: (
            any(crash.machine in run.deployment.logs for crash in run.crashes())
            and heir(run) not in ("", "n1")
            and run.receipt().lost == 0
        ),
        hint="The machines of the log are the three cards in the band. Then let everything play to its end.",
        praise="A server and a third of the log are gone, and two platters still have every OK.",
    ),
    Task(
        "Crash nothing, and let the client wait for an OK for two seconds.",
        lambda run: not run.crashes() and silent_ms(run) >= 2_000 and run.receipt().lost == 0,
        hint="How many machines of the log must answer? One can also be paused.",
        praise="No majority, no OK. And what was told OK before stays where it is.",
    ),
    Task(
        "Make a write that was never answered, and that the next primary has all the same.",
        lambda run: heir(run) not in ("", "n1") and told(run, "unknown", "kept, never acknowledged"),
        hint="Go on beat by beat until the log has it. Then see to it that n1 cannot say so.",
        praise="Its client does not know. A read from n1 would not have settled it, since an append may be on its way. "
        "What the next primary has is settled.",
    ),
    Task(
        "Lose the disks of n1, n2 and n3, restart all three, and lose nothing.",
        lambda run: (
            all_came_back(run) and {crash.kind for crash in run.crashes()} == {"disk loss"} and run.receipt().lost == 0
        ),
        hint="Three machines are replaced; the log is none of them. Then go on until somebody leads.",
        praise="What chapter 07 could not save: there was nothing on these disks.",
    ),
)
