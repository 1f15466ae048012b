"""Shared fixtures; no test reads the developer's own configuration, cache or network."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("MPLBACKEND", "agg")
os.environ["COLUMNS"] = "100"
# The tests run side by side, so that each computes on one core.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"):
    os.environ.pop(name, None)

import pytest  # noqa: E402

from mlxjsd.assets import MODEL  # noqa: E402
from mlxjsd.model.load import load_model  # noqa: E402
from mlxjsd.model.loaded import LoadedModel  # noqa: E402


@pytest.fixture(autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path_factory.mktemp("home")
    for name in ("HOME", "HF_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(home))


@pytest.fixture(scope="session")
def bundled() -> LoadedModel:
    """The bundled model, loaded once."""
    assert MODEL.is_dir()
    return load_model()
