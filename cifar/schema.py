"""What the config's sections are made of: types, and what an option means for the identity of a run."""

import importlib
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic.fields import FieldInfo

IMAGE_SIZE = 32  # pixels a side, of every data set here
Fraction = Annotated[float, Field(ge=0, le=1)]
BelowOne = Annotated[float, Field(ge=0, lt=1)]
InsideOne = Annotated[float, Field(gt=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


@dataclass(frozen=True)
class Neutral:
    """Marks a field: with `value`, or one of `others`, the result is what it is without the field.

    The identity of a run leaves the field out then, and a folder that is older than the field means `value`. Every
    field that joins an existing section needs this mark, with what the program did before: without it, every finished
    run gets another name."""

    value: Any
    others: tuple[Any, ...] = ()

    def covers(self, value: Any) -> bool:
        """Whether the field is off (0 is not False)."""
        return any(type(value) is type(off) and value == off for off in (self.value, *self.others))


@dataclass(frozen=True)
class Aside:
    """Marks a field that the identity of a run leaves out, whatever its value."""

    choice: bool  # whether runs that differ in it count as different in a comparison


HOUSEKEEPING = Aside(choice=False)  # where a run is kept, who watches it, how fast it is fed
TESTING = Aside(choice=True)  # how a trained network is tested: no reason to train it again
LABEL = Aside(choice=True)  # what something is called; what it is, other fields say


class Section(BaseModel):
    """A part of the config: frozen, no unknown keys, no silent conversions, no NaN."""

    # The string below a field is its meaning: `cifar help`, the JSON schemas and the reference show it.
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    @field_validator("*")
    @classmethod
    def _one_zero(cls, value: Any) -> Any:
        return _without_negative_zeros(value)


class Choice(Section):
    """A section that is chosen by its name. In its folder, `torch.py` and `keras.py` beside the schema implement it in
    each framework."""

    name: str
    backends: ClassVar[tuple[str, ...]] = ("lightning", "keras")

    @property
    def label(self) -> str:
        """What folders and tables call it."""
        return self.name

    def lacks(self, backend: str) -> str | None:
        """Why it cannot be used with a backend that `backends` names, in a sentence; None if it can."""
        return None

    def pinned(self) -> Self:
        """With the digests of the user's own code, which is part of a run's identity. Raises UserError."""
        return self

    def used_by(self, backend: str) -> Self:
        """Without what only other backends use."""
        return self

    def module(self, framework: Literal["torch", "keras"]) -> ModuleType:
        """What it is in a framework, which is imported now."""
        return importlib.import_module(f"{type(self).__module__}.{framework}")


def identity(section: Section) -> dict[str, Any]:
    """What can change a run's result, and nothing else: equal for two configs whose results are the same."""
    found: dict[str, Any] = {}
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        neutral = mark(field, Neutral)
        if mark(field, Aside) or (neutral and neutral.covers(value)):
            continue
        found[name] = identity(value) if isinstance(value, Section) else value
        if found[name] == {} and neutral is None:
            del found[name]  # a section whose options are all off, which may be younger than other runs
    return found


Mark = typing.TypeVar("Mark", Neutral, Aside)


def mark(field: FieldInfo, kind: type[Mark]) -> Mark | None:
    """The mark of that kind that a field has; None if it has none."""
    return next((found for found in field.metadata if isinstance(found, kind)), None)


def _without_negative_zeros(value: Any) -> Any:
    """-0.0 and 0.0 are equal, but are not written alike."""
    match value:
        case float():
            return value + 0.0
        case list():
            return [_without_negative_zeros(part) for part in value]
        case dict():
            return {key: _without_negative_zeros(part) for key, part in value.items()}
    return value


def keys_of(values: Any, section: type[BaseModel], prefix: str = "") -> dict[str, bool]:
    """The keys that a config with these choices can have, by dotted name, and whether this one has them."""
    found: dict[str, bool] = {}
    given = values if isinstance(values, dict) else {}
    for name, field in section.model_fields.items():
        found[prefix + name] = name in given
        below = given.get(name)
        parts = sections(field.annotation)
        if len(parts) > 1:
            tag = below.get("name") if isinstance(below, dict) else None
            parts = [part for part in parts if tag in names(part)]
        for part in parts:
            found |= keys_of(below, part, f"{prefix}{name}.")
    return found


def names(section: type[BaseModel]) -> tuple[str, ...]:
    """The names by which a choice is made: `resnet18`, `resnet50`, …; none for what is no choice."""
    return typing.get_args(section.model_fields["name"].annotation) if "name" in section.model_fields else ()


def flat(section: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values of nested mappings, by dotted keys."""
    for key, value in section.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def fields(section: type[BaseModel], prefix: str = "") -> dict[str, FieldInfo]:
    """The fields of a section and of those in it, by dotted keys."""
    found: dict[str, FieldInfo] = {}
    for name, field in section.model_fields.items():
        found[prefix + name] = field
        for part in sections(field.annotation):
            found |= fields(part, f"{prefix}{name}.")
    return found


def sections(annotation: Any) -> list[type[BaseModel]]:
    """The sections that may stand where an annotation allows it: several, if there is a choice."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [s for a in typing.get_args(annotation) for s in sections(a)]


def is_text(annotation: Any) -> bool:
    """Whether it is a string, or that and null."""
    if typing.get_origin(annotation) is Annotated:
        return is_text(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return all(is_text(part) for part in typing.get_args(annotation) if part is not types.NoneType)
    return annotation is str
