import copy
import threading

import torch

from cifar.backends.lightning import checkpoints
from cifar.backends.lightning.checkpoints import BackgroundIO
from cifar.backends.writer import Writer


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
