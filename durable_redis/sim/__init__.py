"""The simulated machine room: hosts with a page cache and a platter, wires with latency, zones; it knows no Redis.

Reading order: `world` (the loop), `kernel` (what each effect does), `disk` (the fault model), `network`, `machine`,
`faults` (what can be done from outside) and `acting` (how it is done), `links` (cut and slow ones), `pauses`, `journal`
(what happened), `hardware` (what things cost), `scenario` (a run as a line of text).
"""

from durable_redis.sim.hardware import Hardware
from durable_redis.sim.world import EPOCH_US, World

__all__ = ["EPOCH_US", "Hardware", "World"]
