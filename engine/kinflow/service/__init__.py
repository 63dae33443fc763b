"""The engine process: answers requests over the wire."""
