import os

from cifar import environment

LEFT_OVER = (
    "RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT",
    "STANDALONE_PORT", "SLURM_NTASKS", "SLURM_PROCID", "JSM_NAMESPACE_RANK", "TORCHELASTIC_RUN_ID",
    "TORCHELASTIC_USE_AGENT_STORE", "PL_TRAINER_MAX_STEPS", "PL_GLOBAL_SEED",
)  # fmt: skip
USERS = ("SLURM_JOB_ID", "GLOO_SOCKET_IFNAME", "CUDA_VISIBLE_DEVICES", "PLAN", "FRANK")


def test_what_launchers_left_is_removed_and_nothing_else(monkeypatch):
    for name in (*LEFT_OVER, *USERS):
        monkeypatch.setenv(name, "1")
    environment.settle_framework()
    assert not [name for name in LEFT_OVER if name in os.environ]
    assert all(os.environ[name] == "1" for name in USERS)
