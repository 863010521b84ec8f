"""What models and optimizers of the user's own have in common: an object for each framework, and its arguments."""

from typing import Annotated, Any, ClassVar, Literal, Self

from cifar import references
from cifar.errors import UserError, explained
from cifar.references import Reference
from cifar.schema import Choice, Neutral

Framework = Literal["torch", "keras"]

_FRAMEWORKS: dict[str, Framework] = {"lightning": "torch", "keras": "keras"}  # of each backend
_NAMES = {"torch": "PyTorch", "keras": "Keras"}


class OwnCode(Choice):
    """A function or class of the user's for each framework, as `module:name`; one of them may be missing."""

    group: ClassVar[str]  # of the config

    name: Literal["custom"]
    torch: Annotated[Reference | None, Neutral(None)] = None
    """`module:name` of the function or class for PyTorch."""
    keras: Annotated[Reference | None, Neutral(None)] = None
    """`module:name` of the function or class for Keras."""
    arguments: Annotated[dict[str, Any], Neutral({})] = {}
    """Keyword arguments that it is called with."""

    @property
    def label(self) -> str:
        """`my_net.build`: the same in both frameworks."""
        given = self.torch or self.keras
        return references.label(given) if given else self.name

    def lacks(self, backend: str) -> str | None:
        framework = _FRAMEWORKS[backend]
        if getattr(self, framework) is not None:
            return None
        others = [name for name, other in _FRAMEWORKS.items() if getattr(self, other) is not None]
        return (
            f"{self.group}.{framework}=null: it has no code for {_NAMES[framework]}; set "
            f"{self.group}.{framework}=module:name{''.join(f', or use backend={name}' for name in others)}."
        )

    def pinned(self) -> Self:
        found: dict[str, str] = {}
        for framework in _FRAMEWORKS.values():
            if (reference := getattr(self, framework)) is not None:
                with explained(f"{self.group}.{framework}"):
                    found[framework] = references.pinned(reference)
        return self.model_copy(update=found)

    def used_by(self, backend: str) -> Self:
        return self.model_copy(update={f: None for b, f in _FRAMEWORKS.items() if b != backend})

    def reference(self, framework: Framework) -> str:
        """`module:name`."""
        found = getattr(self, framework)
        assert found is not None, "the config is refused otherwise"
        return str(found)

    def called(self, framework: Framework, *positional: Any, **more: Any) -> Any:
        """What the user's function or class returns for its arguments and these. Raises UserError."""
        if taken := sorted(self.arguments.keys() & more.keys()):
            raise UserError(f"{self.group}.arguments.{taken[0]}: the program sets this argument; leave it out.")
        with explained(f"{self.group}.{framework}"):
            reference = self.reference(framework)
            made = references.load(reference)
            return references.called(made, references.unpinned(reference), *positional, **self.arguments, **more)
