"""Which device and precision a run gets, and whether this machine can give what it asks for."""

import math

import keras

from cifar import cores, freezing
from cifar.backends import capacity, peak_resident_memory
from cifar.backends.keras import optimizer, trial, weights
from cifar.config import Config, Keras
from cifar.errors import UserError
from cifar.runs.manifest import cpu_name
from cifar.task import Plan, Task

MAX_WORKERS = 8

_ENGINES = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}


def plan(config: Config, classes: int) -> Plan:
    """What will be done with `config` on this machine. Raises UserError if it cannot be done."""
    gpu, engine = uses_gpu(config), _ENGINES[settings(config).engine]
    if settings(config).device == "gpu" and not gpu:
        raise UserError(
            f"backend.device=gpu: {engine} sees no GPU here (TensorFlow and JAX need to be "
            "installed with their CUDA libraries); use backend.device=auto or cpu."
        )
    chosen = precision(config)
    configure(chosen)
    capacity.check(config, config.model.parameters(classes))
    network, flops = trial.tried(config, classes)
    optimizer.check(config.optimizer)
    freezing.check(config, [weights.name_of(v) for v in network.trainable_variables])
    name = gpus()[0] if gpu else f"CPU ({cpu_name()}, {cores.threads()} threads)"
    return Plan(
        device=f"{name}, {engine}",
        precision=chosen,
        parameters=sum(math.prod(v.shape) for v in network.trainable_variables),
        flops=flops,
        gpu=gpu,
        workers=workers(config),
        compiled=jit(config),
    )


def configure(precision: str) -> None:
    """Set Keras to the precision of a plan. To be called before a network is built."""
    floatx = "float64" if precision == "fp64" else "float32"
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bf16" else floatx)
    keras.config.disable_traceback_filtering()


def precision(config: Config) -> str:
    """fp32, bf16 or fp64."""
    if config.precision != "auto":
        return config.precision
    # On a processor, bf16 is faster for some networks and slower for others (docs/pytorch-vs-keras.md).
    return "bf16" if uses_gpu(config) else "fp32"


def settings(config: Config) -> Keras:
    """This backend's part of the config."""
    assert isinstance(config.backend, Keras)
    return config.backend


def jit(config: Config) -> bool:
    """Whether the training step is compiled."""
    backend = settings(config)
    if backend.compile != "auto":
        return backend.compile
    # On a processor, XLA makes TensorFlow's convolutions several times slower (docs/pytorch-vs-keras.md).
    return backend.engine == "jax" or (backend.engine == "tensorflow" and uses_gpu(config))


def uses_gpu(config: Config) -> bool:
    """Whether the run is on a GPU."""
    return settings(config).device != "cpu" and bool(gpus())


def workers(config: Config) -> int:
    """Threads that prepare batches: on a processor, more would only take cores from the network."""
    chosen = settings(config).workers
    if chosen != "auto":
        return chosen
    return min(MAX_WORKERS, cores.threads()) if uses_gpu(config) else 1


def gpus() -> list[str]:
    """Names of the GPUs that the engine sees."""
    match keras.config.backend():
        case "tensorflow":
            import tensorflow as tf

            found = tf.config.list_physical_devices("GPU")
            return [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in found]
        case "jax":
            import jax

            try:
                devices = jax.devices()
            except RuntimeError as error:  # JAX_PLATFORMS names what is not there
                raise UserError(f"JAX finds no device here: {error}") from None
            return [device.device_kind for device in devices if device.platform == "gpu"]
        case _:
            import torch

            return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]


def peak_memory(task: Task) -> int:
    """Bytes: of GPU memory if one is used, else resident in this process, since it began."""
    return peak_gpu_memory() if task.plan.gpu else peak_resident_memory()


def peak_gpu_memory() -> int:
    """Bytes of the first GPU's memory, at most, so far in this process."""
    match keras.config.backend():
        case "tensorflow":
            import tensorflow as tf

            return int(tf.config.experimental.get_memory_info("GPU:0")["peak"])
        case "jax":
            import jax

            return int(jax.devices()[0].memory_stats()["peak_bytes_in_use"])
        case _:
            import torch

            return torch.cuda.max_memory_allocated()
