"""Which device and precision a run gets, and whether this machine can give what it asks for."""

import torch

from cifar import cores, freezing
from cifar.backends import capacity, peak_resident_memory
from cifar.backends.lightning import optimizer, trial
from cifar.config import Config, Lightning
from cifar.errors import NoSuchPrecision, UserError
from cifar.runs.manifest import cpu_name
from cifar.task import Plan, Task

MAX_WORKERS = 8


def plan(config: Config, classes: int) -> Plan:
    """What will be done with `config` on this machine. Raises UserError if it cannot be done."""
    gpu = uses_gpu(config)
    backend = settings(config)
    _check_devices(backend, gpu)
    memory = torch.cuda.mem_get_info()[1] if gpu else None
    capacity.check(config, config.model.parameters(classes), memory)
    network, flops = trial.tried(config, classes, memory)
    optimizer.check(config.optimizer)
    freezing.check(config, [name for name, p in network.body.named_parameters() if p.requires_grad])
    threads = max(torch.get_num_threads() // backend.devices, 1)
    name = torch.cuda.get_device_name() if gpu else f"CPU ({cpu_name()}, {threads} threads)"
    return Plan(
        device=name if backend.devices == 1 else f"{name} x {backend.devices}",
        precision=precision(config, gpu),
        parameters=sum(p.numel() for p in network.parameters() if p.requires_grad),
        flops=flops,
        gpu=gpu,
        workers=workers(config),
        compiled=backend.compile,
    )


def settings(config: Config) -> Lightning:
    """This backend's part of the config."""
    assert isinstance(config.backend, Lightning)
    return config.backend


def uses_gpu(config: Config) -> bool:
    """Whether the run is on a GPU."""
    backend = settings(config)
    return backend.device == "gpu" or (backend.device == "auto" and torch.cuda.is_available())


def precision(config: Config, gpu: bool) -> str:
    """fp32, bf16, fp16 or fp64. Raises NoSuchPrecision for one that the CPU or GPU lacks."""
    bf16 = torch.cuda.is_bf16_supported(including_emulation=False) if gpu else _cpu_has_bf16()
    match config.precision:
        case "auto":
            return "bf16" if bf16 and (gpu or _cpu_is_fast_in_bf16()) else "fp32"
        case "bf16" if not bf16:
            raise NoSuchPrecision(
                f"precision=bf16: this {'GPU' if gpu else 'processor'} has no bf16 arithmetic; use auto or fp32."
            )
        case "fp16" if not gpu:
            raise NoSuchPrecision("precision=fp16 needs a GPU: on a processor, use auto, bf16 or fp32.")
    return config.precision


def workers(config: Config) -> int:
    """Processes that prepare batches: on a processor they would only take cores from the network."""
    backend = settings(config)
    if backend.workers != "auto":
        return backend.workers
    return min(MAX_WORKERS, cores.threads() // backend.devices) if uses_gpu(config) else 0


def peak_memory(task: Task) -> int:
    """Bytes: of GPU memory since `fit` began if one is used, else resident in this process since it began."""
    return torch.cuda.max_memory_allocated() if task.plan.gpu else peak_resident_memory()


def _check_devices(backend: Lightning, gpu: bool) -> None:
    if not gpu:
        return
    available = torch.cuda.device_count()
    if available == 0:
        raise UserError("backend.device=gpu: PyTorch sees no GPU here; use backend.device=auto or cpu.")
    if backend.devices > available:
        raise UserError(f"backend.devices={backend.devices}: there are only {available} GPUs.")


def _cpu_has_bf16() -> bool:
    """Whether bf16 is arithmetic of the processor rather than emulated."""
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def _cpu_is_fast_in_bf16() -> bool:
    """Intel's processors without AMX have bf16 instructions, but multiply in float32 about twice as fast
    (benchmarks/processor.py)."""
    return bool(torch.cpu.get_capabilities().get("amx_bf16")) or "Intel" not in cpu_name()
