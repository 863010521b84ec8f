import re

import pytest
import torch

from cifar.backends.lightning import hardware
from cifar.errors import UserError


def test_the_plan_counts_parameters_and_flops(config):
    plan = hardware.plan(config("model=cnn", "backend.device=cpu"), 10)
    assert plan.parameters == 308_394
    # Six 3x3 convolutions and a matrix, two operations for each multiplication and addition.
    convolutions = [(32, 3, 32), (32, 32, 32), (16, 32, 64), (16, 64, 64), (8, 64, 128), (8, 128, 128)]
    by_hand = sum(2 * side**2 * 9 * inputs * outputs for side, inputs, outputs in convolutions) + 2 * 2048 * 10
    assert plan.flops == by_hand


def test_attention_is_counted(config):
    plan = hardware.plan(config("model=vit_tiny", "backend.device=cpu"), 10)
    tokens, width, depth = 65, 192, 12
    matrices = 2 * tokens * width * (3 * width + width + 8 * width) * depth
    attention = 2 * 2 * tokens * tokens * width * depth
    embedding = 2 * 64 * 48 * width + 2 * width * 10
    assert plan.flops == pytest.approx(matrices + attention + embedding, rel=1e-3)


@pytest.mark.parametrize(
    ("capabilities", "processor", "chosen"),
    [
        ({"avx512_bf16": True}, "AMD EPYC 9B14", "bf16"),
        ({"bf16": True}, "Neoverse-V2", "bf16"),
        ({"avx512_bf16": True, "amx_bf16": True}, "Intel(R) Xeon(R) Processor", "bf16"),
        ({"avx512_bf16": True}, "Intel(R) Xeon(R) Processor", "fp32"),  # slower than in float32
        ({"avx2": True}, "AMD EPYC 7763", "fp32"),
    ],
)
def test_auto_precision_is_bf16_where_the_processor_is_fast_in_it(config, monkeypatch, capabilities, processor, chosen):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    monkeypatch.setattr(hardware, "cpu_name", lambda: processor)
    assert hardware.precision(config("precision=auto"), gpu=False) == chosen


def test_a_precision_that_is_not_there_is_refused(config, monkeypatch):
    with pytest.raises(UserError, match="needs a GPU"):
        hardware.precision(config("precision=fp16"), gpu=False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    with pytest.raises(UserError, match="no bf16"):
        hardware.precision(config("precision=bf16"), gpu=False)
    assert hardware.precision(config("precision=auto"), gpu=False) == "fp32"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused(config):
    with pytest.raises(UserError, match="PyTorch sees no GPU"):
        hardware.plan(config("backend.device=gpu"), 10)


def test_workers_do_not_take_cores_from_a_processor_that_trains(config):
    assert hardware.workers(config("backend.device=cpu")) == 0
    assert hardware.workers(config("backend.device=cpu", "backend.workers=3")) == 3


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model=cnn", "model.width=100000000", "backend.device=cpu"], "model.width=100000000: the network would have"),
        (
            ["model=airbench", "model.widths=[64,256,9999999]"],
            "model.widths=[64, 256, 9999999]: the network would have",
        ),
        (
            ["model=timm", "model.architecture=vit_tiny_patch16_224", "+model.arguments.embed_dim=3000000"],
            "model.arguments={'embed_dim': 3000000}: the network would have",
        ),
    ],
)
def test_a_network_that_no_memory_holds_is_refused_before_it_is_built(config, overrides, message):
    with pytest.raises(UserError, match=re.escape(message)):
        hardware.plan(config(*overrides), 10)


@pytest.mark.parametrize("model", ["cnn", "airbench", "airbench model.depth=3"])
def test_the_arithmetic_of_a_networks_size_is_right(config, model):
    made = config("backend.device=cpu", *f"model={model}".split())
    assert made.model.parameters(100) == hardware.plan(made, 100).parameters
