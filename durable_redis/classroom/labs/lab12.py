"""Chapter 12, "A test that cannot fail proves nothing": the tasks of its console lab."""

from durable_redis.classroom.conditions import lost_to
from durable_redis.lab.run import Run
from durable_redis.lab.tasks import Task


def taken_over(run: Run) -> bool:
    """Whether n1 was cut off, nobody crashed, and n2 leads."""
    verbs = [done.action.verb for done in run.playback.performed]
    return "partition" in verbs and not run.crashes() and run.deployment.survivor(run.playback.views()) == "n2"


TASKS = (
    Task(
        "Kill the process of n1 while the clients write, play to the end, and lose nothing.",
        lambda run: lost_to(run, "process kill") == 0,
        hint="This is the test of section 1. Kill it, and press the button that plays to the end.",
        praise="Green, on a node that tells everybody OK before the log has it.",
    ),
    Task(
        "Lose an acknowledged write.",
        lambda run: taken_over(run) and run.receipt().lost > 0,
        hint="A network that carries everything hides it. Which menu of zone a takes somebody along who will listen?",
        praise="One act, and the shortest schedule that there is.",
    ),
    Task(
        "Let n2 take over from an n1 that was cut off, and lose nothing.",
        lambda run: taken_over(run) and run.receipt().lost == 0,
        hint="A lie needs a listener. The same zone, the other menu.",
        praise="The same fault, and no client beside it: a schedule is also who stands where.",
    ),
)
