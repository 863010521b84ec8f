"""W&B, offline and for real: what was logged is read back from its own files."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cifar import experiment, tracking
from cifar.config import to_yaml
from cifar.errors import TrainingDiverged, UserError
from cifar.runs.folder import RunFolder
from cifar.runs.recorder import read_metrics


@pytest.fixture(autouse=True)
def nobody_is_logged_in(monkeypatch, tmp_path):
    for name in ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE", "WANDB_MODE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


def inspect(log, *flags):
    """What `wandb leet inspect` says of a run's log."""
    wandb = Path(sys.executable).parent / "wandb"
    command = [wandb, "leet", "inspect", *flags, "--json", log]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def logs(folder):
    return sorted(folder.path.glob("wandb/offline-run-*/*.wandb"))


def records(log):
    return [json.loads(line) for line in inspect(log).splitlines()]


def test_an_offline_run_holds_curves_config_group_tags_and_pictures(tiny):
    run = tiny("tracker=wandb", "study=night", "aug=cutout")
    result = experiment.run(run)
    folder = RunFolder.of(run)
    (log,) = logs(folder)
    text = inspect(log)
    for name in ("train/loss", "train/acc", "val/loss", "val/acc", "lr", "images_per_second"):
        assert name in text
    (described,) = [record["run"] for record in records(log) if record["type"] == "run"][:1]
    assert (described["run_group"], described["job_type"]) == ("night", "lightning")
    assert described["display_name"] == folder.path.name
    assert described["tags"] == ["cnn", "cutout", "adamw", "digits"]
    assert "plots/confusion" in text
    summary = json.loads(inspect(log, "--summary"))
    assert str(result["test/acc"])[:8] in json.dumps(summary)
    kinds = [record.get("type") for record in records(log)]
    assert kinds.count("history") >= len(read_metrics(folder.metrics))


def test_a_resumed_run_goes_on_in_the_same_wandb_run(tiny, monkeypatch):
    run = tiny("tracker=wandb")
    original = tracking.WandbTracker.log

    def stop_after_the_first_epoch(self, row):
        original(self, row)
        if row["epoch"] == 2:
            raise RuntimeError("power cut")

    monkeypatch.setattr(tracking.WandbTracker, "log", stop_after_the_first_epoch)
    with pytest.raises(RuntimeError, match="power cut"):
        experiment.run(run)
    monkeypatch.setattr(tracking.WandbTracker, "log", original)
    experiment.run(run)
    ids = {log.stem for log in logs(RunFolder.of(run))}
    assert ids == {f"run-{RunFolder.of(run).read_json('wandb.json')['id']}"}
    assert len(logs(RunFolder.of(run))) == 2


def test_a_failed_run_is_marked_failed(tiny):
    run = tiny("tracker=wandb", "optimizer=sgd", "optimizer.lr=1e20", "schedule.warmup=0")
    with pytest.raises(TrainingDiverged):
        experiment.run(run)
    (log,) = logs(RunFolder.of(run))
    assert [record["exit"]["exit_code"] for record in records(log) if record["type"] == "exit"] == [1]


def test_online_without_credentials_is_refused_not_asked_for(config):
    with pytest.raises(UserError, match="wandb login"):
        tracking.check(config("tracker.mode=online"))
    tracking.check(config("tracker.mode=auto"))
    tracking.check(config("tracker.mode=offline"))


@pytest.mark.parametrize("source", ["key", "netrc"])
def test_auto_is_online_where_there_are_credentials(config, monkeypatch, tmp_path, source):
    settings = config().tracker
    assert tracking._mode(settings) == "offline"
    if source == "key":
        monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    else:
        (tmp_path / "netrc").write_text(f"machine api.wandb.ai login user password {'0' * 40}\n")
        (tmp_path / "netrc").chmod(0o600)
    assert tracking._mode(settings) == "online"
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert tracking._mode(settings) == "offline"


class Unavailable(BaseHTTPRequestHandler):
    """A W&B server that refuses everybody."""

    def refuse(self):
        self.send_response(401)
        self.end_headers()

    do_GET = do_POST = refuse

    def log_message(self, *arguments):
        pass


def test_a_server_that_refuses_the_key_leaves_an_offline_run(tiny, tmp_path):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Unavailable)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    run = tiny("tracker=wandb", "epochs=1")
    code = "import sys; from cifar import config, experiment; experiment.run(config.from_yaml(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, to_yaml(run)],
        env={**os.environ, "WANDB_API_KEY": "0" * 40, "WANDB_BASE_URL": f"http://127.0.0.1:{server.server_port}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=180,
    )
    server.shutdown()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "going on offline" in done.stdout
    assert len(logs(RunFolder.of(run))) == 1
    assert RunFolder.of(run).result is not None
