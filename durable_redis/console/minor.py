"""What is of interest only to whoever goes event by event; and what was done to the room from outside.

The law of this file: one sentence a step, from the step alone.
"""

from __future__ import annotations

from durable_redis import contract as c
from durable_redis.console.words import counted, named, spoken
from durable_redis.sim import faults
from durable_redis.sim.journal import GaveUp, Resumed, Step, WentOn

OUTAGES = {"power loss": "loses its power", "process kill": "loses every process", "disk loss": "loses every disk"}


def minor(who: str, step: Step) -> str:
    """What is only of interest to whoever goes event by event, and what was done from outside."""
    match step.what:
        case Resumed():
            return f"{who} goes on" if step.task == "main" else f"the {step.task} of {who} goes on"
        case c.Compute(work=work):
            return f"{who} computes: {work}"
        case c.TimerFired(name=name):
            return f"the timer of {who} fires: {name}"
        case c.SetTimer(name=name):
            return f"{who} sets its timer: {name}"
        case c.Connect(peer=peer):
            return f"{who} asks for a connection to {peer}"
        case c.Fsync(path=path):
            return f"{who} begins an fsync of {file_name(path)}"
        case c.SyncDirectory():
            return f"{who} begins to sync the names of its files"
        case c.Read(path=path):
            return f"{who} reads {file_name(path)}"
        case c.Append(path=path) | c.Write(path=path):
            return f"{who} writes {file_name(path)}"
        case c.Rename(new=new):
            return f"{who} gives a file the name {file_name(new)}"
        case c.Remove(path=path):
            return f"{who} removes {file_name(path)}"
        case c.Truncate(path=path):
            return f"{who} cuts {file_name(path)}"
        case c.Fork(name=name):
            return f"{who} starts a child: {name}"
        case faults.Restart(machine=machine):
            return f"{machine} is started again: it reads its disk"
        case faults.SlowDisk(machine=machine, extra_us=extra_us):
            return f"the disk of {machine} turns slow: every fsync takes {extra_us / 1000:g} ms longer"
        case faults.FailDisk(machine=machine, operation=operation):
            return f"the disk of {machine} turns bad: every {operation} fails"
        case faults.SpoilWrites(machine=machine):
            return f"the disk of {machine} turns bad: it changes a bit of all that is written, and tells nobody"
        case faults.HealDisk(machine=machine):
            return f"the disk of {machine} is well again"
        case faults.BitRot(machine=machine, path=path):
            return f"a bit of {file_name(path)} turns over on {machine}"
        case faults.Hold(message=number):
            return f"message {number} is held on the wire"
        case faults.Release(message=number):
            return f"message {number} is let go"
        case GaveUp(peer=peer, lost=lost):
            gone = f", and {counted(lost, 'message')} with it" if lost else ""
            return f"{who} hears nothing from {named(peer)}, and gives the connection up{gone}"
        case WentOn():
            return f"{who} goes on: its pause is over, and it has not noticed any"
    return _network(step.what) or f"{who}: {type(step.what).__name__.lower()}"


def _network(what: object) -> str:
    """What was done to the links, to the time, and to whole zones."""
    match what:
        case faults.Cut(source=source, target=target, both=True):
            return f"the link between {source} and {target} is cut: what they send each other stalls"
        case faults.Cut(source=source, target=target):
            return f"what {source} sends to {target} does not arrive any more"
        case faults.Partition(groups=groups):
            return f"the network is cut: {' | '.join(', '.join(group) for group in groups)}"
        case faults.HealNetwork():
            return "every link is whole and fast again: what had stalled is sent anew"
        case faults.Delay(source=source, target=target, extra_us=0):
            return f"the link from {source} to {target} is as fast as it was"
        case faults.Delay(source=source, target=target, extra_us=extra_us):
            return f"what {source} sends to {target} takes {extra_us / 1000:g} ms longer"
        case faults.Pause(machine=machine, for_us=for_us):
            return f"{machine} stands still for {for_us / 1e6:g} s: only its clock goes on"
        case faults.Skew(machine=machine, skew_us=0):
            return f"the clock of {machine} is right again"
        case faults.Skew(machine=machine, skew_us=skew_us):
            return f"the clock of {machine} is {abs(skew_us) / 1000:g} ms {'fast' if skew_us > 0 else 'slow'}"
        case faults.Outage(zone=zone, kind=kind):
            return f"zone {zone} {OUTAGES[kind]}"
        case faults.Restore(zone=zone):
            return f"zone {zone} is started again"
    return ""


def asked(who: str, what: tuple[object, ...]) -> str:
    match what:
        case ("write" | "read" | "work" as verb, count, every_ms, *_):
            noun = {"write": "write", "read": "read", "work": "command"}[verb]
            return f"{who} begins: {counted(count, noun)}, one every {every_ms} ms"
        case ("command", *words):
            return f"{who} asks for {spoken([word for word in words if isinstance(word, bytes)])}"
    return f"{who}: {what[0]}"


def file_name(path: str) -> str:
    return path.rpartition("/")[2]
