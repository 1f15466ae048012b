"""MLX's limits are put back when a run ends, on Metal too."""

import mlx.core as mx
import pytest

from mlxjsd.run.limits import limits


def test_on_metal_what_is_recommended_is_wired_and_put_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_to: list[tuple[str, int]] = []

    def setting(name: str, before: int) -> None:
        monkeypatch.setattr(mx, name, lambda value: set_to.append((name, value)) or before)

    setting("set_wired_limit", 11)
    setting("set_memory_limit", 22)
    setting("set_cache_limit", 33)
    monkeypatch.setattr(mx.metal, "is_available", lambda: True)
    monkeypatch.setattr(mx, "device_info", lambda: {"max_recommended_working_set_size": 9000})

    def fail() -> None:
        with limits(500):
            assert dict(set_to) == {
                "set_cache_limit": 500, "set_wired_limit": 9000, "set_memory_limit": 9000,
            }  # fmt: skip
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert dict(set_to[3:]) == {
        "set_cache_limit": 33, "set_wired_limit": 11, "set_memory_limit": 22,
    }  # fmt: skip


def test_elsewhere_only_the_cache_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mx.metal, "is_available", lambda: False)
    monkeypatch.setattr(mx, "set_wired_limit", lambda _: pytest.fail("there is no Metal"))
    before = mx.set_cache_limit(123_456_789)
    with limits(1000):
        assert mx.set_cache_limit(1000) == 1000
    assert mx.set_cache_limit(before) == 123_456_789
