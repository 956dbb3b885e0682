"""The classroom's error: a wrong use of it by a chapter or a program.  An answer of a reader never raises it."""

from durable_redis.errors import PlainError


class ClassroomError(PlainError, ValueError):
    """One sentence: what, where, what to do instead."""
