"""The configuration of a Redis server: its options, their defaults, and what CONFIG GET and CONFIG SET say about them.

Names, defaults and units are those of redis.conf of Redis 7; in Python a hyphen is written as an underscore.  Only what
the model obeys is here: an option that would change nothing is refused by name, so that nobody relies on it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from durable_redis.errors import PlainError
from durable_redis.formats.resp_commands import strict_integer

REDIS_VERSION = "7.0.15"
"""The version whose behaviour is modelled, and that INFO, HELLO and the snapshots report."""

HIGHEST_PORT = 65_535
DEFAULT_PORT = 6379
"""Where every server listens: a machine of the room has one, so the port is for show."""

SavePoint = tuple[int, int]
"""(seconds, changes): save if at least so many changes are at least so old."""

DEFAULT_SAVE: tuple[SavePoint, ...] = ((3600, 1), (300, 100), (60, 10_000))

_UNITS = {"": 1, "b": 1, "k": 1_000, "kb": 1_024, "m": 10**6, "mb": 2**20, "g": 10**9, "gb": 2**30}
_CHOICES = {"appendfsync": ("everysec", "always", "no")}
_CANNOT_BE_SET = {
    "appendfilename": "immutable",
    "appenddirname": "immutable",
    "dbfilename": "protected",
    "replicaof": "immutable",
    "cluster_enabled": "immutable",
    "cluster_config_file": "immutable",
}
_HIGHEST_HZ = 500
_LEAST = {
    "auto_aof_rewrite_percentage": 0,
    "auto_aof_rewrite_min_size": 0,
    "shutdown_timeout": 0,
    "replica_priority": 0,
    "repl_backlog_size": 1,
    "repl_backlog_ttl": 0,
    "repl_diskless_sync_delay": 0,
    "repl_ping_replica_period": 1,
    "repl_timeout": 1,
    "min_replicas_to_write": 0,
    "min_replicas_max_lag": 0,
    "cluster_replica_validity_factor": 0,
    "cluster_node_timeout": 1,
}
"""The least value of each number; `hz` has a range of its own."""
_MOST = {"repl_backlog_size": 2**63 - 1, "repl_backlog_ttl": 2**63 - 1}
_MEMORY = ("auto_aof_rewrite_min_size", "repl_backlog_size")
_SMALLEST_BACKLOG = 16 * 1024
"""A smaller one is taken as this one (replication.c `resizeReplicationBacklog`, CONFIG_REPL_BACKLOG_MIN_SIZE)."""
_FILE_NAMES = ("dbfilename", "appendfilename", "appenddirname", "cluster_config_file")


class ConfigError(PlainError, ValueError):
    """An option that does not exist, or a value that it cannot have.  The message says which, and what it can be."""


@dataclass(frozen=True, slots=True)
class Config:
    """The options.  Sizes are in bytes, `save` in (seconds, changes)."""

    # Snapshots
    save: tuple[SavePoint, ...] = DEFAULT_SAVE
    dbfilename: str = "dump.rdb"
    stop_writes_on_bgsave_error: bool = True
    # The append-only file
    appendonly: bool = False
    appendfsync: str = "everysec"
    no_appendfsync_on_rewrite: bool = False
    appendfilename: str = "appendonly.aof"
    appenddirname: str = "appendonlydir"
    aof_use_rdb_preamble: bool = True
    aof_load_truncated: bool = True
    aof_timestamp_enabled: bool = False
    auto_aof_rewrite_percentage: int = 100
    auto_aof_rewrite_min_size: int = 64 * 2**20
    # The cluster; times in ms
    cluster_enabled: bool = False
    cluster_config_file: str = "nodes.conf"
    cluster_node_timeout: int = 15_000
    cluster_replica_validity_factor: int = 10
    cluster_replica_no_failover: bool = False
    cluster_require_full_coverage: bool = True
    cluster_allow_reads_when_down: bool = False
    # The server; `config_file` is not an option, but where the options are (see `conf_file`)
    config_file: str = ""
    hz: int = 10
    requirepass: str = ""
    shutdown_timeout: int = 10
    # Replication
    replicaof: str = ""  # a machine's name, and perhaps a port
    masterauth: str = ""
    replica_priority: int = 100
    replica_read_only: bool = True
    replica_serve_stale_data: bool = True
    repl_backlog_size: int = 2**20
    repl_backlog_ttl: int = 3600
    repl_diskless_sync: bool = True
    repl_diskless_sync_delay: int = 5
    repl_ping_replica_period: int = 10
    repl_timeout: int = 60
    min_replicas_to_write: int = 0
    min_replicas_max_lag: int = 10

    def __post_init__(self) -> None:
        for option in fields(self):
            value = getattr(self, option.name)
            if type(value) is not type(option.default):
                wanted = type(option.default).__name__
                raise ConfigError(f"{option.name} is of type {wanted}, such as {option.default!r}, not {value!r}")
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                raise ConfigError(f"{name} can be {least} or more, not {getattr(self, name)}")
        if self.repl_backlog_size < _SMALLEST_BACKLOG:
            object.__setattr__(self, "repl_backlog_size", _SMALLEST_BACKLOG)
        if not is_address(self.replicaof):
            raise ConfigError(f'replicaof is a machine and perhaps a port, such as "n1 6379", not {self.replicaof!r}')
        for name in _FILE_NAMES:
            if not getattr(self, name) or "/" in getattr(self, name):
                raise ConfigError(f"{name} is the name of a file, not a path: {getattr(self, name)!r} will not do")
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ConfigError(f"{name} can be {', '.join(choices)}, not {getattr(self, name)!r}")
        if not 1 <= self.hz <= _HIGHEST_HZ:
            raise ConfigError(f"hz can be 1 to {_HIGHEST_HZ} (calls of the cron a second), not {self.hz}")
        for point in self.save:
            if not _is_save_point(point):
                raise ConfigError(f"save is ((seconds, changes), ...), such as ((60, 1000),), not {self.save!r}")

    @classmethod
    def of(cls, **options: Any) -> Config:
        """A configuration with these options changed.  Raises ConfigError naming an option that does not exist."""
        return cls().edited(**options)

    def edited(self, **options: Any) -> Config:
        """This configuration with these options changed.  Raises ConfigError naming an option that does not exist."""
        known = [field.name for field in fields(self)]
        for name in options:
            if name not in known:
                raise ConfigError(f"there is no option {name!r}: the model knows {', '.join(known)}")
        if isinstance(save := options.get("save"), str):
            options["save"] = _parse_save(save)
        elif isinstance(save, list):
            options["save"] = tuple(tuple(point) if isinstance(point, list) else point for point in save)
        return replace(self, **options)

    def get(self, name: str) -> str:
        """An option as redis.conf writes it; `name` with hyphens."""
        value = getattr(self, name.replace("-", "_"))
        if name == "replicaof" and value and len(value.split()) == 1:
            return f"{value} {DEFAULT_PORT}"
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, tuple):
            return " ".join(f"{seconds} {changes}" for seconds, changes in value)
        return str(value)

    def set(self, name: str, text: str) -> Config:
        """Another configuration, with this option as redis.conf would write it.  Raises ConfigError."""
        attribute = name.replace("-", "_")
        if attribute in _CANNOT_BE_SET:
            raise ConfigError(f"can't set {_CANNOT_BE_SET[attribute]} config")
        value: Any = text
        match getattr(self, attribute):
            case bool():
                if text.lower() not in ("yes", "no"):
                    raise ConfigError("argument must be 'yes' or 'no'")
                value = text.lower() == "yes"
            case int():
                value = _parse_size(text) if attribute in _MEMORY else _parse_integer(text)
                _check_range(attribute, value)
            case tuple():
                value = _parse_save(text)
        if attribute == "hz":  # config.c `updateHZ` takes the nearest that is possible
            value = min(max(value, 1), _HIGHEST_HZ)
        if attribute in _CHOICES:
            value = text.lower()
            if value not in _CHOICES[attribute]:
                raise ConfigError(f"argument(s) must be one of the following: {', '.join(_CHOICES[attribute])}")
        return replace(self, **{attribute: value})


def is_address(text: str) -> bool:
    """Whether this is a machine's name, and perhaps a port; or nothing."""
    words = text.split()
    return len(words) < 2 or (len(words) == 2 and words[1].isdecimal() and int(words[1]) <= HIGHEST_PORT)


def _is_save_point(point: object) -> bool:
    whole_numbers = isinstance(point, tuple) and len(point) == 2 and all(type(number) is int for number in point)
    return whole_numbers and point[0] >= 1 and point[1] >= 0  # type: ignore[index]


OPTION_NAMES: tuple[str, ...] = tuple(
    field.name.replace("_", "-") for field in fields(Config) if field.name != "config_file"
)
"""Every option, as redis.conf writes it."""


def _parse_size(text: str) -> int:
    """`64mb` is 64 * 1024 * 1024, `64m` is 64,000,000 (redis.conf, "Note on units")."""
    digits = text.rstrip("bkmgBKMG")
    unit = text[len(digits) :].lower()
    if not digits.isdecimal() or len(digits) > 18 or unit not in _UNITS:
        raise ConfigError("argument must be a memory value")
    return int(digits) * _UNITS[unit]


def _parse_integer(text: str) -> int:
    number = strict_integer(text.encode("latin-1", "replace"))
    if number is None:
        raise ConfigError("argument couldn't be parsed into an integer")
    return number


def _check_range(attribute: str, number: int) -> None:
    """Whether CONFIG SET takes this number; `hz` takes the nearest that is possible."""
    least, most = _LEAST.get(attribute, 0), _MOST.get(attribute, 2**31 - 1 if attribute not in _MEMORY else 2**63 - 1)
    if not least <= number <= most:
        raise ConfigError(f"argument must be between {least} and {most} inclusive")


def _parse_save(text: str) -> tuple[SavePoint, ...]:
    words = text.split()
    if len(words) % 2 or not all(word.isdecimal() and len(word) < 10 for word in words):
        raise ConfigError("Invalid save parameters")
    points = tuple((int(words[i]), int(words[i + 1])) for i in range(0, len(words), 2))
    if not all(map(_is_save_point, points)):
        raise ConfigError("Invalid save parameters")
    return points
