"""`durable-redis inspect PATH`: what a Redis file holds, or what is damaged in it, and where.

The law of this file: it reads files and never writes one.  Three things can be looked at, told apart by what they are
and by their first bytes:

    an RDB file                     begins with REDIS or VALKEY
    an append-only file             begins with a command (`*`), an annotation (`#`), or an RDB with commands behind it
    an append-only directory        holds a manifest, which says which of its files count

The keys of a log are found as a server finds them, by executing it (`inspection_log`).  Damage is an answer, not a
failure of this tool: the report names file, byte and reason, and holds what comes before it as far as a server would
load it.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from durable_redis.formats.aof_manifest import AofError, Manifest
from durable_redis.formats.rdb import Entry, RdbError, decode
from durable_redis.inspection_log import Damage, execute_log

MAGICS: Final = (b"REDIS", b"VALKEY")
LOG_BEGINNINGS: Final = (b"*", b"#")
MANIFEST_SUFFIX: Final = ".manifest"

LONGEST_TEXT: Final = 60
"""The report for people cuts longer values; `--json` never does."""


@dataclass(slots=True)
class Inspection:
    """What was found.  `version` is that of the RDB, or of the RDB that a log begins with; None if there is none."""

    path: str
    format: str  # "rdb", "aof", "aof-directory", or "unknown"
    version: int | None = None
    entries: list[Entry] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    damage: Damage | None = None


class Unreadable(Exception):
    """There is nothing to look at: one sentence that says why."""


# ---------------------------------------------------------------------------------------------------------------------
# Looking
# ---------------------------------------------------------------------------------------------------------------------


def inspect_path(path: Path) -> Inspection:
    """Look at a file or a directory.  Raises Unreadable if it cannot be read; damage is in the result."""
    if path.is_dir():
        return _inspect_directory(path)
    if path.name.endswith(MANIFEST_SUFFIX):
        return _inspect_directory(path.parent, path)
    return inspect_bytes(_read(path), path.name)


def inspect_bytes(data: bytes, name: str) -> Inspection:
    """Look at the content of one file."""
    if data.startswith(LOG_BEGINNINGS) or (not data and name.endswith(".aof")):
        return _inspect_log(data, name)
    if not data.startswith(MAGICS):
        reason = f"neither an RDB file nor an append-only file begins with {data[:9]!r}"
        return Inspection(name, "unknown", damage=Damage(name, 0, reason))
    try:
        rdb = decode(data, name)
    except RdbError as error:
        return Inspection(name, "rdb", damage=Damage(error.name, error.offset, error.reason))
    if data.startswith(LOG_BEGINNINGS, rdb.end):
        return _inspect_log(data, name)
    if rdb.end < len(data):
        rdb.warnings.append(f"{name}: at byte {rdb.end}: {len(data) - rdb.end} bytes follow the end, and mean nothing")
    return Inspection(name, "rdb", rdb.version, rdb.entries, rdb.warnings)


def _inspect_log(data: bytes, name: str) -> Inspection:
    return _execute(Inspection(name, "aof"), [(name, data)])


def _execute(inspection: Inspection, files: list[tuple[str, bytes]]) -> Inspection:
    log = execute_log(files)
    inspection.version = log.version
    inspection.entries = log.entries
    inspection.warnings += log.warnings
    inspection.damage = log.damage
    return inspection


def _inspect_directory(folder: Path, manifest_path: Path | None = None) -> Inspection:
    """Follow the manifest of an append-only directory, or of the one inside a server's data directory."""
    manifest_path = manifest_path or _find_manifest(folder)
    folder = manifest_path.parent
    inspection = Inspection(str(folder), "aof-directory")
    try:
        manifest = Manifest.parse(_read(manifest_path), manifest_path.name)
    except AofError as error:
        inspection.damage = Damage(error.name, error.offset, error.reason)
        return inspection
    contents: list[tuple[str, bytes]] = []
    for file in manifest.files:
        if Path(file.name).name != file.name:
            inspection.damage = Damage(
                manifest_path.name, 0, f"{file.name!r} is not the name of a file in this directory"
            )
            return inspection
        if not (folder / file.name).is_file():
            inspection.damage = Damage(file.name, 0, "the manifest names this file, but it is not there")
            return inspection
        contents.append((file.name, _read(folder / file.name)))
    return _execute(inspection, contents)


def _find_manifest(folder: Path) -> Path:
    for candidates in (folder.glob(f"*{MANIFEST_SUFFIX}"), folder.glob(f"*/*{MANIFEST_SUFFIX}")):
        found = sorted(candidates)
        if len(found) > 1:
            raise Unreadable(f"{folder} holds {len(found)} manifests: give the path of one of them")
        if found:
            return found[0]
    raise Unreadable(f"{folder} is a directory without a manifest of an append-only file: give the path of a file")


def _read(path: Path) -> bytes:
    if path.exists() and not path.is_file():
        raise Unreadable(f"{path} is not a file: give the path of one, or of an append-only directory")
    try:
        return path.read_bytes()
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror}") from error


# ---------------------------------------------------------------------------------------------------------------------
# Reporting
# ---------------------------------------------------------------------------------------------------------------------


def printable(data: bytes) -> str | dict[str, str]:
    """Bytes as JSON can hold them: text if all of it is printable ASCII, else `{"hex": ...}`."""
    return data.decode("ascii") if all(0x20 <= byte < 0x7F for byte in data) else {"hex": data.hex()}


def _score(score: float) -> float | str:
    return score if math.isfinite(score) else "inf" if score > 0 else "-inf"


def value_as_json(entry: Entry) -> Any:
    """The value of a key: sets and hashes sorted, sorted sets by score; null for what is kept opaque."""
    match entry.kind:
        case "string":
            return printable(entry.value)
        case "list":
            return [printable(item) for item in entry.value]
        case "set":
            return [printable(member) for member in sorted(entry.value)]
        case "hash":
            return [[printable(name), printable(value)] for name, value in sorted(entry.value)]
        case "zset":
            ordered = sorted(entry.value, key=lambda pair: (pair[1], pair[0]))
            return [[printable(member), _score(score)] for member, score in ordered]
        case _:
            return None


def as_json(inspection: Inspection) -> dict[str, Any]:
    """The report as one JSON object; "damage" is there only if something is damaged."""
    report: dict[str, Any] = {
        "format": inspection.format,
        "version": inspection.version,
        "keys": [
            {
                "db": entry.db,
                "key": printable(entry.key),
                "type": entry.kind,
                "value": value_as_json(entry),
                "expires_at_ms": entry.expires_at_ms,
            }
            for entry in _ordered(inspection.entries)
        ],
        "warnings": inspection.warnings,
    }
    if inspection.damage is not None:
        report["damage"] = inspection.damage._asdict()
    return report


def as_text(inspection: Inspection) -> Iterator[str]:
    """The report in lines for people."""
    names = {"rdb": "RDB file", "aof": "append-only file", "aof-directory": "append-only directory"}
    version = f", RDB version {inspection.version}" if inspection.version is not None else ""
    yield f"{inspection.path}: {names.get(inspection.format, 'unknown')}{version}, {len(inspection.entries)} keys"
    for entry in _ordered(inspection.entries):
        text = json.dumps(value_as_json(entry))
        if len(text) > LONGEST_TEXT:
            text = f"{text[:LONGEST_TEXT]}... ({len(entry.value)} {'bytes' if entry.kind == 'string' else 'elements'})"
        expires = f"  expires {_moment(entry.expires_at_ms)}" if entry.expires_at_ms is not None else ""
        yield f"  db {entry.db}  {entry.kind:<6}  {json.dumps(printable(entry.key))}  {text}{expires}"
    for warning in inspection.warnings:
        yield f"warning: {warning}"
    if inspection.damage is not None:
        what = "torn" if inspection.damage.torn else "damaged"
        yield f"{what}: {inspection.damage.file}: at byte {inspection.damage.offset}: {inspection.damage.reason}"
        if inspection.damage.torn:
            yield "  (only its end is missing: a server that starts cuts the torn command off, and has the keys above)"


def _ordered(entries: Iterable[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: (entry.db, entry.key))


def _moment(at_ms: int) -> str:
    """`2100-01-01T00:00:00.000+00:00`, or the milliseconds if no calendar reaches so far."""
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    except OverflowError:
        return f"{at_ms} ms after 1970 began"
    return moment.isoformat(timespec="milliseconds")


# ---------------------------------------------------------------------------------------------------------------------
# The command
# ---------------------------------------------------------------------------------------------------------------------


def add_inspect_parser(subparsers: Any) -> None:
    """Add `inspect` to the commands; `subparsers` is what `ArgumentParser.add_subparsers` returned."""
    parser = subparsers.add_parser(
        "inspect", help="what an RDB file or an append-only file holds, or where it is damaged"
    )
    parser.add_argument("path", metavar="PATH", type=Path, help="an RDB file, an AOF file, or an append-only directory")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run_inspect(args: argparse.Namespace) -> int:
    """Print the report; 0 if all is well, 1 if something is damaged, 2 if there is nothing to look at."""
    try:
        inspection = inspect_path(args.path)
    except Unreadable as error:
        print(f"durable-redis inspect: {error}", file=sys.stderr)
        return 2
    if args.json:
        print(json.dumps(as_json(inspection), indent=1))
    else:
        for line in as_text(inspection):
            print(line)
    return 0 if inspection.damage is None else 1
