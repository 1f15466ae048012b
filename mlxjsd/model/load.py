"""Loading a model with MLX-LM, and knowing which one it is."""

import inspect
import re
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import mlx.nn as nn

from mlxjsd.assets import MODEL
from mlxjsd.errors import GroupBroken, InputError, UnsupportedModel, said_by
from mlxjsd.model.blas import OPENBLAS, calm_openblas
from mlxjsd.model.blocks import Blocks
from mlxjsd.model.checkpoint import check_weights, read_config
from mlxjsd.model.cpu import prepare_cpu
from mlxjsd.model.hashes import hash_model
from mlxjsd.model.hub import find_model
from mlxjsd.model.loaded import LoadedModel, ModelIdentity
from mlxjsd.model.lora import check_applied, find_adapter
from mlxjsd.model.packaged import Progress
from mlxjsd.model.requantize import check_bits, requantize
from mlxjsd.model.tables import Tables, tables_in
from mlxjsd.prompts.encode import Encoder

if TYPE_CHECKING:
    from mlxjsd.model.tensor_group import TensorParallelGroup

#: Prompts longer than this are skipped whatever the model allows: keys and values of every
#: branch have to be held at the same time.
MAX_TOKENS = 1024


def load_model(
    model: str | Path | None = None,
    trust_remote_code: bool = False,
    revision: str | None = None,
    adapter_path: str | Path | None = None,
    group: "TensorParallelGroup | None" = None,
    progress: Progress | None = None,
    bits: int | None = None,
) -> LoadedModel:
    """Load a model that MLX-LM can load.

    Args:
        model: a folder, a Hub repository such as ``mlx-community/Meta-Llama-3-8B-4bit``, one of
            :data:`mlxjsd.model.packaged.PACKAGED`, or None for the bundled model.
        trust_remote_code: run model code that a repository brings along.
        revision: a branch, tag or commit of the Hub repository; None for its default.
        adapter_path: folder of a LoRA adapter, as ``mlx_lm.lora`` writes it.
        group: ranks that hold the model together; all of them call this at the same time.
        bits: to which its weights are quantized once it is loaded; None for what it has.
        progress: told what is being fetched, its bytes that are there and all of them.

    Raises:
        InputError: if it is not there or is not a model, or the adapter is not one of it, or it
            cannot be split over the group.
        UnsupportedModel: if its blocks cannot be stepped between.
    """
    name = MODEL.name if model is None else str(model)
    adapter = None if adapter_path is None else find_adapter(adapter_path)
    folder = _find(model, revision, progress=progress)
    if group is not None and adapter is not None:
        raise InputError(
            "--tensor-parallel takes no adapter", hint="make one model of both with mlx_lm.fuse"
        )
    if bits is not None:
        check_bits(bits)
        if group is not None:
            raise InputError("--tensor-parallel takes no --bits", hint="convert the model first")
    module, tokenizer, config = _load(folder, trust_remote_code, adapter, group, bits)
    notes = prepare_cpu(module, OPENBLAS)
    mx.eval(module.parameters())
    module.eval()
    blocks = Blocks(module)
    try:
        with nullcontext() if group is None else group.collective("trying the model"):
            probe = mx.zeros((1, 2), mx.int32)
            states, logits = blocks.embed(probe), module(probe)
            mx.eval(logits)
            trouble = blocks.anatomy.trouble
    except RuntimeError as error:  # what MLX raises for an operation that a back end lacks
        raise UnsupportedModel(
            f"MLX cannot run the model on this machine: {said_by(error, 200)}",
            hint="name another model, or bring mlx up to date",
        ) from error
    if OPENBLAS:
        calm_openblas(states.shape[-1])
    if trouble:
        notes.append(f"measured by one forward pass a cell, since {trouble}")
    return LoadedModel(
        blocks=blocks,
        encoder=_encoder(tokenizer, config, blocks.tables),
        identity=ModelIdentity(
            name="bundled" if model is None else name,
            family=str(config.get("model_type", type(module).__module__)),
            layers=len(blocks),
            hidden_size=states.shape[-1],
            vocabulary=logits.shape[-1],
            dtype=str(states.dtype).removeprefix("mlx.core."),
            quantization=_describe_quantization(config),
            sha256=hash_model(folder, adapter),
            trust_remote_code=trust_remote_code,
            revision=revision,
            adapter=None if adapter_path is None else str(adapter_path),
            path=blocks.anatomy.path,
            bits=bits,
        ),
        tokenizer=tokenizer,
        notes=tuple(notes),
        group=group,
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
    return _encoder(tokenizer, config, Tables())


def _find(
    model: str | Path | None,
    revision: str | None,
    local_only: bool = False,
    progress: Progress | None = None,
) -> Path:
    if model is not None:
        return find_model(str(model), local_only, revision, progress)
    if revision is not None:
        raise InputError("--revision is of a Hub repository", hint="name one with --model")
    return MODEL


def _load(
    folder: Path,
    trust_remote_code: bool,
    adapter: Path | None,
    group: "TensorParallelGroup | None",
    bits: int | None,
) -> tuple[nn.Module, Any, dict[str, Any]]:
    from mlx_lm.utils import load

    config = read_config(folder)
    if config.get("model_file"):
        if not trust_remote_code:
            raise InputError(
                f"the model in {folder} brings code of its own ({config['model_file']}), "
                "which is run only with --trust-remote-code",
                hint="give that if you trust it, or name another model",
            )
    elif not reads_family(config["model_type"]):
        raise InputError(
            f"MLX-LM has no model of type {config['model_type']}, which {folder} is",
            hint="bring mlx-lm up to date, or name another model",
        )
    check_weights(folder)
    try:
        if group is not None:
            from mlxjsd.model.tensor_parallel import load_sharded

            return load_sharded(folder, trust_remote_code, group)
        # MLX-LM 0.31, the last for Python 3.10, runs such code without being asked to.
        asks = "trust_remote_code" in inspect.signature(load).parameters
        trust = {"trust_remote_code": trust_remote_code} if asks else {}
        module, tokenizer, config = load(str(folder), return_config=True, **trust)
        if bits is not None:
            config = requantize(module, config, bits)
        if adapter is not None:
            _adapt(module, adapter)
    except (InputError, GroupBroken):
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
        raise InputError(
            f"the adapter in {adapter} cannot be put into this model: {said}",
            hint="name the model that it was trained on",
        ) from error
    check_applied(module, adapter)


def _unloadable(folder: Path, error: Exception) -> InputError:
    said = said_by(error, 300) or type(error).__name__
    return InputError(
        f"the model in {folder} cannot be loaded: {said}",
        hint="see whether `mlx_lm.generate --model` can load it, and copy it again if not",
    )


def _encoder(tokenizer: Any, config: dict[str, Any], tables: Tables) -> Encoder:
    """Return what encodes prompts, none of which reaches beyond the model's tables.

    Args:
        tokenizer: MLX-LM's wrapper; only the one of transformers knows character offsets.
        config: of the model.
        tables: as they were found in it; without weights its configuration is believed.
    """
    said = tables_in(config)
    most = min(tables.positions or MAX_TOKENS, said.positions or MAX_TOKENS, MAX_TOKENS)
    return Encoder(tokenizer._tokenizer, most, tables.tokens or said.tokens)


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
