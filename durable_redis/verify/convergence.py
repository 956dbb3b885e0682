"""Convergence: when all faults are mended and some time has passed, there is one truth, and everybody has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from durable_redis.lab.deployments import Deployment, Views
from durable_redis.redis.cluster.slots import key_slot, slots_in
from durable_redis.verify.judging import Case

Found = tuple[int, int, str, str]
Unrest = Iterator[tuple[str, str]]
"""(machine, what keeps it from being at rest)."""

SLOTS = 16384


def converged(case: Case) -> Iterator[Found]:
    """At rest, replicas hold what their primary holds, and clients' writes are accepted."""
    evidence = case.evidence
    if not evidence.calm:
        return
    for node, sentence in unrest(evidence.deployment, evidence.views):
        yield *case.end, node, sentence
    for node, held in evidence.held.items():
        view = evidence.views[node]
        if view.get("role") == "replica" and held != evidence.held.get(view["primary"], held):
            yield *case.end, node, f"it holds something else than {view['primary']}, which it follows"
        if evidence.deployment.has_log and "slots" in view and view.get("role") == "primary":
            own = slots_in(view["slots"])
            for _, key in held:
                if not own >> key_slot(key) & 1:
                    yield *case.end, node, f"it holds {key!r}, whose slot is another's"
    for probe in evidence.probes:
        if probe.outcome != "ok":
            words = b" ".join(probe.argv).decode("utf-8", "backslashreplace")
            yield *case.end, probe.node or "nobody", f"{words} was not accepted: {probe.outcome} ({probe.reply!r})"


def unrest(deployment: Deployment, views: Views) -> Unrest:
    """What can be seen from outside of a room that is not at rest: a server that is down, or two that lead, or a
    replica that does not follow, or is behind."""
    servers = {node: views[node] for node in deployment.nodes}
    for node, view in servers.items():
        if not view.get("ready"):
            yield node, "it is loading" if view else "it is down"
    leaders = [node for node, view in servers.items() if view.get("ready") and view.get("role") == "primary"]
    if any("slots" in view for view in servers.values()):
        yield from _owners({node: servers[node] for node in leaders})
    else:
        yield from _one_leader(leaders, deployment.survivor(views))
    for node, view in servers.items():
        if view.get("migration"):
            yield node, f"slots are on their way: {view['migration']}"
    for node, view in servers.items():
        if view.get("role") != "replica":
            continue
        primary = view["primary"]
        if primary not in leaders:
            yield node, f"it follows {primary or 'nobody'}, which is no primary"
        elif view["link"] != "up":
            yield node, f"its link to {primary} is down"
        elif view["offset"] != servers[primary]["offset"]:
            yield node, f"it is at byte {view['offset']}, and {primary} at {servers[primary]['offset']}"


def _one_leader(leaders: list[str], home: str) -> Unrest:
    if len(leaders) != 1:
        yield leaders[-1] if leaders else "nobody", f"{len(leaders)} servers lead: {', '.join(leaders)}"
    elif leaders[0] != home:
        yield leaders[0], f"it leads, and clients are sent to {home or 'nobody'}"


def _owners(leaders: Mapping[str, Mapping[str, Any]]) -> Unrest:
    """Every slot of a cluster is owned once."""
    ranges = sorted((low, high, node) for node, view in leaders.items() for low, high in view["slots"])
    free = 0  # the first slot that is not owned yet
    for low, high, node in ranges:
        if low != free:
            yield node, f"slots from {min(low, free)} on are owned {'by nobody' if low > free else 'twice'}"
        free = high + 1
    if free != SLOTS:
        yield "nobody", f"slots from {free} on are owned by nobody"
    for node, view in leaders.items():
        if not view["slots"]:
            yield node, "it leads, and owns no slots"
        if view["state"] != "ok":
            yield node, "it believes that the cluster is down"
