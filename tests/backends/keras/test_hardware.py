import re

import keras
import pytest

from cifar.backends.keras import hardware, trial
from cifar.errors import UserError


@pytest.fixture
def gpu(monkeypatch):
    """`gpu(True)`: as if there were one; `gpu(False)`: as if there were none."""
    return lambda there: monkeypatch.setattr(hardware, "gpus", lambda: ["NVIDIA H200"] if there else [])


def test_the_plan_counts_parameters_and_flops(config):
    plan = hardware.plan(config("backend=keras", "model=cnn", "backend.device=cpu"), 10)
    assert plan.parameters == 308_394
    # Six 3x3 convolutions and a matrix, two operations for each multiplication and addition.
    convolutions = [(32, 3, 32), (32, 32, 32), (16, 32, 64), (16, 64, 64), (8, 64, 128), (8, 128, 128)]
    by_hand = sum(2 * side**2 * 9 * inputs * outputs for side, inputs, outputs in convolutions) + 2 * 2048 * 10
    assert plan.flops == by_hand
    assert plan.device.startswith("CPU (")
    assert plan.device.endswith("threads), TensorFlow")


def test_attention_is_counted(config):
    plan = hardware.plan(config("backend=keras", "model=vit_tiny", "backend.device=cpu"), 10)
    tokens, width, depth = 65, 192, 12
    matrices = 2 * tokens * width * (3 * width + width + 8 * width) * depth
    attention = 2 * 2 * tokens * tokens * width * depth
    embedding = 2 * 64 * 48 * width + 2 * width * 10
    assert plan.flops == matrices + attention + embedding


def test_products_of_activations_are_counted():
    left, right = keras.Input((3, 4, 8)), keras.Input((3, 8, 5))
    assert sum(map(trial._flops_of, keras.Model([left, right], left @ right).operations)) == 2 * 3 * 4 * 8 * 5


def test_a_gpu_that_is_there_is_used_unless_the_config_says_cpu(config, gpu):
    gpu(True)
    small = ("backend=keras", "model=cnn", "model.width=8")
    plan = hardware.plan(config(*small), 10)
    assert (plan.device, plan.precision) == ("NVIDIA H200, TensorFlow", "bf16")
    plan = hardware.plan(config(*small, "backend.device=cpu"), 10)
    assert plan.device.startswith("CPU (")
    assert plan.precision == "fp32"


def test_a_gpu_that_is_not_there_is_refused(config, gpu):
    gpu(False)
    with pytest.raises(UserError, match=r"TensorFlow sees no GPU here .*; use backend\.device=auto or cpu"):
        hardware.plan(config("backend=keras", "backend.device=gpu"), 10)


@pytest.mark.parametrize("chosen", ["fp32", "bf16", "fp64"])
@pytest.mark.parametrize("there", [False, True])
def test_a_precision_that_is_asked_for_is_what_one_gets(config, gpu, chosen, there):
    gpu(there)
    assert hardware.precision(config("backend=keras", f"precision={chosen}")) == chosen


@pytest.mark.parametrize(
    ("precision", "floatx", "policy"),
    [("fp64", "float64", "float64"), ("bf16", "float32", "mixed_bfloat16"), ("fp32", "float32", "float32")],
)
def test_keras_is_set_to_the_precision_whatever_it_was(precision, floatx, policy):
    for before in ("fp64", "bf16", precision):
        hardware.configure(before)
    assert (keras.config.floatx(), keras.config.dtype_policy().name) == (floatx, policy)


@pytest.mark.parametrize(
    ("engine", "there", "compiled"),
    [("tensorflow", False, False), ("tensorflow", True, True), ("jax", False, True), ("torch", True, False)],
)
def test_steps_are_compiled_where_that_is_the_faster_choice_or_as_told(config, gpu, engine, there, compiled):
    gpu(there)
    chosen = ("backend=keras", "model=cnn", f"backend.engine={engine}")
    assert hardware.jit(config(*chosen)) is compiled
    assert hardware.jit(config(*chosen, "backend.compile=true")) is True
    assert hardware.jit(config(*chosen, "backend.compile=false")) is False


def test_workers_do_not_take_cores_from_a_processor_that_trains(config, gpu, monkeypatch):
    gpu(True)
    assert hardware.workers(config("backend=keras", "backend.device=cpu")) == 1
    assert hardware.workers(config("backend=keras", "backend.device=cpu", "backend.workers=0")) == 0
    for cores, expected in ((4, 4), (64, hardware.MAX_WORKERS)):
        monkeypatch.setattr(hardware.cores, "threads", lambda found=cores: found)
        assert hardware.workers(config("backend=keras")) == expected


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["backend=keras", "model=cnn", "model.width=100000000", "backend.device=cpu"],
            "model.width=100000000: the network would have",
        ),
        (
            ["backend=keras", "model=airbench", "model.widths=[64,256,9999999]"],
            "model.widths=[64, 256, 9999999]: the network would have",
        ),
    ],
)
def test_a_network_that_no_memory_holds_is_refused_before_it_is_built(config, overrides, message):
    with pytest.raises(UserError, match=re.escape(message)):
        hardware.plan(config(*overrides), 10)


@pytest.mark.parametrize("model", ["cnn", "airbench", "airbench model.depth=3"])
def test_the_arithmetic_of_a_networks_size_is_right(config, model):
    made = config("backend=keras", "backend.device=cpu", *f"model={model}".split())
    assert made.model.parameters(100) == hardware.plan(made, 100).parameters
