"""Each decision about the user's environment: what libraries must not read, and what is recorded."""

import json
import os
import subprocess
import sys
import tempfile

import pytest
from settings import ROOT

from cifar import cores, environment
from cifar.errors import UserError
from cifar.runs import manifest

OF_LAUNCHERS = (
    "RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT",
    "STANDALONE_PORT", "SLURM_NTASKS", "SLURM_PROCID", "JSM_NAMESPACE_RANK", "TORCHELASTIC_RUN_ID",
    "TORCHELASTIC_USE_AGENT_STORE",
)  # fmt: skip
OF_THE_CONFIG = (
    "PL_TRAINER_MAX_STEPS", "PL_TRAINER_LIMIT_TRAIN_BATCHES", "PL_GLOBAL_SEED", "KERAS_MAX_EPOCHS",
    "KERAS_MAX_STEPS_PER_EPOCH", "KERAS_NNX_ENABLED", "JAX_ENABLE_X64", "JAX_DEFAULT_MATMUL_PRECISION",
    "ONEDNN_DEFAULT_FPMATH_MODE", "NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
)  # fmt: skip
USERS = (
    "SLURM_JOB_ID", "GLOO_SOCKET_IFNAME", "CUDA_VISIBLE_DEVICES", "PLAN", "FRANK", "TF_CPP_MIN_LOG_LEVEL", "TORCH_LOGS",
    "TF_ENABLE_ONEDNN_OPTS", "XLA_FLAGS", "OMP_NUM_THREADS", "PYTHONHASHSEED",
)  # fmt: skip

THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "NPROC")
WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


def run(code, cwd=None, **variables):
    """Python code in a process with these variables, and its output."""
    command = [sys.executable, "-c", code]
    inherited = {name: value for name, value in os.environ.items() if name not in ("MPLBACKEND", "KERAS_HOME")}
    done = subprocess.run(
        command, cwd=cwd, env={**inherited, "PYTHONPATH": str(ROOT), **variables}, capture_output=True, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def left_over(monkeypatch):
    for name in (*OF_LAUNCHERS, *OF_THE_CONFIG, *USERS):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("KERAS_HOME", "/somewhere")


def test_what_the_config_says_is_removed_with_a_word_and_what_is_the_users_stays(left_over, monkeypatch, caplog):
    monkeypatch.setattr(environment.log, "handlers", [caplog.handler])
    environment.settle_framework()
    assert not [name for name in (*OF_LAUNCHERS, *OF_THE_CONFIG) if name in os.environ]
    assert all(os.environ[name] == "1" for name in USERS)
    assert all(f"{name} is ignored" in caplog.text for name in OF_THE_CONFIG)
    assert not any(f" {name} " in caplog.text for name in (*OF_LAUNCHERS, *USERS))


def test_what_can_change_speed_or_rounding_is_recorded_and_nothing_else(left_over, monkeypatch):
    monkeypatch.setenv("TF_VAR_password", "secret")  # another program's
    described = json.loads(json.dumps(manifest.describe()))["environment"]
    assert described.items() >= {"TF_ENABLE_ONEDNN_OPTS": "1", "XLA_FLAGS": "1", "CUDA_VISIBLE_DEVICES": "1"}.items()
    assert "secret" not in str(described)


DRAW = """
from pathlib import Path
from cifar import plots
row = {"epoch": 1, "train/loss": 1, "val/loss": 1, "train/acc": .5, "val/acc": .5, "lr": .1}
plots.curves([row], Path("curves.png"))
"""


@pytest.mark.parametrize(
    "variables",
    [
        {"MPLBACKEND": "module://nowhere.backend_inline"},
        {"MPLBACKEND": "TkAgg", "DISPLAY": ""},
        {"MPLCONFIGDIR": "/proc/nowhere", "HOME": "/proc/nowhere"},
    ],
)
def test_pictures_are_drawn_whatever_matplotlibs_variables_and_files_say(tmp_path, variables):
    (tmp_path / "matplotlibrc").write_text("backend: nowhere\ntext.usetex: true\nsavefig.format: svg\nfigure.dpi: 7\n")
    run(DRAW, tmp_path, **variables)
    odd = (tmp_path / "curves.png").read_bytes()
    (tmp_path / "plain").mkdir()
    run(DRAW, tmp_path / "plain")
    assert odd == (tmp_path / "plain" / "curves.png").read_bytes()


def test_lightning_is_loaded_with_a_notebooks_matplotlib_backend_in_the_environment(tmp_path):
    code = (
        "from cifar import backends; from cifar.config import composed; "
        "backends.load(composed('backend=lightning').backend); import torchmetrics, matplotlib"
    )
    run(code, tmp_path, MPLBACKEND="module://nowhere.backend_inline")


KERAS = """
from cifar import backends
from cifar.config import composed
backends.load(composed("backend=keras", "backend.engine=jax", "backend.device=cpu", "model=cnn").backend)
import keras, jax
c = keras.config
print(c.image_data_format(), c.epsilon(), c.floatx(), c.backend(), c.max_epochs(), jax.config.jax_enable_x64)
print(jax.devices()[0].platform)
"""


def test_keras_is_as_it_comes_whatever_its_file_and_variables_say(tmp_path):
    pytest.importorskip("jax")
    (tmp_path / ".keras").mkdir()
    written = '{"image_data_format": "channels_first", "epsilon": 0.5, "floatx": "float8", "backend": "theano"}'
    (tmp_path / ".keras" / "keras.json").write_text(written)
    variables = {"HOME": str(tmp_path), "KERAS_MAX_EPOCHS": "1", "JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "cuda"}
    found = run(KERAS, **variables).decode().splitlines()[-2:]
    assert found == ["channels_last 1e-07 float32 jax None False", "cpu"]
    assert (tmp_path / ".keras" / "keras.json").read_text() == written


ASCII = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C", "PYTHONIOENCODING": ""}

FILES = """
import sys
from pathlib import Path
from cifar.config import composed
from cifar.console import log_to_console, logged_to
from cifar.mistakes import reported
from cifar.runs.folder import RunFolder
import locale, logging
assert locale.getpreferredencoding().startswith(("ANSI", "ascii", "US")), locale.getpreferredencoding()
config = composed("aug=none", "data=digits", "tracker=none", "runs_dir=here")
folder = RunFolder.of(config)
with reported(), folder.claimed():
    log_to_console()
    folder.start(config)
    folder.set_status("failed", "über …")
    with logged_to(folder.log):
        logging.getLogger("cifar").info("±1 …")
    print("± …")
    assert folder.config == config
    assert folder.status["reason"] == "über …"
    assert "±1 …" in folder.log.read_text(encoding="utf-8")
"""


def test_files_are_utf8_and_the_console_shows_what_it_can_in_any_locale(tmp_path):
    (tmp_path / "script.py").write_text(FILES, encoding="utf-8")
    assert run("import runpy; runpy.run_path('script.py')", tmp_path, **ASCII).splitlines() == [b"?1 ?", b"? ?"]


@pytest.fixture
def unset(monkeypatch):
    """Nothing is said about threads yet."""
    for name in ("OMP_NUM_THREADS", *THREADS, *WAITING):
        monkeypatch.setenv(name, "")  # so that what a test sets is undone
        monkeypatch.delenv(name)


def test_frameworks_are_told_of_a_quota(unset, monkeypatch):
    monkeypatch.setattr(cores, "usable", lambda: set(range(8)))
    monkeypatch.setattr(cores, "quota", lambda: 2.0)
    environment.settle_framework()
    assert {name: os.environ[name] for name in THREADS} == dict.fromkeys(THREADS, "2")
    assert os.environ["OMP_NUM_THREADS"] == "2"


def test_without_a_quota_pytorch_counts_for_itself(unset, monkeypatch):
    monkeypatch.setattr(cores, "quota", lambda: None)
    environment.settle_framework()
    assert "OMP_NUM_THREADS" not in os.environ


def test_a_share_of_a_machine_holds_for_all_frameworks_and_a_users_own_setting_stays(unset, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("NPROC", "1")
    environment.settle_framework()
    assert os.environ["OMP_NUM_THREADS"] == os.environ["TF_NUM_INTRAOP_THREADS"] == "3"
    assert os.environ["NPROC"] == "1"


WORKERS = """
import tempfile
from cifar import environment
environment.settle_framework()
import torch
from torch.utils.data import DataLoader
print(len(list(DataLoader(torch.arange(1000), batch_size=100, num_workers=1, timeout=60))))
print(len(tempfile.gettempdir()))
"""


def test_workers_get_by_with_a_temporary_folder_of_a_long_path(tmp_path):
    long = tmp_path / ("long" * 30)
    long.mkdir()
    batches, length = run(WORKERS, TMPDIR=str(long)).split()[-2:]
    assert (int(batches), int(length) < 76) == (10, True)


def test_a_folder_for_sockets_is_the_given_one_if_it_is_short_enough(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert environment.socket_folder(0) == str(tmp_path)
    (tmp_path / ("x" * 100)).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("x" * 100)))
    assert environment.socket_folder(78) == "/tmp"
    with pytest.raises(UserError, match="TMPDIR"):
        environment.socket_folder(107)


@pytest.mark.parametrize("given", [{}, {"OMP_WAIT_POLICY": "ACTIVE"}, {"GOMP_SPINCOUNT": "7"}])
def test_threads_spin_little_unless_a_user_says_otherwise(unset, monkeypatch, given):
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    environment.settle_framework()
    assert {name: os.environ[name] for name in WAITING if name in os.environ} == (given or {"GOMP_SPINCOUNT": "1000"})


LOADED = """
from cifar import backends
from cifar.config import composed
backends.load(composed("tracker=none").backend)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="PyTorch for Linux comes with GNU's OpenMP")
def test_the_way_to_wait_is_settled_before_the_library_is_loaded():
    variables = {name: value for name, value in os.environ.items() if name not in WAITING}
    command = [sys.executable, "-c", LOADED]
    done = subprocess.run(
        command,
        env={**variables, "PYTHONPATH": str(ROOT), "OMP_DISPLAY_ENV": "verbose"},
        capture_output=True,
        text=True,
    )
    said = [line for line in done.stderr.splitlines() if "GOMP_SPINCOUNT" in line]
    assert said
    assert all("'1000'" in line for line in said), said
