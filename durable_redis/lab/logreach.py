"""How far the log of a server reaches: what a restart would read of it, from the page cache or from the platter."""

from __future__ import annotations

from durable_redis.formats.aof import Manifest
from durable_redis.formats.aof_manifest import AofError
from durable_redis.redis.config import Config
from durable_redis.sim.disk import File

Position = tuple[int, int]
"""(number of an incr file, bytes in it)."""
NOWHERE: Position = (0, 0)


class LogReach:
    """Follows the manifest of one server's log, as a restart would."""

    def __init__(self, config: Config) -> None:
        self._directory = config.appenddirname
        self._manifest_path = f"{config.appenddirname}/{config.appendfilename}.manifest"
        self._manifests: dict[bytes, Manifest] = {}  # by their text: they are looked at after every step

    def end(self, names: dict[str, File], platter: bool) -> Position:
        """The end of the last file that is listed and there, or of the first that is not whole."""
        listing = names.get(self._manifest_path)
        if listing is None:
            return NOWHERE
        manifest = self._parsed(bytes(listing.platter if platter else listing.cache))
        if manifest is None:
            return NOWHERE
        end = NOWHERE
        for entry in manifest.incrs:
            file = names.get(f"{self._directory}/{entry.name}")
            if file is None:
                return max(end, (entry.number, 0))
            size = len(file.cache)
            kept = file.safe if platter else size
            end = entry.number, kept
            if kept < size:
                break
        return end

    def _parsed(self, text: bytes) -> Manifest | None:
        manifest = self._manifests.get(text)
        if manifest is None:
            try:
                manifest = self._manifests[text] = Manifest.parse(text, "manifest")
            except AofError:
                return None
        return manifest
