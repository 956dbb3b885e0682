"""Conditions: the questions by which the tasks of the console labs are ticked.

The law of this file: that of `lab.tasks`.  Each is quick, changes nothing, and asks about the step at which one stands,
or (where it needs a receipt) about the end of the branch; where the run cannot answer, LabError says: not yet.
"""

from __future__ import annotations

from durable_redis.contract import Exit, Note
from durable_redis.lab.recording import MachineFrame
from durable_redis.lab.run import Run
from durable_redis.lab.verdicts import LUCKY
from durable_redis.sim import EPOCH_US
from durable_redis.sim.faults import Crashed


def here(run: Run) -> MachineFrame:
    """The server, at the step where one stands."""
    return run.frame().machines[run.deployment.nodes[0]]


def at_risk(run: Run, crash: str) -> int:
    """How many acknowledged writes this kind of crash would erase here."""
    return (here(run).at_risk or {}).get(crash, 0)


def lost_to(run: Run, kind: str) -> int:
    """How many acknowledged writes are gone after a crash of this kind; -1 if the last crash was of another."""
    crashes = run.crashes()
    if not crashes or crashes[-1].kind != kind:
        return -1
    return run.receipt().lost


def crashed_during(run: Run, child: str) -> bool:
    """Whether the last crash came while this child ("bgsave", "rewrite") was at work."""
    steps = run.playback.world.journal.steps
    crash = max((number for number, step in enumerate(steps, start=1) if isinstance(step.what, Crashed)), default=0)
    node = run.deployment.nodes[0]
    return crash > 0 and run.frame(crash - 1).machines[node].node.get("child") == child


def gave_up(run: Run) -> bool:
    """Whether the server has ended its process by itself, and is up again."""
    return run.survivor_is_up and any(isinstance(step.what, Exit) for step in run.playback.world.journal)


def held(run: Run, by: str) -> bool:
    """Whether a message that this machine ("client", "n1") had sent was held on its way."""
    flights = run.recording.flights
    messages = [done.action.arguments[0] for done in run.playback.performed if done.action.verb == "hold"]
    return any(flights[number].segment.direction.source == by for number in messages if number in flights)


def released_late(run: Run) -> bool:
    """Whether a command went on after its client had given up, and was executed all the same."""
    times = {done.action.verb: done.before for done in run.playback.performed}
    if "release" not in times or not held(run, by="client"):
        return False
    at_us = run.frame(times["release"]).at_us
    return any(row.verdict == LUCKY and at_us >= row.sent_us + 1_000_000 for row in run.receipt().rows)


def told(run: Run, word: str, verdict: str) -> bool:
    """Whether some write has this verdict, of whose outcome its client was told this word."""
    return any(row.told == word and row.verdict == verdict for row in run.receipt().rows)


def longest_wait_ms(run: Run) -> float:
    """How long the command that waits longest here has been waiting, in milliseconds."""
    now_us = run.frame().at_us + EPOCH_US
    waiting = [
        now_us - operation.sent_us
        for operation in run.history()
        if operation.sent_us is not None
        and operation.sent_us <= now_us
        and (operation.answered_us is None or operation.answered_us > now_us)
    ]
    return max(waiting, default=0) / 1000


def heir(run: Run) -> str:
    """The server that the deployment names as its primary, if it is up; "" while there is none."""
    views = run.playback.views()
    name = run.deployment.survivor(views)
    return name if name and views[name].get("role") == "primary" and run.deployment.settled(views) else ""


def all_came_back(run: Run) -> bool:
    """Whether every node has crashed at least once, and is up again."""
    crashed = {crash.machine for crash in run.crashes()}
    views = run.playback.views()
    return all(node in crashed and views[node].get("ready") for node in run.deployment.nodes)


def lacks(run: Run, node: str) -> int:
    """How many of the writes whose OK was heard here this server does not have, if each was of a key of its own."""
    now_us = run.frame().at_us + EPOCH_US
    answers = [operation.answered_us for operation in run.history() if operation.outcome == "ok"]
    heard = sum(answered_us is not None and answered_us <= now_us for answered_us in answers)
    return heard - int(run.frame().machines[node].node.get("keys", heard))


def resynced(run: Run, node: str, how: str) -> bool:
    """Whether this server was brought into step ("full", "partial") after the last crash of any."""
    found = False
    for step in run.playback.world.journal:
        match step.what:
            case Crashed():
                found = False
            case Note(kind="synced", facts=facts) if step.machine == node:
                found = facts["how"] == how
    return found


def leaders(run: Run) -> int:
    """How many servers serve, and call themselves primaries, at the step where one stands."""
    shown = [run.frame().machines[name].node for name in run.deployment.nodes]
    return sum(node.get("role") == "primary" and bool(node["ready"]) for node in shown)


def was_split(run: Run) -> bool:
    """Whether the network was cut on this branch, and is whole again."""
    verbs = [done.action.verb for done in run.playback.performed]
    return "heal_network" in verbs and ("partition" in verbs or "cut" in verbs) and not run.frame().links


def found_nobody(run: Run) -> bool:
    """Whether a sentinel was elected to lead a failover, and gave up because there was nobody to promote."""
    notes = [step.what for step in run.playback.world.journal if isinstance(step.what, Note)]
    return any(note.kind == "abort" and note.facts["why"] == "no good replica" for note in notes)


def asks(run: Run) -> bool:
    """Whether some node has asked the log to lead, and has no answer at the step where one stands."""
    shown = [run.frame().machines[name].node for name in run.deployment.nodes]
    return any(node.get("phase") == "campaigning" for node in shown)


def refused(run: Run, node: str) -> bool:
    """Whether the log has refused what this node had sent to it, because somebody else's entry stood there."""
    return any(
        step.machine == node and isinstance(step.what, Note) and step.what.kind == "conflict"
        for step in run.playback.world.journal
    )


def led_by(run: Run) -> list[str]:
    """Who has led, by an entry of the log, in order."""
    steps = run.playback.world.journal
    return [step.machine for step in steps if isinstance(step.what, Note) and step.what.kind == "leads"]


def silent_ms(run: Run) -> float:
    """For how long, here, no client has heard an OK, in milliseconds; 0 if none has asked for anything since."""
    now_us = run.frame().at_us + EPOCH_US
    heard = [one.answered_us for one in run.history() if one.outcome == "ok" and one.answered_us is not None]
    last_us = max((at_us for at_us in heard if at_us <= now_us), default=EPOCH_US)
    asked = any(last_us < (one.sent_us or 0) <= now_us for one in run.history())
    return (now_us - last_us) / 1000 if asked else 0


def came_back_from(run: Run, node: str, snapshot: bool) -> int:
    """How many entries of the log this node has replayed when it last came back, behind a snapshot or, without one,
    from the beginning; -1 if it did not come back so."""
    found = -1
    for step in run.playback.world.journal:
        match step.what:
            case Crashed(machine=machine) if machine == node:
                found = -1
            case Note(kind="ready", facts=facts) if step.machine == node:
                found = int(facts["entries"]) if bool(facts.get("snapshot")) is snapshot else -1
    return found if any(crash.machine == node for crash in run.crashes()) else -1


def snapshot_was_cut_short(run: Run) -> bool:
    """Whether the snapshotter has crashed while it made a snapshot, and none was ever released."""
    under_way = cut_short = False
    for step in run.playback.world.journal:
        match step.what:
            case Note(kind="snapshot begun"):
                under_way = True
            case Note(kind="snapshot released"):
                return False
            case Crashed(machine="snapshotter"):
                cut_short = cut_short or under_way
    return cut_short
