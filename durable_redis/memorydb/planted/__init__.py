"""What is wrong with the planted bugs; `durable_redis.memorydb.bugs` has their table.

nodes       replies, leases, appends, recovery, slots
elections   who leads
snapshots   what is released, and trimmed
logs        a replica of the log
"""
