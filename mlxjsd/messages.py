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


@dataclass(frozen=True)
class Reason:
    """A clause with gaps, which stands inside a message; what to do next is said there."""

    what: str

    def __call__(self, **values: Any) -> str:
        """Return the clause, its gaps filled with ``values``."""
        return self.what.format(**values)


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

# Options of a run.

LIMIT = Message("the limit must be at least 1, not {limit}", "leave --limit out for all prompts")
BATCH_SIZE = Message(
    "the batch size must be at least 1, not {size}", "leave --batch-size out to have it chosen"
)
BATCH_SIZE_OR_MEMORY = Message(
    "--batch-size and --memory both decide how many prompts go together", "give one of them"
)
MEMORY = Message(
    "the memory must be a positive number of GB, not {given}", "give one with --memory"
)
TOO_LITTLE_MEMORY = Message(
    "a prompt of {tokens} tokens needs {needed:.2f} GB with this model, more than the "
    "{given:.2f} GB of --memory",
    "allow that much",
)
CORRUPTION = Message("corruption is {known}, not {given!r}", "give one of them with --corruption")
NOISE_LEVEL = Message(
    "the noise level must be a positive number, not {given}",
    "give one with --noise-level, such as 3",
)
NOISE_SAMPLES = Message(
    "at least one noise sample is needed, not {given}", "give 1 or more with --noise-samples"
)
WINDOW = Message("the knockout window cannot be negative: {given}", "give 0 or more with --window")
UNKNOWN_SETTINGS = Message(
    "unknown settings: {names}", "bring mlxjsd up to date, since a newer one wrote them"
)
ANSWER_TOKENS = Message(
    "an answer has at least one token, not {given}",
    "give 1 or more with --max-tokens, or --no-label",
)
MATCH = Message("--match is {known}, not {given!r}", "give one of them")
PROMPT_TEMPLATE = Message(
    "the prompt template must hold {gap} once, as in 'Question: {gap}\\nAnswer:', not {given!r}",
    "put the gap where prompts stand",
)
TEMPLATE_NOT_UTF8 = Message("the prompt template is not UTF-8 text", "type it anew")
FOLDER_HAS_SETTINGS = Message("a run folder has its own settings", "give it without options")
NO_SERVER = Message("--serve needs textual-serve", "get it by pip install 'mlxjsd[serve]'")

# Prompts and their files.

NO_PROMPT_LEFT = Message(
    "no prompt of {path} is left to measure", "give a larger --limit, or other --data"
)
NO_PROMPT_USABLE = Message(
    "no prompt of {path} can be measured; the first one, {id!r}, because {why}",
    "see `mlxjsd prompts` for all of them",
)
NO_DATA_FILE = Message("there is no data file {path}", "name a file of prompts with --data")
NO_FILE_OF_PROMPTS = Message("{path} is a {kind}", "name a file of prompts")
WIDE_TEXT = Message(
    "{path} is {kind} text", "convert it to UTF-8, for example with `iconv -f {kind} -t UTF-8`"
)
NOT_UTF8 = Message("{path} is not UTF-8 text: see line {line}", "convert the file to UTF-8")
LARGE_FOLDER = Message(
    "the folder {path} holds over {most:,} files", "name the one that holds the relations alone"
)
FOLDER_WITHOUT_JSON = Message(
    "{path} is a folder without a .json file", "name a file of prompts, or a folder of relations"
)
FORMAT = Message("--format is {known}, not {given!r}", "give one of them, or leave it out")
FOLDER_OF_FORMAT = Message("{path} is a folder", "name a file in the format {format}")
NOT_READ_AS_FOLDER = Message(
    "{file} is in the format {format}; only {known} are read as folders", "name that file"
)
NO_PROMPTS = Message("{path} is empty: it holds no prompt", "name a file that holds some")
NO_KNOWN_FORMAT = Message(
    "{path} is in no known format: its first record has the fields {fields}",
    "give it the fields prompt and subject, or one of the formats {known}",
)
NO_COLUMN = Message("{path} has no column {names}", "name the columns in its first line")
SAME_ID = Message("{place} has the id {id!r} of {other}", "give each an id of its own")
NOT_A_PROMPT = Message(
    "{place}: a prompt is an object", 'write it such as {{"prompt": ..., "subject": ...}}'
)
COLUMN_TWICE = Message("{path} has the column {name!r} twice", "keep one of them")
NO_HEADER = Message("{path} has no header of a table: {why}", "name the columns in its first line")
NOT_A_ROW = Message("{path}, line {line} is not a row of a table: {why}", "correct that line")
WRONG_CELLS = Message(
    "{path}, line {line} has {cells} cells, the header has {names}",
    "quote a cell that holds the delimiter",
)
FIELD_MISSING = Message('the field "{field}" is missing', "add it")
FIELD_EMPTY = Message('"{field}" must be a string with something in it', "write one")
FIELD_TEXT = Message('"{field}" must be a string', "put it in quotes")
FIELD_TEXTS = Message('"{field}" must be a list of strings', 'write it as ["...", "..."]')
FIELD_ID = Message('"{field}" must be a string or a number', "write one, or leave the field out")
FIELD_OFFSET = Message(
    '"{field}" must be a character offset',
    "count the characters in front of the subject, or leave it out",
)
FIELD_NUMBER = Message('"{field}" must be a finite number', "write one, or leave the field out")
CELL_LIST = Message(
    '"{field}" must be a JSON list such as ["Paris"], not {given!r}',
    "write one, or part the answers by |",
)
FIELD_GAP = Message('"{field}" must hold {{}} once, where the subject stands', "put it there")
HALF_A_CHARACTER = Message(
    '"{field}" holds half a character (a lone surrogate)', "write the whole one"
)
NO_JSON_NUMBER = Message(
    "{name} is not a number that JSON has", "write null, or leave the field out"
)
NOT_A_LIST = Message(
    "{path} is not a JSON list: it does not begin with [",
    "name another --format, or put the records into a list",
)
LINE_NOT_JSON = Message("{path}, line {line} is not JSON: {why}", "correct that line")
PLACE_NOT_JSON = Message("{place} is not JSON: {why}", "correct it")
IN_PLACE = Reason("{place}: {said}")
NOT_A_RELATION = Message(
    "{path} must hold one relation", 'write it as {{"name": ..., "samples": [...]}}'
)
NO_TEMPLATES = Message(
    '"prompt_templates" is missing or empty', "give at least one, with {{}} for the subject"
)
NO_SAMPLES = Message('"samples" must be a list', 'write it as [{{"subject": ..., "object": ...}}]')
NOT_A_SAMPLE = Message(
    "{path}, sample {number}: a sample is an object",
    'write it as {{"subject": ..., "object": ...}}',
)
UNKNOWN_QUESTION = Message(
    "no relation of EntityQuestions asks {question!r}, so its subject is not known",
    'give such questions as {{"prompt": ..., "subject": ...}}',
)
NO_REWRITE = Message('"requested_rewrite" must be an object', "keep CounterFact's layout")
NO_TRUE_TARGET = Message('"target_true" must be an object', 'write it such as {{"str": ...}}')

# Why a prompt is skipped; each stands after "because".

ONLY_SPACES = Reason("the subject holds nothing but spaces")
NO_SUBJECT = Reason("the subject is not in the text")
NOT_UNICODE = Reason("the text is not valid Unicode")
TOO_LONG = Reason("{tokens} tokens are more than {most}")
NO_TOKEN = Reason("no token covers the subject")
REACHES_LAST = Reason("the subject reaches the last token")
CHAT_CHANGES_IT = Reason("the chat template changes the prompt")

# Models, tokenizers and adapters.

NO_MODEL_FOLDER = Message(
    "there is no model folder {name}", "give the path of one, or a Hub repository as owner/name"
)
NOT_A_MODEL = Message("{name} is not a model: it holds no config.json", "name one that does")
REVISION_OF_NOTHING = Message("--revision is of a Hub repository", "name one with --model")
REVISION_OF_FOLDER = Message(
    "--revision is of a Hub repository, and {name} is a folder", "leave it out"
)
NOT_IN_CACHE = Message(
    "{name} is not in the local cache",
    "download it by `mlxjsd run --model`, or see `mlxjsd models`",
)
NO_REVISION = Message("the Hub has no {name}", "check the revision")
NO_REPOSITORY = Message(
    "the Hub has no model {name} that you may read",
    "check the name, or log in with `hf auth login`",
)
HUB_OUT_OF_REACH = Message(
    "{name} is neither a folder nor in the local cache, and the Hub cannot be reached ({why})",
    "connect once to download it, or give the path of a model folder",
)
CANNOT_RUN = Message(
    "MLX cannot run the model on this machine: {why}", "name another model, or bring mlx up to date"
)
NO_OFFSETS = Message(
    "this model's tokenizer gives no character offsets, so subjects cannot be found",
    "convert the model with its tokenizer.json",
)
NO_CHAT_TEMPLATE = Message(
    "this model's tokenizer has no chat template",
    "leave --chat out, or name a model that was trained to chat",
)
BAD_CHAT_TEMPLATE = Message("this model's chat template cannot be used ({why})", "leave --chat out")
PROMPT_NOT_ONCE = Message(
    "this model's chat template does not write a prompt down once, so its place is not known",
    "leave --chat out",
)
NO_ADAPTER = Message("there is no adapter folder {path}", "give the folder that mlx_lm.lora wrote")
NOT_AN_ADAPTER = Message(
    "{path} is not an adapter: it holds no {file}", "give the folder that mlx_lm.lora wrote"
)
OTHER_ADAPTER = Message(
    "the adapter in {folder} is not for this model, which {why}",
    "name the model that it was trained on",
)
ADAPTER_DOES_NOT_FIT = Message(
    "the adapter in {folder} cannot be put into this model: {why}",
    "name the model that it was trained on",
)
NO_LIST_OF_BLOCKS = Message("{module} does not list its blocks", _OTHER_MODEL)
BLOCK_SHARED = Message("the model uses one block at several depths", _OTHER_MODEL)
NOT_STATES = Message("a block reads an array of shape {shape}, not one of states", _OTHER_MODEL)
NO_MASK_NO_CACHE = Message("{kind} does not take a mask or a cache", _OTHER_MODEL)
SEES_LATER = Message("block {block} lets a token see later ones, whatever its mask", _OTHER_MODEL)
NOT_ONE_BY_ONE = Reason("the model does not call its blocks one by one: {why}")
TOO_LARGE_FOR_DTYPE = Message(
    "block {block} leaves numbers that are too large for {dtype}",
    "name a conversion of the model to bfloat16 or float32",
)
NO_MASK_FOR_ROWS = Message(
    "block {block} keeps keys and values, but does not take a mask for each row", _OTHER_MODEL
)
READS_EARLIER_BLOCKS = Message(
    "block {block} reads earlier blocks through {name!r}, so that patching the residual stream "
    "would replace only a part of a state",
    _OTHER_MODEL,
)
NOT_EXACT = Message(
    "the one pass is not exact here: {why}", "take the plain path, as `mlxjsd run` does"
)
BLOCK_KEEPS_OTHERS = Message(
    "block {block} does not keep what it was found to keep", "try `mlxjsd check`"
)

# Looking at a run.

NOTHING_TO_READ = Message(
    "nothing has been measured yet, so there is nothing to read", "go on with `mlxjsd resume`"
)
NO_SUCH_CATEGORY = Message(
    "{name} has no prompt of category {category}",
    "see `mlxjsd show --by category` for those that it has",
)
BY = Message("--by is {known}, not {given!r}", "give one of them")
NOTHING_TO_PART = Message(
    "the run holds no prompt yet, so there is nothing to part", "go on with `mlxjsd resume`"
)
BY_OF_A_HEATMAP = Message(
    "--by is for heatmaps", "leave it out: the other kinds are by category already"
)
ONE_OF_THE_TWO = Message(
    "compare takes a second run folder or --reference, one of the two", "give one of them"
)
NO_PUBLISHED_FIGURE = Message(
    "there is no published figure {name!r}; there is {known}", "give one of these with --reference"
)
NO_ANSWER_RIGHT = Message(
    "no answer of the run is right, so there is no norm to compare with", "try another --match"
)
NO_COSINES_YET = Message(
    "cosines are taken when a run is finished", "finish it first with `mlxjsd resume`"
)
COSINES_OF_OTHER_LABELS = Message(
    "cosines hold for the labels that the run was made with",
    "leave out --match and --reliance-threshold",
)
NO_CATEGORIES = Message(
    "no prompt of the run has a known answer, so there are no categories",
    "measure prompts with answers, and with --label",
)
KIND = Message("--kind is heatmap, {known}, not {given!r}", "give one of them")
FIGURE_ENDING = Message("a figure ends in {endings}, not {name!r}", "name such a file with -o")
COLOUR_MAP = Message("matplotlib has no colour map {name!r}", "try Blues or viridis")
SCALE = Message("--vmax {high:g} must be above --vmin {low:g}", "give a higher one")
RUN_IS_EMPTY = Message("that run has measured nothing yet", "choose another one, or take it up")
GROUP_IS_EMPTY = Message("the run holds no prompt of {group}", "choose another group")

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
