"""Many photos: sources, units of work, workers or a cluster, a journal to go on from, a report."""
