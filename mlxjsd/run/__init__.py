"""A run: planned, measured batch by batch, resumed."""

import mlxjsd.model.blas  # noqa: F401  (a fast BLAS has to be loaded before MLX)
