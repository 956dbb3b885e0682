"""What is wrong with the planted bugs; `durable_redis.memorydb.bugs` has their table.

The law of this package: a class that is wrong says what it breaks ("Breaks", the module whose law it is, and the law in
a few words), overrides that, and nothing else.

nodes       replies, leases, appends, recovery
slots       the move of slots from one shard to another
elections   who leads
snapshots   what is released, and trimmed
logs        a replica of the log
"""
