"""Shared fixtures; no test reads the developer's own configuration, cache or network."""

import os
from collections.abc import Iterator

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("MPLBACKEND", "agg")
os.environ["COLUMNS"] = "100"
# The tests run side by side, so that each computes on one core.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"):
    os.environ.pop(name, None)
for name in [name for name in os.environ if name.startswith("MLXJSD_")]:
    if name != "MLXJSD_OPENBLAS":  # which is not about what is asked for
        del os.environ[name]

import pytest  # noqa: E402

from mlxjsd.assets import MODEL  # noqa: E402
from mlxjsd.model.load import load_model  # noqa: E402
from mlxjsd.model.loaded import LoadedModel  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def _home_of_shared_fixtures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    # What is made once for many tests is made before any test has a home of its own.
    with pytest.MonkeyPatch.context() as patch:
        _move_home(tmp_path_factory, patch)
        yield


@pytest.fixture(autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    _move_home(tmp_path_factory, monkeypatch)


def _move_home(tmp_path_factory: pytest.TempPathFactory, patch: pytest.MonkeyPatch) -> None:
    home = tmp_path_factory.mktemp("home")
    for name in ("HOME", "HF_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        patch.setenv(name, str(home))


@pytest.fixture(scope="session")
def bundled() -> LoadedModel:
    """The bundled model, loaded once."""
    assert MODEL.is_dir()
    return load_model()
