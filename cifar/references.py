"""Objects of the user's own code, named as `module:name`: Python's entry points call this an object reference.

`module:name@digest` is the object of the module whose source has this digest. So the config of a run says which code it
was trained with, and a run of other code has another name."""

import hashlib
import importlib
import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

from cifar.errors import UserError, nearest

_FORM = re.compile(r"(?P<module>[^\W\d]\w*(\.[^\W\d]\w*)*):(?P<name>[^\W\d]\w*)(@(?P<digest>[0-9a-f]{16}))?")


def is_reference(name: Any) -> bool:
    """Whether it names the user's own code."""
    return isinstance(name, str) and ":" in name


def pinned(reference: str) -> str:
    """The reference with the digest of the source as it is now. The module itself is not imported.

    Raises UserError if there is no such module, or if the reference has another digest."""
    module, name = _found(reference)
    return f"{module}:{name}@{_digest(_source(module))}"


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
    try:
        spec = importlib.util.find_spec(module)
    except Exception as error:  # of the packages that the module is in
        raise UserError(f"{module}: cannot be imported: {type(error).__name__}: {error}") from error
    if spec is None:
        raise UserError(f"there is no module {module!r} in the current folder, {here}, nor installed.")
    if not spec.origin or not Path(spec.origin).is_file():
        raise UserError(f"{module}: this module has no source file.")
    return Path(spec.origin)


def _digest(source: Path) -> str:
    return hashlib.sha256(source.read_bytes()).hexdigest()[:16]
