import pytest

from cifar import cores
from cifar.errors import UserError
from cifar.sweeps import launchers
from cifar.sweeps.job import CORES


@pytest.fixture
def container(monkeypatch):
    """Eight cores, of which a quota leaves two and a half; no GPU."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(cores, "usable", lambda: set(range(8)))
    monkeypatch.setattr(cores, "quota", lambda: 2.5)


def test_jobs_and_their_threads_follow_the_quota(container):
    assert [share["OMP_NUM_THREADS"] for share in launchers._shares("auto")] == ["1", "1", "1"]
    assert launchers._shares(2) == [
        {CORES: "0,1,2,3", "OMP_NUM_THREADS": "1"},
        {CORES: "4,5,6,7", "OMP_NUM_THREADS": "2"},
    ]
    with pytest.raises(UserError, match=r"n_jobs=4: there are 3 cores"):
        launchers._shares(4)


def test_ray_has_no_more_than_the_quota(container):
    pytest.importorskip("ray", reason="pip install -e '.[ray]'")
    with pytest.raises(UserError, match=r"cpus=4: this machine has 3"):
        launchers.Ray(name="ray", address=None, cpus=4, gpus=0).check()
