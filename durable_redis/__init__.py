"""durable_redis: crash the nodes of a Redis at any instant, and see which acknowledged writes survive, and why."""

from durable_redis.lab.deployments import Redis
from durable_redis.lab.errors import LabError
from durable_redis.lab.receipt import Receipt
from durable_redis.lab.run import Run, replay

__version__ = "0.1.0"

__all__ = ["LabError", "Receipt", "Redis", "Run", "replay"]
