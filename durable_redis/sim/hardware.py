"""What things cost in the simulated machine room: every latency and price, in one place, with unit and source.

A node says what it does (`Compute("fork", bytes)`, `Fsync(path)`); only the world knows how long that takes.  Change a
figure here, and every chapter that depends on it changes with it.  The figures are those of an ordinary cloud machine;
where a paper or a manual gives one, it is used and named.
"""

from __future__ import annotations

from dataclasses import dataclass

MICROSECONDS_PER_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Hardware:
    """Latencies in microseconds, rates in bytes per second, prices of work in nanoseconds a unit."""

    # Wires.  One way, kernel to kernel.  Zones of one region lie tens of kilometres apart: single-digit milliseconds at
    # worst, usually well under one (AWS, "Availability Zones").  Jitter is uniform, from 0 to the figure.
    same_zone_us: int = 100
    cross_zone_us: int = 600
    jitter_us: int = 20
    # How long a kernel sends unacknowledged data again before it gives the connection up.  The model's own figure:
    # Linux does so for about 15 minutes (tcp_retries2 = 15), and looks after an idle connection every two hours
    # (tcp_keepalive_time); operators lower both.
    tcp_timeout_us: int = 15 * MICROSECONDS_PER_SECOND

    # Disks.  An fsync waits for the device: about a millisecond on networked block storage, 0.15 ms on a local SSD with
    # a protected write cache, 10 ms on a spinning disk.
    fsync_us: int = 1_000
    fsync_jitter_us: int = 100
    write_bytes_per_s: int = 200_000_000
    read_bytes_per_s: int = 400_000_000
    # Linux writes dirty pages back once they are 30 s old (vm.dirty_expire_centisecs = 3000).
    writeback_us: int = 30 * MICROSECONDS_PER_SECOND

    # The processor.
    command_ns: int = 4_000  # one command, with its share of the event loop: 200,000 to 300,000 a second on one core
    fork_ns_per_mib: int = 12_000  # copying the page table: 12 ms per GB (MemoryDB paper, section 6.2.1)
    serialize_ns_per_kib: int = 5_000  # writing an RDB: about 200 MB/s
    load_ns_per_kib: int = 5_000  # reading an RDB
    replay_ns: int = 2_000  # one command of an append-only file, with no client to answer
    # The start of a process until it listens: the loader, the configuration, the sockets.
    start_ns: int = 20_000_000

    def compute_us(self, work: str, amount: int) -> int:
        """The time that `amount` units of `work` keep the processor busy, at least 1 us."""
        match work:
            case "command":
                nanoseconds = self.command_ns * amount
            case "replay":
                nanoseconds = self.replay_ns * amount
            case "fork":
                nanoseconds = self.fork_ns_per_mib * amount // 2**20
            case "serialize":
                nanoseconds = self.serialize_ns_per_kib * amount // 1024
            case "load":
                nanoseconds = self.load_ns_per_kib * amount // 1024
            case "start":
                nanoseconds = self.start_ns * amount
            case "sleep":
                nanoseconds = amount * 1_000
            case _:
                raise ValueError(f"no price for the work {work!r}: add it to Hardware.compute_us")
        return max(1, nanoseconds // 1_000)
