import json

import pytest

from cifar.errors import UserError
from cifar.runs.folder import RunFolder


def test_the_place_of_a_run_is_runs_dir_study_name(config, tmp_path):
    run = config("study=night", "seed=3")
    assert RunFolder.of(run).path == tmp_path / "runs" / "night" / run.run_name


def test_a_started_folder_gives_back_its_config_and_status(config):
    run = config("aug=strong")
    folder = RunFolder.of(run)
    assert (folder.status, folder.result, folder.exists) == (None, None, False)
    with folder.claimed():
        folder.start(run)
        assert folder.config == run
        assert folder.status["state"] == "running"
        folder.finish({"test/acc": 0.5})
    assert folder.result == {"test/acc": 0.5}
    assert folder.status["state"] == "done"


@pytest.mark.parametrize("content", ["", "{", "[]", "{}"])
def test_a_damaged_file_counts_as_none(config, content):
    folder = RunFolder.of(config())
    with folder.claimed():
        (folder.path / "result.json").write_text(content)
    assert folder.result is None


def test_clearing_leaves_nothing_but_the_lock(config):
    run = config()
    folder = RunFolder.of(run)
    with folder.claimed():
        folder.start(run)
        (folder.plots / "curves.png").touch()
        folder.clear()
        assert [path.name for path in folder.path.iterdir()] == [".lock"]


def test_a_failed_write_leaves_the_old_file_whole(config):
    folder = RunFolder.of(config())
    with folder.claimed():
        folder.write_json("result.json", {"a": 1})
        with pytest.raises(TypeError):
            folder.write_json("result.json", {"a": object()})
    assert json.loads((folder.path / "result.json").read_text()) == {"a": 1}


def test_a_claim_is_free_again_when_it_ends(config):
    folder = RunFolder.of(config())
    with folder.claimed(), pytest.raises(UserError, match="is being run by process"), folder.claimed():
        pass
    with folder.claimed():
        pass


def test_a_place_where_nothing_can_be_written_is_refused(config, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write in .*/file/.*choose another place with runs_dir"):
        with RunFolder.of(config(f"runs_dir={tmp_path / 'file'}")).claimed():
            pass
