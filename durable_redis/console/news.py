"""What servers, sentinels and an endpoint note of one another, as sentences: links, copies, votes, promotions.

The law of this file: a note in, a sentence out, from the facts of the note alone; and whether it is a beat.  Sentinel
and cluster think in steps; told as beats are those that change what a client will find.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from durable_redis.console.words import counted, listed, named

Facts = Mapping[str, Any]


class Told(NamedTuple):
    """The sentence of a step, and whether it is a beat."""

    text: str
    beat: bool = False


def tell(machine: str, kind: str, facts: Facts) -> Told | None:
    """The sentence of a note, if it is one between machines."""
    teller = NEWS.get(kind)
    return teller(named(machine), facts) if teller else None


# -- replication ------------------------------------------------------------------------------------------------------


def _link(who: str, facts: Facts) -> Told:
    if facts["state"] == "up":
        return Told(f"the link of {who} to its primary {facts['primary']} is up", True)
    return Told(f"the link of {who} to its primary {facts['primary']} is down: {facts['reason']}", True)


def _synced(who: str, facts: Facts) -> Told:
    primary = facts["primary"]
    if facts["how"] == "full":
        return Told(f"{who} is now a copy of {primary}: what it held before is gone", True)
    return Told(f"{who} goes on where it stopped: {primary} still has what it missed", True)


def _replica(who: str, facts: Facts) -> Told:
    name = facts["name"]
    if "state" not in facts:  # a sentinel's
        return Told(f"{who} hears of {name}, a replica of {facts['primary']}")
    match facts["state"]:
        case "full sync":
            return Told(f"{name} asks {who} for its data, and gets a snapshot: {facts['why']}", True)
        case "online":
            return Told(f"{who} feeds {name} from now on: {facts['why']}")
    return Told(f"{who} has lost its replica {name}: {facts['why']}", True)


def _failover(who: str, facts: Facts) -> Told:
    if "target" in facts:
        return Told(f"{who}'s handover to {facts['target'] or 'a replica'}: {facts['state']}", True)
    return Told(f"{who}'s failover, epoch {facts['epoch']}: {facts['to']} ({facts['why']})")


# -- sentinels --------------------------------------------------------------------------------------------------------


def _sdown(who: str, facts: Facts) -> Told:
    if facts["down"]:
        return Told(f"{who} finds {facts['instance']} down, for its own part: {facts['why']}", True)
    return Told(f"{who} finds {facts['instance']} up again", True)


def _odown(who: str, facts: Facts) -> Told:
    if facts["down"]:
        agree, quorum = facts["agree"], facts["quorum"]
        return Told(f"{who} knows that {agree} sentinels find {facts['primary']} down (quorum {quorum})", True)
    return Told(f"{who} has no quorum any more for finding {facts['primary']} down", True)


def _vote(who: str, facts: Facts) -> Told:
    candidate = "itself" if facts["candidate"] == who else facts["candidate"]
    if facts.get("granted", True):
        return Told(f"{who} votes for {candidate} in epoch {facts['epoch']}", True)
    return Told(f"{who} does not vote for {candidate} in epoch {facts['epoch']}: {facts['why_not']}", True)


def _leader(who: str, facts: Facts) -> Told:
    votes = counted(facts["votes"], "vote")
    return Told(f"{who} is elected to lead the failover of epoch {facts['epoch']}, with {votes}", True)


def _selected(who: str, facts: Facts) -> Told:
    return Told(f"{who} chooses {facts['replica']} as the next primary", True)


def _promoting(who: str, facts: Facts) -> Told:
    if "offsets" in facts:
        had = ", ".join(f"{name} {offset:,}" for name, offset in facts["offsets"].items())
        return Told(f"{who} gives {facts['failed']} up, and promotes {facts['replica']} (offsets: {had})", True)
    return Told(f"{who} tells {facts['replica']}: REPLICAOF NO ONE", True)


def _switch(who: str, facts: Facts) -> Told:
    return Told(f"{who} sends clients to {facts['new']} from now on, no longer to {facts['old']}", True)


def _follow(who: str, facts: Facts) -> Told:
    server = facts.get("server") or facts.get("node")
    return Told(f"{who} tells {server} to follow {facts['primary']}", True)


def _reconfigured(who: str, facts: Facts) -> Told:
    return Told(f"{who} sees that {facts['server']} follows {facts['primary']}")


def _abort(who: str, facts: Facts) -> Told:
    return Told(f"{who} gives its failover of epoch {facts['epoch']} up: {facts['why']}", True)


def _tilt(who: str, facts: Facts) -> Told:
    if facts["on"]:
        return Told(f"{who} missed {facts['gap_us'] / 1e6:.1f} s, trusts no time, and does nothing for a while", True)
    return Told(f"{who} trusts time again", True)


# -- a cluster --------------------------------------------------------------------------------------------------------


def _pfail(who: str, facts: Facts) -> Told:
    return Told(f"{who} has heard nothing of {facts['node']} for {facts['silence_us'] / 1e6:.1f} s", True)


def _fail(who: str, facts: Facts) -> Told:
    if facts["told_by"]:
        return Told(f"{who} hears from {facts['told_by']} that {facts['node']} has failed")
    reports = f": {listed(facts['reports'])} found so too" if facts["reports"] else ""
    return Told(f"{who} declares that {facts['node']} has failed{reports}", True)


def _campaign(who: str, facts: Facts) -> Told:
    return Told(f"{who} will stand for election in {facts['delay_us'] / 1000:,.0f} ms (rank {facts['rank']})", True)


def _asks_for_votes(who: str, facts: Facts) -> Told:
    return Told(f"{who} asks every primary for its vote, in epoch {facts['epoch']}", True)


def _elected(who: str, facts: Facts) -> Told:
    votes = f", by {listed(facts['votes'])}" if facts["votes"] else ""
    return Told(f"{who} is elected in the place of {facts['old']}, epoch {facts['epoch']}{votes}", True)


def _not_elected(who: str, facts: Facts) -> Told:
    return Told(f"{who} is not elected in epoch {facts['epoch']}: it has {counted(len(facts['votes']), 'vote')}", True)


def _slots(who: str, facts: Facts) -> Told:
    ranges = " ".join(f"{low}-{high}" for low, high in facts["ranges"])
    owner = facts["owner"]
    if who == owner:
        return Told(f"{who} serves the slots {ranges} from now on, as of epoch {facts['epoch']}", True)
    return Told(f"{who} learns that {owner} serves the slots {ranges}")


def _cluster_state(who: str, facts: Facts) -> Told:
    if facts["state"] == "ok":
        return Told(f"{who} finds the cluster whole, and serves clients", True)
    why = f": {facts['why']}" if facts["why"] else ""
    return Told(f"{who} finds the cluster down, and refuses clients{why}", True)


def _handover(who: str, facts: Facts) -> Told:
    if facts["to"]:
        return Told(f"{who} hands its place over to {facts['to']}, at offset {facts['offset']:,}", True)
    return Told(f"{who} keeps its place: nobody took it over in time", True)


# -- a shared log -----------------------------------------------------------------------------------------------------


def _applied(who: str, facts: Facts) -> Told:
    return Told(f"{who} follows the log, up to offset {facts.get('offset', 0):,}")


def _deposed(who: str, facts: Facts) -> Told:
    lost = facts["lost_bytes"]
    gone = f": {counted(lost, 'byte')} that the log has not got never happened" if lost else ""
    return Told(f"{who} leads no more{gone}", True)


def _saying(text: str, beat: bool = False) -> Callable[[str, Facts], Told]:
    """A sentence with the facts in it."""
    return lambda who, facts: Told(text.format(who=who, **facts), beat)


NEWS: Mapping[str, Callable[[str, Facts], Told]] = {
    "link": _link,
    "synced": _synced,
    "replica": _replica,
    "failover": _failover,
    "cannot apply": _saying("{who} cannot apply a command of its primary: {error}", True),
    "monitor": _saying("{who} watches {primary}"),
    "restarted": _saying("{who} sees that {server} was restarted"),
    "sdown": _sdown,
    "odown": _odown,
    "vote": _vote,
    "leader": _leader,
    "selected": _selected,
    "promoting": _promoting,
    "promoted": _saying("{who} hears from {replica} that it is a primary now", True),
    "reconfiguring": _follow,
    "reconfigured": _reconfigured,
    "demoted": _follow,
    "fixed": _follow,
    "switch": _switch,
    "abort": _abort,
    "refused": _saying("{server} refuses what {who} asks of it: {error}", True),
    "not saved": _saying("{who} cannot save what it knows: {error}", True),
    "tilt": _tilt,
    "epoch": _saying("{who} hears of epoch {epoch}"),
    "met": _saying("{who} meets {node}"),
    "pfail": _pfail,
    "fail": _fail,
    "recovered": _saying("{who} finds {node} well again", True),
    "campaign": _campaign,
    "asks for votes": _asks_for_votes,
    "elected": _elected,
    "not elected": _not_elected,
    "cannot fail over": _saying("{who} does not stand for election: {why}", True),
    "slots": _slots,
    "cluster state": _cluster_state,
    "caught up": _saying("{who} has all that its primary had, at offset {offset}", True),
    "handover": _handover,
    "epoch collision": _saying("{who} shares its epoch, {epoch}, with another primary, and takes a higher one"),
    "held": _saying("{who} holds the answer back until the log has the write"),
    "released": _saying("{who} lets an answer go: the log has the write"),
    "appended": _saying("the log has what {who} sent, up to offset {offset:,}"),
    "conflict": _saying("the log refuses what {who} sent ({entry}): {reason}", True),
    "unknown": _saying("{who} does not know whether the log has what it sent ({entry})", True),
    "applied": _applied,
    "candidate": _saying("{who} asks the log to lead, behind {after}", True),
    "leads": _saying("{who} leads shard {shard} from now on: the log says so at {epoch}", True),
    "checks the tail": _saying("{who} misses the leader, and reads the log behind {at}"),
    "takes over": _saying("{who} leads shard {shard} from now on, behind {after}: no entry of the log says so", True),
    "lease": _saying("{who}'s lease is renewed"),
    "lease over": _saying("{who}'s lease is over: it answers no more", True),
    "handed over": _saying("{who} has handed its place over to {successor}", True),
    "deposed": _deposed,
    "stopped": _saying("{who} stops: {why}", True),
    "log starts": _saying("{who} has read its log: it is a {role}, up to {tail}"),
    "log leader": _saying("{who} leads the log from now on, in term {term}", True),
    "log leader resigns": _saying("{who} does not reach a majority any more, and leads the log no longer", True),
    "two log leaders": _saying("{who} and {other} both lead the log in term {term}", True),
    "log begins anew": _saying("{who} takes the log anew, from {cut} on", True),
    "log answer damaged": _saying("{who} throws an answer of the log away: {why}", True),
    "committed": _saying("{who}: a majority has the log up to {index}"),
    "trimmed": _saying("{who} trims its log"),
    "cut": _saying("{who} cuts the torn end off its log: {why}", True),
    "damaged": _saying("the log of {who} is damaged: {why}", True),
    "whole": _saying("the log of {who} is whole again, up to {tail}", True),
    "snapshot begun": _saying("{who} begins a snapshot of shard {shard}", True),
    "dumped": _saying("{who} has made a snapshot at {at}, and puts it into the store", True),
    "snapshot given up": _saying("{who} gives a snapshot up: {why}", True),
    "snapshot refused": _saying("{who} cannot use the snapshot at {at}, and takes the one before: {why}", True),
    "entry refused": _saying("{who} does not apply an entry of the log: {why}", True),
    "cannot recover": _saying("{who} cannot recover, and will try again: {why}", True),
    "snapshot released": _saying("{who} releases a snapshot: {name}", True),
    "bus error": _saying("{who} does not understand its bus: {error}"),
}
"""By kind of note; `{who}` is the machine that took it."""
