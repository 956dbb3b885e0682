"""The manifest: which files, in which order, are the append-only log.

Since Redis 7 the log is a directory of files, and the manifest is the small text file that says which of them count:

    file appendonly.aof.2.base.rdb seq 2 type b         the base: everything up to the last rewrite, at most one
    file appendonly.aof.1.incr.aof seq 1 type h         history: replaced by the base, may be deleted at any time
    file appendonly.aof.2.incr.aof seq 2 type i         increments: what came after, in the order of their numbers
    file appendonly.aof.3.incr.aof seq 3 type i         the last one is being written

The law of this module: text in, a `Manifest` out, or AofError with the reason; and back.  It is immutable: a rewrite
makes the next manifest from this one, writes it to a temporary file and renames it, and *the rename is the moment* at
which the new files count.  Until then the old manifest names a complete log, and after it the new one does.

The rules and sentences are those of aof.c (aofLoadManifestFromFile, getAofManifestAsString).  Unknown keys are passed
over, because Redis does so for the sake of its own future (Redis 8 writes `startoffset`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from durable_redis.formats.damage import DamageError
from durable_redis.formats.resp_commands import split_inline, strict_integer

LONGEST_LINE_BYTES = 1024


class AofError(DamageError):
    """This append-only file or manifest is not whole: which file, at which byte, and why."""


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """One line: a file of the log.  `kind` is "b" (base), "i" (increment) or "h" (history)."""

    name: str
    number: int
    kind: str

    def format(self) -> str:
        return f"file {_quote(self.name)} seq {self.number} type {self.kind}\n"


@dataclass(frozen=True, slots=True)
class Manifest:
    """The log called `name`: its base, then its increments in order; and the files that no longer count.

    Numbers are never used twice: `base_number` and `incr_number` are the highest so far.
    """

    name: str
    base: ManifestFile | None = None
    incrs: tuple[ManifestFile, ...] = ()
    history: tuple[ManifestFile, ...] = ()
    base_number: int = 0
    incr_number: int = 0

    @classmethod
    def empty(cls, name: str = "appendonly.aof") -> Manifest:
        """No files yet.  `name` is the setting `appendfilename`, with which the names of all files begin."""
        return cls(name)

    @classmethod
    def of_old_file(cls, name: str = "appendonly.aof") -> Manifest:
        """The single file that Redis before 7 wrote, as a base (aof.c: aofUpgradePrepare)."""
        return cls(name, ManifestFile(name, 1, "b"), base_number=1)

    # -- text --------------------------------------------------------------------------------------------------------

    @classmethod
    def parse(cls, text: bytes, name: str) -> Manifest:
        """Read the manifest file called `name` (`appendonly.aof.manifest`).  Raises AofError with the byte at which
        the bad line begins."""
        if not text:
            raise AofError(name, 0, "an empty AOF manifest")
        lines = text.split(b"\n")
        unfinished = lines.pop()
        manifest, offset = cls(name.removesuffix(".manifest")), 0
        for line in lines:
            if len(line) >= LONGEST_LINE_BYTES:
                raise AofError(name, offset, f"a line of {LONGEST_LINE_BYTES} bytes or more")
            if not line.startswith(b"#"):
                manifest = manifest._with(_parse_line(line, name, offset), name, offset)
            offset += len(line) + 1
        if unfinished:
            raise AofError(name, offset, "the last line does not end")
        return manifest

    def _with(self, file: ManifestFile, name: str, offset: int) -> Manifest:
        """This and one more line; the order of the lines is checked here."""
        if file.kind == "h":
            return replace(self, history=(*self.history, file))
        if file.kind == "b":
            if self.base is not None:
                raise AofError(name, offset, f"a second base file, {file.name}, beside {self.base.name}")
            return replace(self, base=file, base_number=file.number)
        if file.number <= self.incr_number:
            raise AofError(name, offset, f"increment {file.number} stands after increment {self.incr_number}")
        return replace(self, incrs=(*self.incrs, file), incr_number=file.number)

    def format(self) -> str:
        """The text of it, ASCII only, in Redis's order: base, history, increments."""
        base = () if self.base is None else (self.base,)
        return "".join(file.format() for file in (*base, *self.history, *self.incrs))

    # -- the next manifest -------------------------------------------------------------------------------------------

    @property
    def next_incr_number(self) -> int:
        return self.incr_number + 1

    @property
    def files(self) -> tuple[ManifestFile, ...]:
        """What is loaded, in order: the base, then the increments."""
        return self.incrs if self.base is None else (self.base, *self.incrs)

    def incr_name(self, number: int) -> str:
        """`appendonly.aof.3.incr.aof`"""
        return f"{self.name}.{number}.incr.aof"

    def base_name(self, number: int, kind: str) -> str:
        """`appendonly.aof.2.base.rdb`, or `.aof`"""
        return f"{self.name}.{number}.base.{kind}"

    def with_incr(self, number: int) -> Manifest:
        """One more increment, behind the others: what a rewrite writes down before it forks."""
        assert number > self.incr_number, f"increment {number} cannot follow increment {self.incr_number}"
        file = ManifestFile(self.incr_name(number), number, "i")
        return replace(self, incrs=(*self.incrs, file), incr_number=number)

    def rewritten(self, kind: str, first_incr: int) -> Manifest:
        """After a rewrite: the log is a new base, an "rdb" or an "aof", and increment `first_incr` (which is added if
        it is not yet there) with those after it.  What they replace becomes history.

        base 1, increments 1 2 -> rewritten("rdb", 2) -> base 2, increment 2; history: base 1, increment 1.
        """
        number = self.base_number + 1
        replaced = [file for file in self.files if file.kind == "b" or file.number < first_incr]
        kept = tuple(file for file in self.incrs if file.number >= first_incr)
        manifest = replace(
            self,
            base=ManifestFile(self.base_name(number, kind), number, "b"),
            base_number=number,
            incrs=kept,
            history=(*self.history, *(replace(file, kind="h") for file in replaced)),
        )
        return manifest if kept else manifest.with_incr(first_incr)

    def without_history(self) -> Manifest:
        """After the files of the history have been deleted."""
        return replace(self, history=())


def _parse_line(line: bytes, name: str, offset: int) -> ManifestFile:
    """`file NAME seq N type T`, the pairs in any order; other pairs are passed over."""
    words = split_inline(line)
    if words is None or len(words) < 6 or len(words) % 2:
        raise AofError(name, offset, f"not a line of a manifest: {line!r}")
    facts = {key.lower(): value for key, value in zip(words[::2], words[1::2], strict=True)}
    file_name = facts.get(b"file", b"").decode("utf-8", "surrogateescape")
    number = strict_integer(facts.get(b"seq", b""))
    kind = facts.get(b"type", b"")[:1].decode("ascii", "replace")
    if not file_name or not number or not kind:
        raise AofError(name, offset, f"a line without file, seq or type: {line!r}")
    if "/" in file_name or "\\" in file_name or file_name in (".", ".."):
        raise AofError(name, offset, f"a path where the name of a file should be: {file_name!r}")
    if kind not in ("b", "h", "i"):
        raise AofError(name, offset, f"an unknown type of file: {kind!r}")
    return ManifestFile(file_name, number, kind)


def _quote(name: str) -> str:
    r"""The name as it must be written to be split again: quoted if it holds white space, quotes or unprintable bytes
    (sds.c: sdsneedsrepr, sdscatrepr).  `a b` -> `"a b"`; a newline -> `"\n"`."""
    raw = name.encode("utf-8", "surrogateescape")
    if raw and all(0x20 < byte < 0x7F and byte not in b"\\\"'" for byte in raw):
        return name
    return (
        '"'
        + "".join(_ESCAPES.get(byte) or (chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}") for byte in raw)
        + '"'
    )


_ESCAPES = {ord(char): "\\" + letter for char, letter in zip('\\"\n\r\t\a\b', '\\"nrtab', strict=True)}
