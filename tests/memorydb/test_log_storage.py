"""The files of a replica: literal bytes, and what becomes of them when they are torn or rotten."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durable_redis.contract import Append, DiskError, Exit, Fsync, Note, Read, Remove, Rename, SyncDirectory, Write
from durable_redis.formats.crc64 import crc64
from durable_redis.memorydb.log.election import Ballot
from durable_redis.memorydb.log.entries import DATA, NO_OP, EntryId, LogError, encode
from durable_redis.memorydb.log.sequence import Sequence
from durable_redis.memorydb.log.storage import Found, Storage, read_log, sealed, unsealed

QUICK = settings(max_examples=80, deadline=None)


def log_of(kinds: str = "dnd", cut: EntryId = EntryId.ZERO, checksum: int = 0) -> Sequence:
    made = Sequence(cut, checksum)
    for number, letter in enumerate(kinds):
        made.make(2, NO_OP if letter == "n" else DATA, b"body %d" % number, f"t{number}")
    return made


def file_of(sequence: Sequence) -> bytes:
    line = sealed("LOG", "s1", str(sequence.cut), f"{sequence.cut_checksum:016x}")
    return line + b"".join(map(encode, sequence.entries))


def drive(effects, answers):
    """Perform effects by hand: `answers` maps a path to what Read finds; everything else succeeds."""
    done = []
    try:
        effect = next(effects)
        while True:
            done.append(effect)
            effect = effects.send(answers.get(effect.path) if isinstance(effect, Read) else None)
    except StopIteration as stop:
        return stop.value, done


def test_the_lines_of_both_files():
    assert sealed("BALLOT", "s1", "5", "log-b") == b"BALLOT 1 s1 5 log-b %016x\n" % crc64(b"BALLOT 1 s1 5 log-b")
    assert Storage("s1").read_ballot(sealed("BALLOT", "s1", "5", "log-b")) == Ballot(5, "log-b")
    assert Storage("s1").read_ballot(sealed("BALLOT", "s1", "0", "-")) == Ballot(0, "")
    assert file_of(log_of("", EntryId(3, 17), 255)).startswith(b"LOG 1 s1 3-17 00000000000000ff ")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b"BALLOT 1 s1 5 log-b 0123456789abcdef\n", "the checksum of its first line is wrong"),
        (b"", "the checksum of its first line is wrong"),
        (sealed("BALLOT", "s2", "5", "log-b"), "should begin with BALLOT 1 s1"),
        (sealed("LOG", "s1", "5", "log-b"), "should begin with BALLOT 1 s1"),
        (sealed("BALLOT", "s1", "5"), "should begin with BALLOT 1 s1"),
        (sealed("BALLOT", "s1", "five", "log-b"), "'five' is no term"),
        (sealed("BALLOT", "s1", "-5", "log-b"), "'-5' is no term"),
    ],
)
def test_a_ballot_that_makes_no_sense_is_named(line, sentence):
    with pytest.raises(LogError) as caught:
        Storage("s1").read_ballot(line)
    assert sentence in str(caught.value)
    assert not caught.value.torn


def test_a_log_comes_back_with_its_cut():
    sequence = log_of("dndd", EntryId(1, 7), 99)
    found, torn = read_log(file_of(sequence), "s1", "s1/log")
    assert torn is None
    assert (found.cut, found.cut_checksum, found.entries) == (EntryId(1, 7), 99, sequence.entries)


@QUICK
@given(st.data())
def test_a_torn_log_is_a_prefix_and_says_so(data):
    sequence = log_of("ddnd")
    whole = file_of(sequence)
    first = len(file_of(log_of("")))
    kept = data.draw(st.integers(first, len(whole) - 1))
    found, torn = read_log(whole[:kept], "s1", "s1/log")
    assert found.entries == sequence.entries[: len(found.entries)]
    boundary = len(file_of(log_of("ddnd"[: len(found.entries)])))
    assert (torn is None) is (kept == boundary)
    if torn is not None:
        assert torn.offset == boundary


@QUICK
@given(st.data())
def test_a_bit_of_rot_anywhere_in_a_log_is_damage_and_never_a_torn_tail(data):
    rotten = bytearray(file_of(log_of("dnd")))
    position = data.draw(st.integers(0, len(rotten) * 8 - 1))
    rotten[position // 8] ^= 1 << position % 8
    with pytest.raises(LogError) as caught:
        read_log(bytes(rotten), "s1", "s1/log")
    assert not caught.value.torn
    assert str(caught.value).startswith("s1/log: at byte ")


@QUICK
@given(st.binary(max_size=200))
def test_bytes_that_are_no_log_are_a_named_error(data):
    with pytest.raises(LogError, match="s1/log"):
        read_log(data, "s1", "s1/log")


def test_an_entry_at_the_wrong_place_is_damage():
    sequence = log_of("dd")
    with pytest.raises(LogError, match=r"entry 2-2 stands behind 0-0|does not follow"):
        read_log(file_of(log_of("")) + encode(sequence.entries[1]), "s1", "s1/log")


@pytest.mark.parametrize(
    ("ballot", "log", "blank", "notes"),
    [
        (None, None, True, []),
        (sealed("BALLOT", "s1", "2", "-"), file_of(log_of()), False, []),
        (None, file_of(log_of()), True, []),  # it was learning, and had not finished
        (sealed("BALLOT", "s1", "2", "-"), None, True, []),
        (sealed("BALLOT", "s1", "2", "-")[:-3], file_of(log_of()), True, ["damaged"]),
        (sealed("BALLOT", "s1", "2", "-"), file_of(log_of())[:-1] + b"?", True, ["damaged"]),
        (sealed("BALLOT", "s1", "2", "-"), file_of(log_of())[:-1], False, ["cut"]),
    ],
)
def test_what_a_start_makes_of_its_disk(ballot, log, blank, notes):
    found, done = drive(Storage("s1").load(), {"s1/ballot": ballot, "s1/log": log})
    assert isinstance(found, Found)
    assert (found.ballot is None) is blank
    assert [effect.kind for effect in done if isinstance(effect, Note)] == notes
    assert not (blank and found.sequence.entries)
    # The log is written anew, whole, and put in place; a ballot that counts no more is removed first, durably.
    kinds = [type(effect) for effect in done]
    assert kinds.index(Write) < kinds.index(Fsync) < kinds.index(Rename)
    assert (Remove in kinds) is (blank and ballot is not None)
    if Remove in kinds:
        assert kinds.index(Remove) < kinds.index(SyncDirectory) < kinds.index(Write)


def test_adding_costs_one_write_and_one_fsync_and_cutting_remembers_where():
    storage, sequence = Storage("s1"), log_of("ddd")
    drive(storage.rewrite(Sequence()), {})
    _, done = drive(storage.add(sequence.entries), {})
    assert [type(effect) for effect in done] == [Append, Fsync]
    assert storage.index == 3
    _, (truncate,) = drive(storage.drop_behind(1), {})
    assert truncate.size == len(file_of(log_of("d")))
    assert storage.index == 1
    assert drive(storage.add([]), {})[1] == drive(storage.drop_behind(5), {})[1] == []


def test_an_error_of_the_disk_ends_the_process():
    effects = Storage("s1").add(log_of("d").entries)
    next(effects)
    exit_ = effects.send(DiskError("EIO", "s1/log"))
    assert exit_ == Exit(1, "the log of s1 cannot be kept on this disk: EIO on s1/log")


def test_a_sealed_line_is_read_by_words():
    assert unsealed(sealed("LOG", "s1", "a", "b").removesuffix(b"\n"), "LOG", "s1", 2, "x") == ["a", "b"]
