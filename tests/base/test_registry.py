"""A plug-in is a typed function; its keyword-only parameters are its schema."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from olmeda.base.errors import ConfigError
from olmeda.base.registry import Registry

shape: Registry[Callable[..., tuple[float, str]]] = Registry("shape", "olmeda.base")


@shape("square", version=2)
def square(scale: float, *, side: int = 1, label: str) -> tuple[float, str]:
    """A square."""
    return scale * side, label


def test_bound_plugin_takes_converted_parameters() -> None:
    bound = shape.bind({"name": "square", "side": "3", "label": "a"})
    assert bound(2.0) == (6.0, "a")
    assert shape.get("square").version == 2


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"name": "squar"}, "no shape called 'squar'; did you mean 'square'"),
        ({"name": "square", "sides": 3}, "has no parameter 'sides'; it takes side, label"),
        ({"name": "square", "side": "x"}, "'square', side: .*integer"),
        ("square", "needs label"),
    ],
)
def test_wrong_spec_says_what_is_known(spec: str | dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        shape.bind(spec)
