"""The recipe that made the bundled model: ``python -m mlxjsd.assets.recipe``."""

import mlxjsd.model.blas  # noqa: F401  (a fast BLAS has to be loaded before MLX)
