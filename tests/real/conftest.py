"""A real model, from the package index: fetched once into the user's own cache.

Where the index cannot be reached, its tests fail in CI, and are skipped elsewhere.
"""

import os
from pathlib import Path

import pytest
from platformdirs import user_cache_path

from mlxjsd.errors import InputError
from mlxjsd.model.load import load_model
from mlxjsd.model.loaded import LoadedModel
from mlxjsd.model.packaged import PACKAGED, packaged_folder

#: Asked for before the tests move to homes of their own.
CACHE = user_cache_path("mlxjsd", appauthor=False).parent


@pytest.fixture(scope="session")
def smollm2_folder() -> Path:
    """The folder of SmolLM2-135M-Instruct."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(CACHE))
        if (folder := user_cache_path("mlxjsd", appauthor=False)).parent != CACHE:
            pytest.skip(f"the cache is at {folder}, whatever XDG_CACHE_HOME says")
        try:
            return packaged_folder(PACKAGED["smollm2-135m"])
        except InputError as error:
            if os.environ.get("CI"):
                pytest.fail(str(error))
            pytest.skip(str(error))


@pytest.fixture(scope="session")
def smollm2(smollm2_folder: Path) -> LoadedModel:
    """SmolLM2-135M-Instruct, loaded once."""
    return load_model(smollm2_folder)
