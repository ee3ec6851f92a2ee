"""One way to configure: defaults <- YAML <- ``a.b=value`` words, checked once, then frozen."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Self, TypeVar, Union, get_args, get_origin

import msgspec
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    ValidationError,
    model_validator,
)
from yaml import MarkedYAMLError, YAMLError

from olmeda.base.errors import ConfigError, nearest
from olmeda.base.files import digest_value, is_file_name


class _Marker:
    """Marks a path field as an input, so that lineage digests what it points to."""


def _to_path(value: Any) -> Any:
    return Path(value).expanduser() if isinstance(value, str) else value


ArtifactPath = Annotated[Path, BeforeValidator(_to_path), _Marker()]
"""A field of this type names another artifact: it enters digests by content, not by place."""


def _checked_file_name(name: str) -> str:
    if not is_file_name(name):
        raise ValueError(f"{name!r} cannot name files; use letters, digits, - and _")
    return name


FileName = Annotated[str, AfterValidator(_checked_file_name)]
"""A word that becomes part of the names of files: no path, and not hidden."""


class _Immaterial:
    """Marks a field that changes how fast the work is done, and nothing of the result."""


IMMATERIAL = _Immaterial()
"""``Annotated[T, IMMATERIAL]``: in lineage, but not in the digest that decides a skip."""

Threads = Annotated[int, Field(ge=1), _Immaterial()]
"""A number of threads: it enters lineage, but not the digest that decides whether to skip."""


class Config(BaseModel, frozen=True, extra="forbid"):
    """The settings of one verb or one component; frozen, strict about keys, digestible."""

    def inputs(self) -> dict[str, Path]:
        """Every artifact path in this configuration, keyed by its dotted place."""
        return dict(_artifact_paths(self, ""))

    def settings(self) -> dict[str, Any]:
        """The configuration as plain JSON values, paths as given."""
        return self.model_dump(mode="json")

    def digest(self, inputs: Mapping[str, str]) -> str:
        """The digest of what bears on the result."""
        return digest_value(self.bearing(inputs))

    def bearing(self, inputs: Mapping[str, str]) -> dict[str, Any]:
        """What bears on the result: settings, and in place of artifact paths what they hold."""
        values = self.settings()
        for place, content in inputs.items():
            _put(values, place, content)
        _drop_immaterial(self, values)
        return values

    @classmethod
    def load(cls, file: Path | None = None, words: Sequence[str] = ()) -> Self:
        """Merge a YAML file and dotted ``key=value`` words over the defaults, and check."""
        merged = merge_words(read_yaml(file) if file else {}, words)
        return validated(cls, merged, str(file) if file else "")


class Pool(Config, frozen=True):
    """Who does the work: ``count`` processes of this machine, or of a Ray cluster.

    ``address`` is where a running cluster is found (``auto``, ``ray://host:10001``); without one
    Ray is started on this machine for the time of the command.
    """

    kind: Literal["processes", "ray"] = "processes"
    count: int = Field(default=1, ge=1)
    address: str = ""

    @model_validator(mode="after")
    def _has_an_address_for_ray_alone(self) -> Self:
        if self.address and self.kind != "ray":
            raise ValueError("address goes with kind: ray")
        return self


def _to_pool(value: Any) -> Any:
    return {"count": value} if isinstance(value, int) and not isinstance(value, bool) else value


Workers = Annotated[Pool, BeforeValidator(_to_pool), _Immaterial()]
"""``4`` or ``{kind: ray, count: 4}``: in lineage, but not in the digest that decides a skip."""
ONE = Pool()
"""This process alone."""


C = TypeVar("C", bound=BaseModel)


def _drop_immaterial(config: BaseModel, values: dict[str, Any]) -> None:
    """Take out of ``values`` what is marked in ``config`` or in the configurations inside it."""
    for name, field in type(config).model_fields.items():
        if any(isinstance(m, _Immaterial) for m in field.metadata):
            del values[name]
        elif isinstance(inner := getattr(config, name), Config):
            _drop_immaterial(inner, values[name])


def _artifact_paths(value: Any, place: str) -> Iterator[tuple[str, Path]]:
    if isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            inner, here = getattr(value, name), f"{place}.{name}".lstrip(".")
            if _is_marked(field.annotation, field.metadata):
                yield from _leaves(inner, here)
            else:
                yield from _artifact_paths(inner, here)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _artifact_paths(inner, f"{place}.{key}")
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield from _artifact_paths(inner, f"{place}.{index}")


def _is_marked(annotation: Any, metadata: Sequence[Any]) -> bool:
    if any(isinstance(m, _Marker) for m in metadata):
        return True
    return any(
        isinstance(arg, _Marker) or _is_marked(arg, getattr(arg, "__metadata__", ()))
        for arg in get_args(annotation)
    )


def _leaves(value: Any, place: str) -> Iterator[tuple[str, Path]]:
    if isinstance(value, Path):
        yield place, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{place}.{key}")
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{place}.{index}")


def _put(values: Any, place: str, content: Any) -> None:
    """Set what ``place`` names; a key of a mapping may hold dots itself (``sets.v1.5``)."""
    if isinstance(values, list):
        key, _, rest = place.partition(".")
        at: Any = int(key)
    else:
        at = max((k for k in values if f"{place}.".startswith(f"{k}.")), key=len)
        rest = place[len(at) + 1 :]
    if rest:
        _put(values[at], rest, content)
    else:
        values[at] = content


def read_yaml(file: Path) -> dict[str, Any]:
    """Read a YAML mapping, interpolations kept as text. Raises ConfigError naming file and line."""
    try:
        plain = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
    except FileNotFoundError:
        raise ConfigError(f"{file}: no such file") from None
    except IsADirectoryError:
        raise ConfigError(f"{file}: is a folder; name a YAML file") from None
    except UnicodeDecodeError as problem:
        line = problem.object[: problem.start].count(b"\n") + 1
        raise ConfigError(f"{file}:{line}: not valid UTF-8; save it as UTF-8") from None
    except OSError as problem:
        raise ConfigError(f"{file}: {problem.strerror or problem}") from None
    except YAMLError as problem:
        raise ConfigError(f"{file}{_yaml_fault(problem)}") from None
    except OmegaConfBaseException as problem:
        raise ConfigError(f"{file}: {first_line(problem)}") from None
    if not isinstance(plain, dict):
        raise ConfigError(f"{file}: expected keys and values at the top, found a list")
    return {str(k): v for k, v in plain.items()}


def _yaml_fault(problem: YAMLError) -> str:
    """``:line: what is wrong`` as far as the parser tells."""
    if isinstance(problem, MarkedYAMLError) and problem.problem_mark is not None:
        return f":{problem.problem_mark.line + 1}: not valid YAML: {problem.problem}"
    return f": not valid YAML: {first_line(problem)}"


def first_line(problem: Exception) -> str:
    """The first line of another library's message: the rest is about its insides."""
    return str(problem).partition("\n")[0]


def merge_words(values: Mapping[str, Any], words: Sequence[str]) -> dict[str, Any]:
    """Put ``a.b=value`` words (value in YAML) over nested ``values``.

    A mapping is laid over a mapping key by key; anything else is replaced. In a list, a key is a
    place from 0: ``sources.0.path=notes``.
    """
    merged = dict(values)
    for word in words:
        place, sign, _ = word.partition("=")
        if not sign or not all(place.split(".")):
            raise ConfigError(f"{word!r} is no setting; write key=value, for example seed=7")
        merged = _put_over(merged, place.split("."), _word_value(word), word)
    return merged


def _word_value(word: str) -> Any:
    try:
        held = OmegaConf.from_dotlist([f"value={word.partition('=')[2]}"])
        return OmegaConf.to_container(held, resolve=False)["value"]
    except (YAMLError, OmegaConfBaseException):
        raise ConfigError(
            f"{word!r}: the value is not valid YAML; write for example rate=0.1, "
            "'names=[a, b]' or 'source={name: notes}'"
        ) from None


def _put_over(held: Any, keys: Sequence[str], value: Any, word: str) -> Any:
    """``held`` with ``value`` at the place that ``keys`` name; ``held`` itself is left alone."""
    if not keys:
        if not (isinstance(held, Mapping) and isinstance(value, Mapping)):
            return value
        return {**held, **{k: _put_over(held.get(k), (), v, word) for k, v in value.items()}}
    key, rest = keys[0], keys[1:]
    if isinstance(held, list):
        if not key.isdigit() or int(key) >= len(held):
            raise ConfigError(f"{word!r}: {key!r} is no place in a list of {len(held)}, from 0")
        at = int(key)
        return [*held[:at], _put_over(held[at], rest, value, word), *held[at + 1 :]]
    if held is not None and not isinstance(held, Mapping):
        raise ConfigError(f"{word!r}: there is {held!r}, which has no {key!r}; override it whole")
    return {**(held or {}), key: _put_over((held or {}).get(key), rest, value, word)}


def validated(cls: type[C], values: Mapping[str, Any], where: str) -> C:
    """Check ``values`` against ``cls``; one ConfigError line per fault, nearest keys named."""
    try:
        return cls.model_validate(values)
    except ValidationError as problem:
        faults = [_fault(cls, e, where) for e in problem.errors()]
        raise ConfigError("\n".join(dict.fromkeys(faults))) from None
    except ConfigError as problem:  # an unknown plug-in, say
        raise ConfigError(f"{where}: {problem}" if where else str(problem)) from None


def _fault(cls: type[BaseModel], error: Any, where: str) -> str:
    place = ".".join(str(part) for part in error["loc"])
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        owner = _owner(cls, error["loc"][:-1])
        known = list(owner.model_fields) if owner else []
        near = nearest(str(error["loc"][-1]), known, 3)
        message = "no such key" + (
            f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        )
    elif error["type"] == "missing":
        message = "is required and was not given"
    elif error["type"] == "dict_type":
        message = f"expected keys and values, found {_short(error['input'])}"
    elif error["type"] not in ("value_error", "assertion_error"):
        message += f"; found {_short(error['input'])}"
    head = f"{where}: " if where else ""
    return f"{head}{place}: {message}" if place else f"{head}{message}"


def _short(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _owner(cls: type[BaseModel], loc: Sequence[Any]) -> type[BaseModel] | None:
    """The model that holds the key at ``loc``, as far as annotations tell."""
    for part in loc:
        field = cls.model_fields.get(part) if isinstance(part, str) else None
        found = list(_models(field.annotation)) if field else _models_named(cls, part)
        if not found:
            continue
        cls = found[0]
    return cls


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for arg in get_args(annotation):
        yield from _models(arg)


def _models_named(cls: type[BaseModel], part: Any) -> list[type[BaseModel]]:
    return [
        m for f in cls.model_fields.values() for m in _models(f.annotation) if m.__name__ == part
    ]


def show(values: Any) -> str:
    """Values as YAML, for ``--dry``."""
    return str(OmegaConf.to_yaml(OmegaConf.create(msgspec.to_builtins(values))))


def describe_keys(cls: type[BaseModel], indent: str = "") -> str:
    """What a configuration takes: its docstring, then a line a key with type and default."""
    lines = [f"{indent}{line}".rstrip() for line in (inspect.getdoc(cls) or "").splitlines()]
    for name, field in cls.model_fields.items():
        kind = _kind_name(field.annotation)
        default = "required" if field.is_required() else f"= {_plain(field.get_default())}"
        lines.append(f"{indent}  {name}: {kind}  {default}")
        for inner in dict.fromkeys(_models(field.annotation)):
            if inner is not Pool:
                lines.append(describe_keys(inner, indent + "      "))
    return "\n".join(lines)


def _kind_name(annotation: Any) -> str:
    """A type as a person writes it, without what checks and marks it."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kind_name(args[0])
    if origin is Literal:
        return " | ".join(map(repr, args))
    if origin in (Union, UnionType):
        return " | ".join(map(_kind_name, args))
    if origin is not None:
        return f"{origin.__name__}[{', '.join(map(_kind_name, args))}]"
    if annotation is NoneType:
        return "None"
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def _plain(value: Any) -> str:
    return repr(value.model_dump(mode="json") if isinstance(value, BaseModel) else value)
