"""Which results are stale: what they used has changed since. Looks and decides; it never queues or runs."""
