"""The lab's errors: something asked of a run that makes no sense.  One sentence: what, where, what to do instead."""

from durable_redis.errors import PlainError


class LabError(PlainError, ValueError):
    """A wrong use of the lab.  The run is as it was before."""


class NotNow(LabError):
    """What cannot be done at this moment, and perhaps at a later one."""
