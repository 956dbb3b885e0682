"""Redis Cluster: the keyspace in 16,384 slots, each served by one primary, and replicas that take over by election."""
