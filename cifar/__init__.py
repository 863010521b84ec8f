"""Config-driven experiments on CIFAR: one config, trained, recorded completely, compared honestly.

import cifar

trained = cifar.load("runs/main/NAME")
classes, probabilities = trained.predict(images)  # uint8 [N, 32, 32, 3]"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cifar.compare import compare
    from cifar.errors import RunFailed, UserError
    from cifar.interactive import Run, run
    from cifar.loading import load
    from cifar.trained import Prediction, Trained

__version__ = "0.1.0"
__all__ = ["Prediction", "Run", "RunFailed", "Trained", "UserError", "__version__", "compare", "load", "run"]

# Imported when first used: `import cifar` is instant, and frameworks load only where a network is.
_MODULES = {
    "Prediction": "cifar.trained",
    "Run": "cifar.interactive",
    "RunFailed": "cifar.errors",
    "Trained": "cifar.trained",
    "UserError": "cifar.errors",
    "load": "cifar.loading",
    "run": "cifar.interactive",
}


def __getattr__(name: str) -> Any:
    if name == "compare":
        return importlib.import_module("cifar.compare")
    if name not in _MODULES:
        raise AttributeError(f"module 'cifar' has no attribute '{name}'")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
