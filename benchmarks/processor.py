"""What a processor gains from each thing that could make a training step faster: images a second, network by network.

    python benchmarks/processor.py [cnn] [resnet18] [vit_tiny] [airbench] …

Every variant is a bare loop in a process of its own. Without more words it is float32 in channels-last order, with
freed memory kept in the process (cifar/backends/memory.py) and one thread a core.

bf16          autocast to bf16
given_back    freed memory given back to the system, as glibc does of itself
nchw          pixels and weights in PyTorch's usual order
compiled      torch.compile, once compiled
one_thread    one thread"""

import json
import subprocess
import sys
import time
from functools import partial

import timing

ROUNDS = 2
SECONDS = 6  # of each measurement, about
VARIANTS = ("float32", "bf16", "given_back", "nchw", "compiled", "one_thread")
NAMES = ("cnn", "resnet18", "vit_tiny", "airbench")


def measured(name: str, variant: str) -> float:
    command = [sys.executable, __file__, "--measure", name, variant]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def rate(name: str, variant: str) -> float:
    """Images a second, in this process."""
    import torch
    import torch.nn.functional as F

    from cifar.backends import memory
    from cifar.backends.lightning import model, optimizer
    from cifar.config import composed

    if variant != "given_back":
        memory.keep_freed()
    if variant == "one_thread":
        torch.set_num_threads(1)
    config = composed(f"model={name}")
    batch = config.batch_size
    network = model.build(config.model, 10, (120, 120, 120), (60, 60, 60))
    if variant == "nchw":
        network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    products = torch.bfloat16 if variant == "bf16" else torch.float32
    update = optimizer.build(config.optimizer, network, clipped=False, products=products)
    images, labels = torch.randint(0, 256, (batch, 32, 32, 3), dtype=torch.uint8), torch.randint(10, (batch,))
    forward = torch.compile(network) if variant == "compiled" else network
    if variant == "nchw":
        images = images.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=variant == "bf16"):
            logits = forward(images)
        loss = F.cross_entropy(logits.float(), labels)
        update.zero_grad()
        loss.backward()
        update.step()

    for _ in range(2):
        step()
    started, steps = time.perf_counter(), 0
    while time.perf_counter() - started < SECONDS:
        step()
        steps += 1
    return batch * steps / (time.perf_counter() - started)


def main(names: list[str]) -> None:
    for name in names:
        sides = {variant: partial(measured, name, variant) for variant in VARIANTS}
        timing.compare(f"{name}, one step on the processor", ROUNDS, VARIANTS[0], **sides)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(rate(*sys.argv[2:]))
    else:
        main(sys.argv[1:] or list(NAMES))
