"""Loading a model with MLX-LM, and knowing which one it is."""

import re
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import mlx.nn as nn

from mlxjsd.assets import MODEL
from mlxjsd.errors import GroupBroken, InputError, UnsupportedModel, panics_caught, said_by
from mlxjsd.model.blas import OPENBLAS, calm_openblas
from mlxjsd.model.blocks import Blocks
from mlxjsd.model.checkpoint import check_weights, read_config
from mlxjsd.model.cpu import prepare_cpu
from mlxjsd.model.files import CODE, WEIGHTS, Files, model_files, staged
from mlxjsd.model.hashes import fingerprint
from mlxjsd.model.hub import find_model
from mlxjsd.model.loaded import LoadedModel, ModelIdentity
from mlxjsd.model.lora import check_applied, find_adapter
from mlxjsd.model.module import load_module
from mlxjsd.model.open_files import mlx_lm_utils
from mlxjsd.model.packaged import Progress
from mlxjsd.model.requantize import check_bits, requantize
from mlxjsd.model.tables import Tables, tables_in
from mlxjsd.model.tokenizer import Guarded, check_code_is_here, code_of_tokenizer, never_ask
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
    expected: str | None = None,
    download: bool = True,
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
        expected: hash of its files; others are not loaded.
        download: whether it may come from the Hub if it is not here.

    Raises:
        InputError: if it is not there or is not a model, or the adapter is not one of it, or it
            cannot be split over the group, or its files are not the expected ones.
        UnsupportedModel: if its blocks cannot be stepped between.
    """
    name = MODEL.name if model is None else str(model)
    adapter = None if adapter_path is None else find_adapter(adapter_path)
    folder = _find(model, revision, progress=progress, download=download)
    if group is not None and adapter is not None:
        raise InputError(
            "--tensor-parallel takes no adapter", hint="make one model of both with mlx_lm.fuse"
        )
    if bits is not None:
        check_bits(bits)
        if group is not None:
            raise InputError("--tensor-parallel takes no --bits", hint="convert the model first")
    files = _checked(folder, trust_remote_code)
    known = fingerprint(files, adapter)
    if expected is not None and known.sha256 != expected:
        raise InputError(
            f"the model at {name} is not the one that the run was measured with: its files differ",
            hint="put that model back in its place, or begin another run",
        )
    module, tokenizer, config = _load(
        folder, files, known.sha256, trust_remote_code, adapter, group, bits
    )
    notes = prepare_cpu(module, OPENBLAS)
    mx.eval(module.parameters())
    known.check_unchanged()  # what is in memory is what was hashed
    module.eval()
    try:
        blocks = Blocks(module)
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
    except (InputError, GroupBroken):
        raise
    except Exception as error:  # a configuration that contradicts itself leads to anything
        raise UnsupportedModel(
            f"the model in {folder} cannot be run: {type(error).__name__}: {said_by(error, 200)}",
            hint="see whether its config.json is right, and copy the model again if not",
        ) from error
    if OPENBLAS:
        calm_openblas(states.shape[-1])
    if trouble:
        notes.append(f"measured by one forward pass a cell, since {trouble}")
    return LoadedModel(
        blocks=blocks,
        encoder=_encoder(tokenizer, config, blocks.tables, name),
        identity=ModelIdentity(
            name="bundled" if model is None else name,
            family=str(config.get("model_type", type(module).__module__)),
            layers=len(blocks),
            hidden_size=states.shape[-1],
            vocabulary=logits.shape[-1],
            dtype=str(states.dtype).removeprefix("mlx.core."),
            quantization=_describe_quantization(config),
            sha256=known.sha256,
            trust_remote_code=trust_remote_code,
            revision=revision,
            adapter=None if adapter_path is None else str(adapter_path),
            path=blocks.anatomy.path,
            bits=bits,
        ),
        tokenizer=Guarded(tokenizer, name),
        notes=tuple(notes),
        group=group,
    )


def load_encoder(
    model: str | Path | None = None, revision: str | None = None, trust_remote_code: bool = False
) -> Encoder:
    """Load only the tokenizer of a model that is on this machine; no weights, no network.

    Raises:
        InputError: if the model is not here, or its tokenizer cannot be used.
    """
    folder = _find(model, revision, local_only=True)
    config = read_config(folder)
    files = {n: p for n, p in model_files(folder).items() if not n.endswith(WEIGHTS)}
    if trust_remote_code:
        check_code_is_here(folder, files)
    with staged(files, fingerprint(files).sha256, trust_remote_code) as place:
        try:
            with panics_caught():
                tokenizer = _load_tokenizer(place, trust_remote_code)
        except Exception as error:
            raise _unloadable(folder, place, files, error) from error
    return _encoder(tokenizer, config, Tables(), str(model or MODEL.name))


def _find(
    model: str | Path | None,
    revision: str | None,
    local_only: bool = False,
    progress: Progress | None = None,
    download: bool = True,
) -> Path:
    if model is not None:
        return find_model(str(model), local_only, revision, progress, download)
    if revision is not None:
        raise InputError("--revision is of a Hub repository", hint="name one with --model")
    return MODEL


def _checked(folder: Path, trust_remote_code: bool) -> Files:
    """Return a model's files, once they look like those of one that can be loaded."""
    config = read_config(folder)
    code = config.get("model_file")
    if code and not trust_remote_code:
        raise InputError(
            f"the model in {folder} brings code of its own ({code}), "
            "which is run only with --trust-remote-code",
            hint="give that if you trust it, or name another model",
        )
    if not code and not reads_family(config["model_type"]):
        raise InputError(
            f"MLX-LM has no model of type {config['model_type']}, which {folder} is",
            hint="bring mlx-lm up to date, or name another model",
        )
    files = model_files(folder)
    if code and (code not in files or not code.endswith(CODE)):
        raise InputError(
            f"the code of the model in {folder} ({code}) is no Python file in that folder",
            hint="copy it there, and name it in config.json by its name alone",
        )
    if trust_remote_code:
        check_code_is_here(folder, files)
    check_weights(folder, files)
    return files


def _load(
    folder: Path,
    files: Files,
    sha256: str,
    trust_remote_code: bool,
    adapter: Path | None,
    group: "TensorParallelGroup | None",
    bits: int | None,
) -> tuple[nn.Module, Any, dict[str, Any]]:
    with staged(files, sha256, trust_remote_code) as place:
        try:
            with panics_caught():
                if group is not None:
                    from mlxjsd.model.tensor_parallel import load_part

                    module, config = load_part(place, trust_remote_code, group)
                else:
                    module, config = load_module(place, trust_remote_code)
                tokenizer = _load_tokenizer(place, trust_remote_code, config)
            if bits is not None:
                config = requantize(module, config, bits)
            if adapter is not None:
                _adapt(module, adapter)
        except (InputError, GroupBroken):
            raise
        except Exception as error:
            # MLX-LM and the tokenizer libraries raise whatever the file at fault leads to.
            raise _unloadable(folder, place, files, error) from error
    return module, tokenizer, config


def _load_tokenizer(
    place: Path, trust_remote_code: bool, config: dict[str, Any] | None = None
) -> Any:
    never_ask()
    ends = (config or {}).get("eos_token_id")
    return mlx_lm_utils().load_tokenizer(
        place, {"trust_remote_code": trust_remote_code}, eos_token_ids=ends
    )


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


def _unloadable(folder: Path, place: Path, files: Files, error: Exception) -> InputError:
    said = " ".join(str(error).split()).replace(str(place), str(folder))
    if isinstance(error, ValueError) and "trust_remote_code" in said:
        code = code_of_tokenizer(files) or "by its auto_map"
        return InputError(
            f"the tokenizer of the model in {folder} brings code of its own ({code}, in "
            "tokenizer_config.json), which is run only with --trust-remote-code",
            hint="give that if you trust it, or name another model",
        )
    return InputError(
        f"the model in {folder} cannot be loaded: {said[:300] or type(error).__name__}",
        hint="see whether `mlx_lm.generate --model` can load it, and copy it again if not",
    )


def _encoder(tokenizer: Any, config: dict[str, Any], tables: Tables, name: str) -> Encoder:
    """Return what encodes prompts, none of which reaches beyond the model's tables.

    Args:
        tokenizer: MLX-LM's wrapper; only the one of transformers knows character offsets.
        config: of the model.
        tables: as they were found in it; without weights its configuration is believed.
        name: of the model.
    """
    said = tables_in(config)
    most = min(tables.positions or MAX_TOKENS, said.positions or MAX_TOKENS, MAX_TOKENS)
    return Encoder(Guarded(tokenizer._tokenizer, name), most, tables.tokens or said.tokens)


def reads_family(family: str) -> bool:
    """Say whether MLX-LM has a model of this type."""
    module = mlx_lm_utils().MODEL_REMAPPING.get(family, family)
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
