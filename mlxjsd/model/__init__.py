"""Loading a model and stepping between its blocks."""

from mlxjsd.model import blas as _blas  # noqa: F401  (a fast BLAS has to be loaded before MLX)
