"""The recipe that made the bundled model: ``python -m mlxjsd.assets.recipe``."""
