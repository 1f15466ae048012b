"""Subj., attn., last.: the vocabulary every room shares."""

#: The rows of the figure, from the top.
ROWS = ("subj", "attn", "last")


SUBJ, ATTN, LAST = range(3)


#: How the rows are written where people look.
ROW_LABELS = {"subj": "Subj.", "attn": "Attn.", "last": "Last."}
