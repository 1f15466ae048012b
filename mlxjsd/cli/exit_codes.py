"""The exit codes of the command line."""

DONE = 0
#: A failed check, too many prompts that could not be measured, a full disk.
WRONG = 1
BAD_INPUT = 2
#: What a shell says of a process that a signal ended: 128 and its number.
INTERRUPTED = 130
HUNG_UP = 129
