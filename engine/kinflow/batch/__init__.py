"""Many photos: sources, units of work, worker processes (or a cluster), a journal to go on from, and the report."""
