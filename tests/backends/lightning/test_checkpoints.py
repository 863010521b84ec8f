import copy
import threading

import pytest
import torch
from torch import nn

from cifar.backends.lightning import checkpoints
from cifar.backends.lightning.checkpoints import BackgroundIO
from cifar.backends.writer import Writer
from cifar.errors import UserError


def test_what_is_written_is_of_the_moment_at_which_it_was_handed_over(tmp_path):
    weight = torch.arange(4.0)
    state = {"state_dict": {"weight": weight}, "optimizer_states": [{"state": {0: {"step": weight[:1]}}, "betas": [1]}]}
    before, go_on = copy.deepcopy(state), threading.Event()
    with Writer() as writer:
        writer.save(lambda: None, lambda _: go_on.wait())
        BackgroundIO(writer).save_checkpoint(state, tmp_path / "last.ckpt")
        weight += 1
        state["optimizer_states"][0]["betas"][0] = 2
        assert not (tmp_path / "last.ckpt").exists()
        go_on.set()
    written = checkpoints.read(tmp_path / "last.ckpt")
    assert str(written) == str(before)
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]


def layers(**widths):
    return nn.ModuleDict({name: nn.Linear(4, width) for name, width in widths.items()})


@pytest.mark.parametrize(
    "other",
    [layers(one=3, two=3, three=3), layers(one=3, three=3), layers(two=3, one=3), layers(one=3, two=5), layers(one=3)],
    ids=["more", "other-names", "other-order", "other-shapes", "fewer"],
)
def test_a_checkpoint_of_another_network_is_refused(tmp_path, other):
    network, path = layers(one=3, two=3), tmp_path / "last.ckpt"
    torch.save({"state_dict": network.state_dict()}, path)
    checkpoints.check(path, network)
    with pytest.raises(
        UserError, match=r"last\.ckpt cannot be read .*are not those of this network.*on_existing=rerun"
    ):
        checkpoints.check(path, other)


def test_a_checkpoint_that_cannot_be_mapped_into_memory_is_read_without(tmp_path):
    path = tmp_path / "last.ckpt"
    torch.save({"epoch": 3}, path, _use_new_zipfile_serialization=False)  # PyTorch refuses to map this kind
    assert checkpoints.read(path) == {"epoch": 3}
