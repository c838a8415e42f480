"""Measures m2m-proxy beside what people would run in its place: see docs/performance.md. scripts/bench runs it."""
