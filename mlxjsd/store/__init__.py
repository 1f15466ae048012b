"""Runs on disk: one folder a run, one SQLite file a process that measures it."""
