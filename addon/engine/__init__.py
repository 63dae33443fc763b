"""Finding, installing and running the engine."""
