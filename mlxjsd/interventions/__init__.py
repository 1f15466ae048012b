"""Interventions, and what they do to the next-token distribution."""

import mlxjsd.model.blas  # noqa: F401  (a fast BLAS has to be loaded before MLX)
