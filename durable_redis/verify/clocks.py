"""Clocks: whether they were right enough for what rests on them.

A lease is counted on its holder's clock, and the time that another one waits for its end on that one's.  A deployment
says by how much a clock may be wrong, at any time, for its promises to hold (`clock_error_ms`; see `memorydb.config`).
Where somebody has set a clock by more than that, nothing that rests on leases is judged.
"""

from __future__ import annotations

from durable_redis.sim.faults import Skew
from durable_redis.verify.evidence import Evidence


def right_enough(evidence: Evidence) -> bool:
    """Whether no clock was ever wrong by more than the deployment allows."""
    most_us = evidence.deployment.clock_error_ms * 1_000
    return all(abs(step.what.skew_us) <= most_us for _, step in evidence.steps_of(Skew))
