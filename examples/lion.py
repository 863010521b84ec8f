"""An optimizer of your own, in PyTorch: Lion (Chen et al. 2023, arXiv:2302.06675). From the folder that holds it:

python ../train.py optimizer=custom optimizer.torch=lion:Lion optimizer.arguments.lr=3e-4"""

from collections.abc import Callable, Iterable
from typing import Any

import torch


class Lion(torch.optim.Optimizer):
    """w -= lr * (sign(beta1 * m + (1 - beta1) * g) + weight_decay * w); m = beta2 * m + (1 - beta2) * g."""

    def __init__(
        self,
        params: Iterable[torch.nn.Parameter],
        lr: float,
        beta1: float = 0.9,
        beta2: float = 0.99,
        weight_decay: float = 0.0,
    ):
        super().__init__(params, {"lr": lr, "beta1": beta1, "beta2": beta2, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update; Lightning computes the gradients in `closure`."""
        with torch.enable_grad():
            loss = None if closure is None else closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, group)
        return loss

    def _update(self, parameter: torch.nn.Parameter, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["mean"] = torch.zeros_like(parameter)
        mean, gradient = state["mean"], parameter.grad
        assert gradient is not None
        direction = torch.sign(group["beta1"] * mean + (1 - group["beta1"]) * gradient)
        parameter.sub_(group["lr"] * (direction + group["weight_decay"] * parameter))
        mean.mul_(group["beta2"]).add_(gradient, alpha=1 - group["beta2"])
