"""The exit codes of the command line."""

DONE = 0
WRONG = 1
BAD_INPUT = 2
INTERRUPTED = 130
