"""W&B, offline and for real: what was logged is read back from its own files."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import wandb

from cifar import environment, experiment
from cifar.errors import TrainingDiverged, UserError
from cifar.runs.folder import RunFolder
from cifar.runs.recorder import read_metrics
from cifar.trackers import wandb as tracker


@pytest.fixture(autouse=True)
def nobody_is_logged_in(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "wandb-config"))
    wandb.teardown()  # it has read the environment once and for all


def inspect(log, *flags):
    """What `wandb leet inspect` says of a run's log."""
    command = [Path(sys.executable).parent / "wandb", "leet", "inspect", *flags, "--json", log]
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
    original = tracker.WandbSession.log

    def stop_after_the_first_epoch(self, row):
        original(self, row)
        if row["epoch"] == 2:
            raise RuntimeError("power cut")

    monkeypatch.setattr(tracker.WandbSession, "log", stop_after_the_first_epoch)
    with pytest.raises(RuntimeError, match="power cut"):
        experiment.run(run)
    monkeypatch.setattr(tracker.WandbSession, "log", original)
    experiment.run(run)
    ids = {log.stem for log in logs(RunFolder.of(run))}
    assert ids == {f"run-{RunFolder.of(run).read_json('wandb.json')['id']}"}
    assert len(logs(RunFolder.of(run))) == 2


def test_a_failed_run_is_marked_failed(tiny):
    run = tiny("tracker=wandb", "optimizer=sgd", "optimizer.lr=1e20", "schedule.warmup_fraction=0")
    with pytest.raises(TrainingDiverged):
        experiment.run(run)
    (log,) = logs(RunFolder.of(run))
    assert [record["exit"]["exit_code"] for record in records(log) if record["type"] == "exit"] == [1]


def test_online_without_credentials_is_refused_not_asked_for(config):
    with pytest.raises(UserError, match="wandb login"):
        config("tracker.mode=online").tracker.check()
    config("tracker.mode=auto").tracker.check()
    config("tracker.mode=offline").tracker.check()


@pytest.mark.parametrize(
    ("given", "mode"), [("dryrun", "offline"), ("run", "online"), ("shared", "shared"), ("disabled", "disabled")]
)
def test_wandb_mode_may_be_whatever_wandb_takes(config, monkeypatch, given, mode):
    monkeypatch.setenv("WANDB_MODE", given)
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    run = config()
    run.tracker.check()
    assert tracker._mode(run.tracker) == mode
    assert wandb.Settings(mode=given).mode == given


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("WANDB_MODE", "dryrn", "WANDB_MODE=dryrn.*Did you mean 'dryrun'"),
        ("WANDB_INIT_TIMEOUT", "soon", "init_timeout=soon"),
        ("WANDB_BASE_URL", "nowhere", "base_url=nowhere"),
    ],
)
def test_variables_that_wandb_cannot_use_are_refused_before_the_run(config, monkeypatch, variable, value, message):
    monkeypatch.setenv(variable, value)
    with pytest.raises(UserError, match=message):
        experiment.check(config())


@pytest.mark.parametrize("project", ["a/b", "a#b", "x" * 129])
def test_a_project_name_that_wandb_refuses_is_refused_with_the_config(config, project):
    with pytest.raises(UserError, match=r"tracker\.project"):
        config(f"tracker.project='{project}'")
    with pytest.raises(wandb.UsageError):
        wandb.Settings(project=project)


def test_wandb_offline_in_its_settings_file_is_followed(config, monkeypatch, tmp_path):
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    (tmp_path / "wandb-config").mkdir()
    (tmp_path / "wandb-config" / "settings").write_text("[default]\nmode = offline\n")
    assert tracker._mode(config().tracker) == "offline"


def test_a_server_of_ones_own_is_known_from_wandbs_settings_file(config, tmp_path):
    (tmp_path / "wandb-config").mkdir()
    (tmp_path / "wandb-config" / "settings").write_text("[default]\nbase_url = https://wandb.lab.example\n")
    (tmp_path / "netrc").write_text(f"machine wandb.lab.example login user password {'0' * 40}\n")
    assert tracker._mode(config().tracker) == "online"


def started(run):
    """The id of its W&B run, offline."""
    folder = RunFolder.of(run)
    folder.make()
    run.tracker.start(experiment._shown(run, folder)).finish({}, folder.plots)
    (log,) = logs(folder)
    identity = folder.read_json("wandb.json")["id"]
    assert log.name == f"run-{identity}.wandb"
    return identity


def test_every_run_has_a_wandb_run_of_its_own_whatever_is_left_over_in_the_environment(config, monkeypatch):
    monkeypatch.setenv("WANDB_RUN_ID", "mine")
    monkeypatch.setenv("WANDB_RESUME", "must")
    monkeypatch.setenv("WANDB_FORK_FROM", "other?_step=3")
    identities = {started(config(f"seed={seed}")) for seed in range(2)}
    assert len(identities) == 2
    assert "mine" not in identities


def test_a_run_that_wandbs_agent_starts_is_the_agents(config, monkeypatch):
    monkeypatch.setenv("WANDB_RUN_ID", "agents")
    monkeypatch.setenv("WANDB_SWEEP_ID", "sweep")
    assert started(config()) == "agents"
    environment.settle_job()
    wandb.teardown()
    assert started(config("seed=1")) != "agents"


def test_labels_are_cut_to_what_wandb_takes(config):
    run = config("aug=none", f"aug.name={'x' * 150}")
    started(run)
    (described,) = [record["run"] for record in records(*logs(RunFolder.of(run))) if record["type"] == "run"][:1]
    assert "x" * 64 in described["tags"]


@pytest.mark.parametrize("source", ["key", "netrc"])
def test_auto_is_online_where_there_are_credentials(config, monkeypatch, tmp_path, source):
    settings = config().tracker
    assert tracker._mode(settings) == "offline"
    if source == "key":
        monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    else:
        (tmp_path / "netrc").write_text(f"machine api.wandb.ai login user password {'0' * 40}\n")
        (tmp_path / "netrc").chmod(0o600)
    assert tracker._mode(settings) == "online"
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert tracker._mode(settings) == "offline"


class Unavailable(BaseHTTPRequestHandler):
    """A W&B server that refuses everybody."""

    def refuse(self):
        self.send_response(401)
        self.end_headers()

    do_GET = do_POST = refuse

    def log_message(self, *arguments):
        pass


class Silent(Unavailable):
    """A W&B server that lets runs begin, and says nothing more until it is closed."""

    closed: threading.Event

    def do_POST(self):
        asked = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if b"UpsertBucket" in asked:
            self.begin(**json.loads(asked)["variables"])
        else:
            self.closed.wait()

    do_GET = do_PUT = do_POST

    def begin(self, name, project, **_):
        place = {"id": "1", "name": project, "entity": {"id": "2", "name": "somebody"}}
        bucket = {"id": "3", "name": name, "displayName": name, "config": "{}", "project": place}
        content = json.dumps({"data": {"upsertBucket": {"bucket": bucket, "inserted": True}}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def server(monkeypatch):
    """`server(Handler)`: a W&B server on this machine, which W&B is to use."""
    closed, servers = threading.Event(), []

    def start(handler):
        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (handler,), {"closed": closed})))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{servers[-1].server_port}")
        monkeypatch.setenv("WANDB_API_KEY", "0" * 40)

    yield start
    closed.set()
    for one in servers:
        one.shutdown()
        one.server_close()
    wandb.teardown()


def test_a_server_that_refuses_the_key_leaves_an_offline_run(config, server, caplog, monkeypatch):
    server(Unavailable)
    monkeypatch.setattr(tracker.log, "handlers", [caplog.handler])
    started(config())
    assert "continuing offline" in caplog.text


def test_uploads_that_hang_are_left_to_wandb_sync(config, server, caplog, monkeypatch):
    server(Silent)
    monkeypatch.setattr(tracker.log, "handlers", [caplog.handler])
    run = config("tracker.finish_timeout=1.0")
    folder = RunFolder.of(run)
    folder.make()
    session = run.tracker.start(experiment._shown(run, folder))
    session.log({"epoch": 1, "val/acc": 0.5})
    session.finish({"test/acc": 0.5}, folder.plots)
    (log,) = folder.path.glob("wandb/run-*/*.wandb")
    assert f"wandb sync {log.parent}" in caplog.text
    assert "0.5" in inspect(log)


def test_a_wandb_that_cannot_start_does_not_cost_the_run(config, caplog, monkeypatch, tmp_path):
    monkeypatch.setattr(tracker.log, "handlers", [caplog.handler])
    monkeypatch.setenv("TMPDIR", str(tmp_path / "no such folder"))
    run = config()
    folder = RunFolder.of(run)
    folder.make()
    (folder.path / "wandb").touch()  # where its folder is to be
    session = run.tracker.start(experiment._shown(run, folder))
    session.log({"epoch": 1})
    session.finish({}, folder.plots)
    assert "Everything else is complete" in caplog.text
