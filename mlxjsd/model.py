"""Loading a model with MLX-LM, and knowing which one it is."""

import hashlib
import inspect
import re
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlxjsd.blas import calm_openblas, prefer_openblas

OPENBLAS = prefer_openblas()  # has to come before mlx

import mlx.core as mx  # noqa: E402
import mlx.nn as nn  # noqa: E402
import numpy as np  # noqa: E402
from mlx.utils import tree_flatten  # noqa: E402

from mlxjsd import messages  # noqa: E402
from mlxjsd.adapter import ADAPTER_FILES, check_applied, find_adapter  # noqa: E402
from mlxjsd.assets import MODEL  # noqa: E402
from mlxjsd.blocks import Blocks  # noqa: E402
from mlxjsd.cpu import prepare_cpu  # noqa: E402
from mlxjsd.errors import InputError, TeamBroken, UnsupportedModel, said_by  # noqa: E402
from mlxjsd.hub import cached_folder, is_whole  # noqa: E402
from mlxjsd.spans import Encoder  # noqa: E402
from mlxjsd.weights import check_weights, read_config  # noqa: E402

if TYPE_CHECKING:
    from mlxjsd.team import Team

#: What is taken from a Hub repository, as MLX-LM takes it.
HUB_FILES = [
    *("*.json", "model*.safetensors", "*.py", "tokenizer.model", "*.tiktoken", "tiktoken.model"),
    *("*.txt", "*.jsonl", "*.jinja"),
]
#: Prompts longer than this are skipped whatever the model allows: keys and values of every
#: branch have to be held at the same time.
MAX_TOKENS = 1024


@dataclass(frozen=True)
class ModelIdentity:
    """Which model was measured, and in which form."""

    name: str
    """As it was asked for: a folder's name or a Hub repository."""
    family: str
    """MLX-LM's model type."""
    layers: int
    hidden_size: int
    vocabulary: int
    """Length of a row of logits."""
    dtype: str
    """Of the residual stream."""
    quantization: str | None
    """Such as "4 bits, groups of 64"; None for an unquantized model."""
    sha256: str
    """Of the configuration, the tokenizer and all weights, those of the adapter included."""
    trust_remote_code: bool = False
    revision: str | None = None
    """Of the Hub repository, as it was asked for."""
    adapter: str | None = None
    """Folder of the LoRA adapter, as it was asked for."""
    path: str = "one pass"
    """How it is measured: "one pass", or "plain", a forward pass for each cell."""

    def to_json(self) -> dict[str, Any]:
        """Return the identity as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class LoadedModel:
    """A model that is ready to be stepped through."""

    blocks: Blocks
    encoder: Encoder
    identity: ModelIdentity
    tokenizer: Any
    """MLX-LM's wrapper, for generation."""
    notes: tuple[str, ...] = field(default=())
    """How it runs on this machine, to be said once in a run's output."""
    team: "Team | None" = None
    """The ranks that hold it together; None for a model that is here as a whole."""

    def embed(self, tokens: np.ndarray) -> np.ndarray:
        """Return what enters block 0 for ``tokens`` (rows, T): float32 (rows, T, hidden)."""
        return np.array(self.blocks.embed(mx.array(tokens)).astype(mx.float32))


def load_model(
    model: str | Path | None = None,
    trust_remote_code: bool = False,
    revision: str | None = None,
    adapter_path: str | Path | None = None,
    team: "Team | None" = None,
) -> LoadedModel:
    """Load a model that MLX-LM can load.

    Args:
        model: a folder, a Hub repository such as ``mlx-community/Meta-Llama-3-8B-4bit``, or
            None for the bundled model.
        trust_remote_code: run model code that a repository brings along.
        revision: a branch, tag or commit of the Hub repository; None for its default.
        adapter_path: folder of a LoRA adapter, as ``mlx_lm.lora`` writes it.
        team: ranks that hold the model together; all of them call this at the same time.

    Raises:
        InputError: if it is not there or is not a model, or the adapter is not one of it, or it
            cannot be split over the team.
        UnsupportedModel: if its blocks cannot be stepped between.
    """
    name = MODEL.name if model is None else str(model)
    adapter = None if adapter_path is None else find_adapter(adapter_path)
    folder = _find(model, revision)
    if team is not None and adapter is not None:
        raise InputError(messages.ADAPTER_OVER_RANKS())
    module, tokenizer, config = _load(folder, trust_remote_code, adapter, team)
    notes = prepare_cpu(module, OPENBLAS)
    mx.eval(module.parameters())
    module.eval()
    blocks = Blocks(module)
    try:
        with nullcontext() if team is None else team.meeting("trying the model"):
            probe = mx.zeros((1, 2), mx.int32)
            states, logits = blocks.embed(probe), module(probe)
            mx.eval(logits)
            trouble = blocks.anatomy.trouble
    except RuntimeError as error:  # what MLX raises for an operation that a back end lacks
        raise UnsupportedModel(messages.CANNOT_RUN(why=said_by(error, 200))) from error
    if OPENBLAS:
        calm_openblas(states.shape[-1])
    if trouble:
        notes.append(f"measured by one forward pass a cell, since {trouble}")
    return LoadedModel(
        blocks=blocks,
        encoder=_encoder(tokenizer, config),
        identity=ModelIdentity(
            name="bundled" if model is None else name,
            family=str(config.get("model_type", type(module).__module__)),
            layers=len(blocks),
            hidden_size=states.shape[-1],
            vocabulary=logits.shape[-1],
            dtype=str(states.dtype).removeprefix("mlx.core."),
            quantization=_describe_quantization(config),
            sha256=_hash_model(folder, adapter),
            trust_remote_code=trust_remote_code,
            revision=revision,
            adapter=None if adapter_path is None else str(adapter_path),
            path=blocks.anatomy.path,
        ),
        tokenizer=tokenizer,
        notes=tuple(notes),
        team=team,
    )


def load_encoder(model: str | Path | None = None, revision: str | None = None) -> Encoder:
    """Load only the tokenizer of a model that is on this machine; no weights, no network.

    Raises:
        InputError: if the model is not here, or its tokenizer cannot be used.
    """
    from mlx_lm.utils import load_tokenizer

    folder = _find(model, revision, local_only=True)
    config = read_config(folder)
    try:
        tokenizer = load_tokenizer(folder)
    except Exception as error:
        raise _unloadable(folder, error) from error
    return _encoder(tokenizer, config)


def _find(model: str | Path | None, revision: str | None, local_only: bool = False) -> Path:
    if model is not None:
        return find_model(str(model), local_only, revision)
    if revision is not None:
        raise InputError(messages.REVISION_OF_NOTHING())
    return MODEL


def find_model(name: str, local_only: bool = False, revision: str | None = None) -> Path:
    """Return the folder of a model: as it stands, from the Hub's cache, or from the Hub.

    Args:
        name: a folder, or a Hub repository.
        local_only: never ask the Hub; the weights need not be there then.
        revision: of the Hub repository; None for its default.

    Raises:
        InputError: if it is nowhere to be found; the message says what to do.
    """
    folder = Path(name).expanduser()
    if folder.exists():
        if not (folder / "config.json").is_file():
            raise InputError(messages.NOT_A_MODEL(name=name))
        if revision is not None:
            raise InputError(messages.REVISION_OF_FOLDER(name=name))
        return folder
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name) or name.startswith("."):
        raise InputError(messages.NO_MODEL_FOLDER(name=name))

    cached = cached_folder(name, revision)
    if cached is not None and (local_only or is_whole(cached)):
        return cached  # the network is asked only for what is not here
    said = name if revision is None else f"{name} at revision {revision}"
    if local_only:
        raise InputError(messages.NOT_IN_CACHE(name=said))
    return _download(name, revision, said)


def _download(name: str, revision: str | None, said: str) -> Path:
    from huggingface_hub import constants, snapshot_download

    try:
        if constants.HF_HUB_OFFLINE:
            kind = "HF_HUB_OFFLINE is set"
        else:
            found = Path(snapshot_download(name, revision=revision, allow_patterns=HUB_FILES))
            if (found / "config.json").is_file():
                return found
            kind = "no config.json"
    except Exception as error:  # the Hub's client raises its own, httpx's and OSError
        kind = type(error).__name__
    if kind == "no config.json":
        raise InputError(messages.NOT_A_MODEL(name=said))
    if kind == "RevisionNotFoundError":
        raise InputError(messages.NO_REVISION(name=said))
    if kind in ("RepositoryNotFoundError", "GatedRepoError"):
        raise InputError(messages.NO_REPOSITORY(name=name))
    raise InputError(messages.HUB_OUT_OF_REACH(name=said, why=kind))


def _load(
    folder: Path, trust_remote_code: bool, adapter: Path | None, team: "Team | None"
) -> tuple[nn.Module, Any, dict[str, Any]]:
    from mlx_lm.utils import load

    config = read_config(folder)
    if config.get("model_file"):
        if not trust_remote_code:
            sentence = messages.BRINGS_CODE(folder=folder, file=config["model_file"])
            raise InputError(sentence)
    elif not reads_family(config["model_type"]):
        raise InputError(messages.UNKNOWN_TYPE(kind=config["model_type"], folder=folder))
    check_weights(folder)
    try:
        if team is not None:
            from mlxjsd.tensor_parallel import load_sharded

            return load_sharded(folder, trust_remote_code, team)
        # MLX-LM 0.31, the last for Python 3.10, runs such code without being asked to.
        asks = "trust_remote_code" in inspect.signature(load).parameters
        trust = {"trust_remote_code": trust_remote_code} if asks else {}
        module, tokenizer, config = load(str(folder), return_config=True, **trust)
        if adapter is not None:
            _adapt(module, adapter)
    except (InputError, TeamBroken):
        raise
    except Exception as error:
        # MLX-LM and the tokenizer libraries raise whatever the file at fault leads to.
        raise _unloadable(folder, error) from error
    return module, tokenizer, config


def _adapt(module: nn.Module, adapter: Path) -> None:
    from mlx_lm.utils import load_adapters

    try:
        load_adapters(module, str(adapter))
    except Exception as error:  # whatever its configuration or its weights lead to
        said = said_by(error, 300) or type(error).__name__
        raise InputError(messages.ADAPTER_DOES_NOT_FIT(folder=adapter, why=said)) from error
    check_applied(module, adapter)


def _unloadable(folder: Path, error: Exception) -> InputError:
    said = said_by(error, 300) or type(error).__name__
    return InputError(messages.UNLOADABLE(folder=folder, why=said))


def _encoder(tokenizer: Any, config: dict[str, Any]) -> Encoder:
    limit = config.get("max_position_embeddings") or config.get("n_positions") or MAX_TOKENS
    # MLX-LM wraps the transformers tokenizer; only that one knows character offsets.
    return Encoder(tokenizer._tokenizer, min(int(limit), MAX_TOKENS))


def reads_family(family: str) -> bool:
    """Say whether MLX-LM has a model of this type."""
    from mlx_lm.utils import MODEL_REMAPPING

    module = MODEL_REMAPPING.get(family, family)
    return (
        bool(re.fullmatch(r"[\w-]+", module)) and find_spec(f"mlx_lm.models.{module}") is not None
    )


def _describe_quantization(config: dict[str, Any]) -> str | None:
    found = config.get("quantization") or config.get("quantization_config")
    if not isinstance(found, dict) or "bits" not in found:
        return None
    mode = found.get("mode", "affine")
    said = f"{found['bits']} bits, groups of {found.get('group_size')}"
    return said if mode == "affine" else f"{said}, {mode}"


def _hash_model(folder: Path, adapter: Path | None) -> str:
    """Hash what decides the numbers: names and contents of configuration, tokenizer, weights."""
    wanted = ("*.safetensors", "*.json", "*.model", "*.jinja", "*.py", "*.txt")
    found = {p for pattern in wanted for p in folder.glob(pattern) if p.is_file()}
    model = _hash_files(sorted(found))
    if adapter is None:
        return model
    adapted = f"{model}\0{_hash_files([adapter / name for name in ADAPTER_FILES])}"
    return hashlib.sha256(adapted.encode()).hexdigest()


def _hash_files(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        real = path.resolve()
        if real.parent.name == "blobs" and re.fullmatch(r"[0-9a-f]{64}", real.name):
            content = real.name  # the Hub's cache names large files by their sha256
        else:
            with path.open("rb") as file:
                content = _hash_file(file)
        digest.update(f"{path.name}\0{content}\n".encode())
    return digest.hexdigest()


def _hash_file(file: Any) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()


def weights_bytes(module: nn.Module) -> int:
    """Return the bytes that the model's parameters take."""
    return sum(value.nbytes for _, value in tree_flatten(module.parameters()))


__all__ = ["LoadedModel", "ModelIdentity", "UnsupportedModel", "find_model", "load_model"]
