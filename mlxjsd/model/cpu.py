"""How MLX computes well on a CPU: which BLAS, which type and which layout of the weights.

On a CPU MLX multiplies 16-bit and quantized weights in loops of its own, five to forty times
slower than the BLAS multiplies float32. So weights are float32 there: all of them, once, where
they fit, or otherwise one piece at a time, as it is used. Nothing of this touches a GPU.
"""

import os
import sys
from typing import Any

import mlx.core as mx
import mlx.nn as nn
from mlx.nn.layers.distributed import (
    AllToShardedLinear,
    QuantizedAllToShardedLinear,
    QuantizedShardedToAllLinear,
    ShardedToAllLinear,
)
from mlx.utils import tree_flatten, tree_unflatten

from mlxjsd.model.compiler import can_fuse

#: Share of the machine's memory that unpacked weights may take.
SHARE = 0.4
#: Elements of a weight matrix that are widened at one time; MLX runs ahead by some forty of them.
PIECE = 2_000_000


def on_gpu() -> bool:
    """Say whether MLX computes on a GPU."""
    return mx.default_device() == mx.Device(mx.gpu)


def prepare_cpu(module: nn.Module, openblas: bool) -> list[str]:
    """Store the weights of a model as the CPU takes them best.

    Args:
        module: a model that was just loaded, still lazy. The values of its weights stay.
        openblas: whether OpenBLAS serves MLX.

    Returns:
        How it runs on this machine, in sentences; none on a GPU.
    """
    if on_gpu():
        return []
    notes = []
    linux = sys.platform == "linux"
    if linux:
        blas = "OpenBLAS" if openblas else "MLX's own BLAS; `apt install libopenblas0` is faster"
        notes.append(f"runs on the CPU with {blas}")
        if not can_fuse():
            notes.append("no g++ here, so kernels are not fused")
    if note := _widen(module):
        notes.append(note)
    if linux and not openblas:
        _lay_out_for_reference_blas(module)
    return notes


def _widen(module: nn.Module) -> str | None:
    """Make every product one of float32; return how, or None if each was one already.

    The weights' values stay the same: scales and biases are widened before they are used, so
    nothing is rounded.
    """
    from mlx_lm.utils import dequantize_model, get_total_parameters

    types = {value.dtype for _, value in tree_flatten(module.parameters())}
    quantized = mx.uint32 in types
    if not quantized and not types & {mx.float16, mx.bfloat16}:
        return None
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if 4 * get_total_parameters(module) > SHARE * memory:
        widen_as_used(module)
        return "weights do not fit in memory as float32, so they are widened as they are used"
    module.set_dtype(mx.float32)
    _unpack_sharded(module)
    dequantize_model(module)
    module.set_dtype(mx.float32)
    packed = "quantized weights were unpacked" if quantized else "16-bit weights were widened"
    return f"{packed} to float32, with the same values"


def widen_as_used(module: nn.Module) -> None:
    """Have linear layers multiply in float32, by a piece of their weights at a time.

    What they take and give stays as it was, 16 bits wide. Layers of other kinds, those of
    experts or of a model over several ranks, stay as they are.
    """
    for layer in module.modules():
        if (wide := _WIDE.get(type(layer))) is not None:
            layer.__class__ = wide


class _WideLinear(nn.Linear):
    def __call__(self, x: mx.array) -> mx.array:
        return _product(x, self)


class _WideQuantizedLinear(nn.QuantizedLinear):
    def __call__(self, x: mx.array) -> mx.array:
        return _product(x, self)


class _WideEmbedding(nn.Embedding):
    def as_linear(self, x: mx.array) -> mx.array:
        return _product(x, self)


class _WideQuantizedEmbedding(nn.QuantizedEmbedding):
    def as_linear(self, x: mx.array) -> mx.array:
        return _product(x, self)


_WIDE: dict[type, type] = {
    nn.Linear: _WideLinear,
    nn.QuantizedLinear: _WideQuantizedLinear,
    nn.Embedding: _WideEmbedding,
    nn.QuantizedEmbedding: _WideQuantizedEmbedding,
}


def _product(x: mx.array, layer: Any) -> mx.array:
    """Multiply ``x`` (..., in) by the layer's weight: (..., out) in the type of ``x``."""
    out, wide = layer.weight.shape[0], x.astype(mx.float32)
    step = max(1, PIECE // x.shape[-1])
    pieces = [wide @ _rows(layer, slice(at, at + step)).T for at in range(0, out, step)]
    y = pieces[0] if len(pieces) == 1 else mx.concatenate(pieces, axis=-1)
    if "bias" in layer:
        y = y + layer.bias
    return y.astype(x.dtype)


def _rows(layer: Any, rows: slice) -> mx.array:
    """Return some rows of a layer's weight in float32."""
    weight = layer.weight[rows]
    if "scales" not in layer:
        return weight.astype(mx.float32)
    scales, biases = layer.scales[rows], layer.get("biases")
    if biases is not None:  # of the other modes, scales are codes
        scales, biases = scales.astype(mx.float32), biases[rows].astype(mx.float32)
    unpacked = mx.dequantize(weight, scales, biases, layer.group_size, layer.bits, layer.mode)
    return unpacked.astype(mx.float32)


#: What each quantized part of a linear layer is once it is unpacked.
_UNPACKED = {
    QuantizedAllToShardedLinear: AllToShardedLinear,
    QuantizedShardedToAllLinear: ShardedToAllLinear,
}


def _unpack_sharded(module: nn.Module) -> None:
    """Unpack the quantized parts of layers that are split over ranks, which MLX-LM leaves."""
    unpacked = []
    for name, layer in module.named_modules():
        plain = _UNPACKED.get(type(layer))
        if plain is None:
            continue
        weight, size = _rows(layer, slice(None)), layer.group.size()
        rows, columns = weight.shape
        dims = (columns, rows * size) if plain is AllToShardedLinear else (columns * size, rows)
        made = plain(*dims, bias="bias" in layer, group=layer.group)
        made.weight = weight
        if "bias" in layer:
            made.bias = layer.bias
        unpacked.append((name, made))
    if unpacked:
        module.update_modules(tree_unflatten(unpacked))


def _lay_out_for_reference_blas(module: nn.Module) -> None:
    """Store each weight matrix by columns; shapes and values stay what they are.

    A layer multiplies by the transpose of its weight. The reference BLAS takes a matrix that
    has to be transposed in sums that are not vectorised, and one that lies as it is needed
    over twice as fast. It gets only copies of weights that are widened as they are used.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Embedding) and layer.weight.dtype == mx.float32:
            by_columns = mx.contiguous(layer.weight.T)
            mx.eval(by_columns)  # one matrix at a time, so that only one is held twice
            layer.weight = by_columns.T
