"""Every sentence that refuses something, in one place: what is wrong, and what to do next.

``InputError``, ``MeasurementError`` and ``MachineError`` are raised with these and no others;
``tests/test_messages.py`` reads the code for it.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Message:
    """A sentence with gaps."""

    what: str
    """What is wrong."""
    do: str
    """What to do next."""

    def __call__(self, **values: Any) -> str:
        """Return the sentence, its gaps filled with ``values``."""
        return f"{self.what}; {self.do}".format(**values)


# The run folder.

IN_USE = Message(
    "{folder} is being written by {owner}",
    "wait until it has ended, or stop it, or give another --output",
)
CANNOT_LOCK = Message(
    "{path} cannot be locked against a second writer: {why}",
    "give an --output on a disk that can be written to",
)
RUN_IS_A_FILE = Message("{folder} is a file", "name a folder for the run")
HOLDS_SOMETHING_ELSE = Message("{folder} holds something else", "name a new or an empty folder")
NOT_A_RUN = Message("{folder} is not a run folder: it holds no {file}", "name one that does")
FOREIGN_FILE = Message("{path} was not written by mlxjsd", "name a run folder of mlxjsd")
NEWER_FILE = Message(
    "{path} has version {version}; this mlxjsd reads up to {known}", "bring mlxjsd up to date"
)
DAMAGED = Message(
    "{path} is damaged or not a run file ({why})",
    "`mlxjsd export {folder} -o saved.json --salvage` saves what can be trusted",
)
NOTHING_TO_SALVAGE = Message(
    "nothing in {path} can be trusted: {why}", "measure it again into another folder"
)
SALVAGE_TO_JSON = Message(
    "--salvage writes a .json file, which says what was lost, not {name!r}",
    "name one with --output",
)
BUSY = Message("{path} is held by another program: {why}", "try again when it has let go")
CANNOT_MIGRATE = Message(
    "{path} cannot be brought to this version: {why}", "measure it again into another folder"
)
OTHER_SETTINGS = Message(
    "{folder} holds a run with other settings ({differences})",
    "give the same ones to go on with it, or another --output",
)
PROMPTS_ARE_GONE = Message(
    "the prompts of {folder} are not at {path}, or have changed",
    "put the same file there or into the folder, or give them with `mlxjsd run --data`",
)

# While a run measures.

CANNOT_WRITE_RUN = Message(
    "{path} can no longer be written: {why}",
    "what was committed is safe; make room and go on with `mlxjsd resume {folder}`",
)
CANNOT_BEGIN_RUN = Message(
    "no run can be begun in {folder}: {why}", "make room, or give another --output"
)
NUMBERS_CANNOT_BE_RIGHT = Message(
    "these numbers cannot be right: it must hold that {proof}, but the difference is {measured} "
    "(allowed: {allowed})",
    "try `mlxjsd check`",
)
TOO_MANY_FAILED = Message(
    "{failed} of {tried} prompts could not be measured, more than {share:.0%}; the last one, "
    "{id!r}, because {why}",
    "try `mlxjsd check`, a model with fewer bits or one of another dtype; what was measured is "
    "in {folder}",
)

# Files that are written.

EXPORT_ENDING = Message("an export ends in {endings}, not {name!r}", "name such a file with -o")
CANNOT_WRITE = Message("cannot write {path}: {why}", "name a file that can be written with -o")
NO_ROOM_FOR = Message(
    "cannot write {path}: {why}", "make room, and give the same command again: nothing is lost"
)

# Stepping between a model's blocks.

_OTHER_MODEL = "measure another model, and report this one"
BLOCK_CALLED_TWICE = Message("block {block} was called twice in one pass", _OTHER_MODEL)
BLOCK_OUT_OF_ORDER = Message("block {block} was called where block {due} was due", _OTHER_MODEL)
BLOCK_NOT_CALLED = Message("block {block} was not called in a forward pass", _OTHER_MODEL)
BLOCK_SHAPE = Message(
    "block {block} ({kind}) does not return states: given {was}, it returns {now}", _OTHER_MODEL
)
STEPPED_THROUGH_ALREADY = Message(
    "the model is being stepped through already", "let one measurement end before the next"
)
BLOCK_CHANGED = Message("block {block} {how}", "load the model anew")
BLOCKS_ADDED = Message("the model has {now} blocks now, and had others", "load the model anew")

# A model's folder.

_COPY_AGAIN = "download or copy the model again"
NOT_JSON = Message("{path} is not JSON: {why}", _COPY_AGAIN)
NO_MODEL_TYPE = Message(
    "{path} does not say of which type the model is (model_type)", "name a folder of a model"
)
UNKNOWN_TYPE = Message(
    "MLX-LM has no model of type {kind}, which {folder} is",
    "bring mlx-lm up to date, or name another model",
)
BAD_INDEX = Message("{path} does not say which file holds which weight", _COPY_AGAIN)
WEIGHTS_MISSING = Message(
    "{count} of the {total} weight files of {folder} are missing: {names}", _COPY_AGAIN
)
NO_WEIGHTS = Message(
    "{folder} holds no weights (model*.safetensors)",
    "name a model in MLX's or Hugging Face's safetensors format",
)
WEIGHTS_CUT_OFF = Message("{path} is cut off: it ends after {size} bytes", _COPY_AGAIN)
NOT_SAFETENSORS = Message("{path} is not a file of safetensors", _COPY_AGAIN)
UNLOADABLE = Message(
    "the model in {folder} cannot be loaded: {why}",
    "see whether `mlx_lm.generate --model` can load it, and copy it again if not",
)
CANNOT_READ = Message("cannot read {path}: {why}", "name a file that may be read")
BRINGS_CODE = Message(
    "the model in {folder} brings code of its own ({file}), which is run only with "
    "--trust-remote-code",
    "give that if you trust it, or name another model",
)

# Several ranks.

RANK_FORM = Message("{given!r} is no rank", "give --rank as 0/2 or 1/2, the first or second of two")
NO_SUCH_RANK = Message(
    "there is no rank {index} of {size}", "count ranks from 0: 0/2 and 1/2 are both of two"
)
RANKS_UNREADABLE = Message(
    "MLX_RANK is set, but how many ranks there are cannot be read ({why})",
    "start the ranks with mlx.launch, or give --rank",
)
OTHER_RUN = Message(
    "{path} is of another run than {first} ({differences})", "move one of the two elsewhere"
)
BOTH_HOLD = Message(
    "{one} and {other} both hold prompt {id!r}, and differ in {differences}",
    "keep one of the two files",
)
OTHER_BATCHES = Message(
    "{path} is being written by {owner}, which puts the prompts together in other batches",
    "give all ranks the same --batch-size",
)
OTHER_WORLD = Message(
    "{path} is being written by {owner}, which measures this run as one of {theirs} ranks, "
    "not of {ours}",
    "wait until it has ended, or stop it",
)
NOT_ONE_RUN = Message(
    "{path} is not of the same run as {first} ({differences})", "join only shares of one run"
)
MERGE_WHILE_WRITTEN = Message(
    "{path} is being written by {owner}", "merge into it when that has ended"
)

# A model over several ranks.

RANK_AND_TENSOR_PARALLEL = Message(
    "--rank deals out prompts, and --tensor-parallel splits the model", "give one of the two"
)
NO_TEAM = Message(
    "--tensor-parallel needs several ranks that find each other ({why})",
    "start them with `mlx.launch -n 2 -- mlxjsd run --tensor-parallel`, or with a hostfile of "
    "IP addresses",
)
ADAPTER_OVER_RANKS = Message(
    "--tensor-parallel takes no adapter", "make one model of both with mlx_lm.fuse"
)
FAMILY_OVER_RANKS = Message(
    "MLX-LM cannot split the family {family} over ranks, only {families}",
    "leave out --tensor-parallel",
)
CANNOT_SPLIT = Message("the model cannot be split over {size} ranks: {why}", "use fewer ranks")
OTHER_PLANS = Message(
    "the ranks were not asked for the same",
    "give all of them the same model, prompts, settings and --batch-size",
)
RANKS_DISAGREE = Message(
    "these numbers cannot be right: the results of the ranks {said}",
    "try without --tensor-parallel",
)
