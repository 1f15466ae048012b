"""Both of ijson's parsers: the one in C, which is used where it is there, and the one in Python."""

import ijson
import pytest


@pytest.fixture(params=["yajl2_c", "python"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of the parser that reads lists in this test."""
    try:
        backend = ijson.get_backend(request.param)
    except ImportError:
        pytest.skip(f"ijson has no {request.param} here")
    monkeypatch.setattr(ijson, "basic_parse", backend.basic_parse)
    return request.param
