import pytest

from mlxjsd.run.job import Job


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """The jobs that commands ask for; nothing is measured and no app opened."""
    jobs: list[Job] = []
    monkeypatch.setattr("mlxjsd.cli.run.measure", lambda job, **_: jobs.append(job))
    monkeypatch.setattr("mlxjsd.tui.launch.launch", lambda job, *_: jobs.append(job))
    return jobs
