"""Objects of the user's own code, named as `module:name`: Python's entry points call this an object reference.

`module:name@digest` is the object of the module whose source has this digest. So the config of a run says which code it
was trained with, and a run of other code has another name. References to installed packages have no digest: the
manifest records their versions."""

import functools
import hashlib
import importlib
import importlib.util
import inspect
import re
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator

from cifar.errors import UserError, nearest

_FORM = re.compile(r"(?P<module>[^\W\d]\w*(\.[^\W\d]\w*)*):(?P<name>[^\W\d]\w*)(@(?P<digest>[0-9a-f]{16}))?")


def _with_colon(reference: str) -> str:
    """`torch.optim.RMSprop` as `torch.optim:RMSprop`, so that one object has one name."""
    if ":" not in reference:
        module, _, name = reference.rpartition(".")
        reference = f"{module}:{name}"
    if not _FORM.fullmatch(reference):
        raise ValueError(f"{reference.lstrip(':')!r} is not of the form module:name.")
    return reference


Reference = Annotated[str, AfterValidator(_with_colon)]


def is_reference(name: Any) -> bool:
    """Whether it names the user's own code."""
    return isinstance(name, str) and ":" in name


def pinned(reference: str) -> str:
    """The reference with the digest of the source as it is now, if that is not an installed package. Nothing is
    imported.

    Raises UserError if there is no such module, or if the reference has another digest."""
    module, name = _found(reference)
    source = _source(module)
    return f"{module}:{name}" if _is_installed(source) else f"{module}:{name}@{_digest(source)}"


def unpinned(reference: str) -> str:
    """The reference without its digest."""
    return reference.partition("@")[0]


def label(reference: str) -> str:
    """`my_net.build`, for names of folders."""
    return unpinned(reference).replace(":", ".")


def load(reference: str) -> Any:
    """The object. Raises UserError if it cannot be imported, or if its source is no longer what the reference says."""
    module, name = _found(reference)
    try:
        imported = importlib.import_module(module)
    except Exception as error:  # of the user's code
        raise UserError(
            f"{module}:{name}: {_source(module)} cannot be imported: {type(error).__name__}: {error}"
        ) from error
    if not hasattr(imported, name):
        raise UserError(f"{module}:{name}: {_source(module)} has no {name!r}.{nearest(name, vars(imported))}")
    return getattr(imported, name)


def called(function: Any, name: str, /, *positional: Any, **arguments: Any) -> Any:
    """What the user's function or class `name` returns. Raises UserError if it cannot be called with these arguments,
    or fails."""
    if not callable(function):
        raise UserError(f"{name} is no function or class; its type is {type(function).__name__}.")
    try:
        inspect.signature(function).bind(*positional, **arguments)
    except TypeError as error:
        allowed = inspect.signature(function).parameters
        unknown = re.search("unexpected keyword argument '(.*)'", str(error))
        hint = nearest(unknown[1], allowed) if unknown else ""
        raise UserError(f"{name}: {error}.{hint} Its arguments: {', '.join(allowed)}.") from error
    except ValueError:  # something of C, which has no signature
        pass
    try:
        return function(*positional, **arguments)
    except Exception as error:  # of the user's code
        raise UserError(f"{name} {failure(error)}") from error


def classes_argument(reference: str) -> str:
    """`classes`; `num_classes` for a function or class that has that one, or passes unknown arguments on."""
    try:
        parameters = inspect.signature(load(reference)).parameters
    except (TypeError, ValueError):  # reported when it is called
        return "classes"
    passes_on = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    return "num_classes" if "classes" not in parameters and (passes_on or "num_classes" in parameters) else "classes"


def described(made: object) -> str:
    """`a Tensor`, `None`: what a function has returned."""
    return "None" if made is None else f"a {type(made).__name__}"


def failure(error: Exception) -> str:
    """`fails: ValueError: … (my_net.py, line 12)`: what the user's code raised, and where."""
    frames = traceback.extract_tb(error.__traceback__)
    place = ([frame for frame in frames if not _is_ours_or_installed(frame.filename)] or frames)[-1]
    return f"fails: {type(error).__name__}: {first_line(error)} ({Path(place.filename).name}, line {place.lineno})."


def first_line(error: Exception) -> str:
    """Of its message, without the full stop."""
    return next((line.strip().removesuffix(".") for line in str(error).splitlines() if line.strip()), "no message")


def sources(values: Any) -> dict[str, str]:
    """The source of every module that a config's values have pinned, by `module@digest`. Raises UserError if one has
    changed since."""
    found = {}
    for reference in _pinned_in(values):
        module, _ = _found(reference)
        found[f"{module}@{reference.partition('@')[2]}"] = _source(module).read_text(encoding="utf-8")
    return found


def versions(values: Any) -> dict[str, str]:
    """The versions of the installed packages that a config's values refer to."""
    modules = {text.partition(":")[0].partition(".")[0] for text in _texts(values) if _FORM.fullmatch(text)}
    return {
        distribution: version(distribution)
        for module in sorted(modules)
        if _is_installed(_source(module))
        for distribution in packages_distributions().get(module, ())
    }


def _pinned_in(values: Any) -> Iterator[str]:
    return (text for text in _texts(values) if (match := _FORM.fullmatch(text)) and match["digest"])


def _texts(values: Any) -> Iterator[str]:
    """Every string of nested mappings and lists, keys included."""
    match values:
        case str():
            yield values
        case dict():
            for key, value in values.items():
                yield from _texts(key)
                yield from _texts(value)
        case list():
            for value in values:
                yield from _texts(value)


def _found(reference: str) -> tuple[str, str]:
    """Module and name, once the module is there with the digest that the reference has."""
    if not (match := _FORM.fullmatch(reference)):
        raise UserError(f"{reference!r} is not of the form module:name.")
    module, name, digest = match["module"], match["name"], match["digest"] or ""
    source = _source(module)
    if digest and digest != _digest(source):
        raise UserError(
            f"{reference}: {source} has changed since: its digest is {_digest(source)}. Restore it, or start a run of "
            f"the new code with {module}:{name}."
        )
    return module, name


def _source(module: str) -> Path:
    """The file that a module is in: in the current folder or among what Python has installed."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # at the end: nothing that is installed may get hidden by it
    importlib.invalidate_caches()
    spec = _spec(module)
    if spec is None:
        raise UserError(f"there is no module {module!r} in the current folder, {here}, nor installed.")
    if not spec.origin or not Path(spec.origin).is_file():
        raise UserError(f"{module}: this module has no source file.")
    return Path(spec.origin)


def _spec(module: str) -> ModuleSpec | None:
    """Found without an import of the packages that it is in: `torch.optim` may be looked for in a process of Keras."""
    package, *below = module.split(".")
    try:
        spec = importlib.util.find_spec(package)
    except ValueError:  # __main__
        return None
    for part in below:
        if spec is None or spec.submodule_search_locations is None:
            return None
        package = f"{package}.{part}"
        spec = PathFinder.find_spec(package, spec.submodule_search_locations)
    return spec


def _is_installed(source: Path) -> bool:
    """Whether a package manager put the file where it is, or it is Python's own."""
    return source.resolve().is_relative_to(_python()) or any(
        part in ("site-packages", "dist-packages") for part in source.parts
    )


def _is_ours_or_installed(file: str) -> bool:
    return Path(file).is_relative_to(Path(__file__).parent) or _is_installed(Path(file))


@functools.cache
def _python() -> Path:
    return Path(sysconfig.get_paths()["stdlib"]).resolve()


def _digest(source: Path) -> str:
    return hashlib.sha256(source.read_bytes()).hexdigest()[:16]
