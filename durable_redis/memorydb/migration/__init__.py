"""Slot migration: slots go from one shard to another, by a two-phase commit through the logs of both.

The law of this package: *what has become of a migration is in the logs, and nowhere else.*  What a primary knows beside
that can be forgotten: whoever leads next goes on from the last entry.

No client sees an error because slots move.  While nobody may write to them, clients that want to are *held back*: their
command is not executed, and neither are those behind it on the same connection, until it is known who serves it.  Then
it is executed, or answered with MOVED.

Reading order:

    ownership    the entries: what every node of a shard knows of its slots, and how far a migration has come
    source       the primary of the shard that gives slots away; its log holds the decision
    target       the primary of the shard that gets them
    link         how the two talk
    slotdata     the keys of some slots, and their checksum
    migrations   a node's part: one of the two, or none; and which clients are held back
    commands     what an operator says, and what a source says to its target
"""
