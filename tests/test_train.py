"""train.py as a user meets it: a process, its exit status, its messages."""

import json
import subprocess
import sys

import pytest
from settings import ROOT, TINY


def test_cfg_prints_the_config_without_importing_a_framework():
    code = (
        "import sys; sys.argv = ['train.py', 'model=vit_tiny', '--cfg', 'job']; import runpy; "
        "runpy.run_path(sys.argv[0], run_name='__main__'); "
        "bad = {'torch', 'tensorflow', 'keras', 'jax', 'albumentations', 'sklearn', 'wandb'} & set(sys.modules); "
        "assert not bad, bad"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "name: vit_tiny" in done.stdout


def test_help_lists_every_group_and_choice(train_here):
    shown = train_here("--help").stdout
    for line in (
        "model          airbench, cct_2_3x2, cnn, ",
        "aug            alternating, alternating4_cutout, basic, crop, ",
        "experiments    augmentation, ",
        "cifar help optimizer.lr explains one",
    ):
        assert line in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["model=resnet81"], "model=resnet81: there is no such choice. Did you mean 'resnet18'? Allowed: airbench, "),
        (["modle=cnn"], "'modle' cannot be set: the config has no such key. Did you mean model=cnn?"),
        (["optimizer.lrr=1"], "Did you mean optimizer.lr=1? Allowed in optimizer: "),
        (["epochs=-3"], "epochs=-3: input should be greater than 0"),
        (["experiments=quickstrat"], "Did you mean 'quickstart'?"),
        (["model=timm"], "model.architecture"),
        (["optimizer=custom", "optimizer.torch=torch.optim.RMSprop"], "optimizer.arguments.lr is missing: add"),
        (["experiments=speedrun96", "model=cnn", "--cfg", "job"], "experiments=speedrun96 sets model.widths="),
        (["model=null"], "model=null: one of the choices of model is needed: airbench, "),
        (["seed=0,1"], "seed=0,1 has several values: add -m to run each of them, or write 'seed=[0,1]' for a list."),
        (["+seed=1"], "'seed' is in the config already: leave out the +"),
        (["data=digits", "data.train_size=5000"], "at most 1237 are left"),
        (["data=digits", "batch_size=2000"], "batch_size=2000 is larger than the training split of 1237 images"),
        (["model=vit_tiny", "model.width=8"], "of the choices of model, only cnn has this key"),
        (
            ["aug=none", "aug.cutout.size=8"],
            "'aug.cutout.size' is not in the chosen config: +aug.cutout.size=8 adds it.",
        ),
        (["freeze.layer1=0.5"], "'freeze.layer1' is not in the chosen config: +freeze.layer1=0.5 adds it."),
        (
            ["data=digits", "+freeze.layer9=0.5"],
            "freeze.layer9: model=resnet18 has no such trained part. Did you mean 'layer",
        ),
        (["+freeze.layer1.0=1.5"], "freeze.layer1.0=1.5: input should be less than or equal to 1."),
        (["backend=keras", "backend.devices=2"], "of the choices of backend, only lightning has this key"),
        (["data=digits", "model=timm", "model.architecture=convnext_atom"], "Did you mean 'convnext_atto'?"),
        (["data=digits", "model=timm", "model.architecture=vgg11", "+model.arguments.bogus=1"], "cannot be built"),
        (["data=digits", "model=timm", "model.architecture=inception_v3"], "cannot take images of 32x32 pixels"),
        ([*TINY, "precision=fp16", "backend.device=cpu"], "precision=fp16 needs a GPU"),
        ([*TINY, "tracker=wandb", "tracker.mode=online"], "has no credentials here"),
        ([*TINY, "sweep.time_limit=60"], "sweep.time_limit=60.0: only a sweep reads this. Add -m to the command"),
        ([*TINY, "hydra/launcher=local"], "hydra/launcher=local: only a sweep reads this. Add -m to the command"),
        ([*TINY, "runs_dir=/proc/nowhere"], "cannot write in /proc/nowhere/main"),
        ([*TINY, "+aug.albumentations=[{Blurr: {}}]"], "there is no transform 'Blurr'. Did you mean 'Blur'?"),
    ],
)
def test_a_mistake_is_one_message_and_status_2_and_leaves_no_run(train_here, tmp_path, arguments, message):
    done = train_here(*arguments, WANDB_API_KEY="", NETRC=str(tmp_path / "none"))
    assert done.returncode == 2, done.stdout + done.stderr
    assert message in done.stderr
    assert done.stderr.startswith("error: "), "and nothing else, such as Hydra's own words"
    assert "Traceback" not in done.stderr + done.stdout
    assert not list(tmp_path.glob("runs/**/config.yaml"))


def test_a_mistake_ends_the_process_in_the_same_way(train):
    done = train("model=resnet81")
    assert done.returncode == 2
    assert "Did you mean 'resnet18'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_process_has_one_framework():
    code = (
        "from cifar import backends; from cifar.config import composed; "
        "[backends.load(composed(f'backend={name}').backend) for name in ('lightning', 'keras')]"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert "torch already, and two frameworks in one process can crash it" in done.stderr


def test_keras_is_loaded_without_what_it_only_wraps_which_can_be_imported_afterwards():
    code = (
        "import sys; from cifar import backends; from cifar.config import composed; "
        "backends.load(composed('backend=keras', 'model=cnn').backend); "
        "assert not {'sklearn', 'matplotlib'} & sys.modules.keys(); "
        "import sklearn.base, matplotlib.pyplot"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_job_of_a_sweep_can_train_on_several_devices(train, tmp_path):
    done = train("-m", *TINY, "epochs=1", "backend.device=cpu", "backend.devices=2")
    assert done.returncode == 0, done.stdout + done.stderr
    (manifest,) = tmp_path.glob("runs/main/*/manifest.json")
    assert len(json.loads(manifest.read_text())["starts"]) == 1
