"""What every job is before it starts, and what is refused."""

import json

import pytest

from cifar.errors import UserError
from cifar.sweeps import plan
from cifar.sweeps.plan import Job, Problems


@pytest.fixture
def job(tiny):
    return lambda *overrides: Job(tiny(*overrides), (1,))


def begin(job, checkpoint=False, state=None):
    job.folder.make()
    job.folder.start(job.config)
    if checkpoint:
        (job.folder.checkpoints / "last.ckpt").touch()
    if state is not None:
        job.folder.set_status(state)


def test_states(job):
    assert job().state == "new"
    begin(job("seed=1"))
    assert job("seed=1").state == "new", "nothing to go on from"
    begin(job("seed=2"), checkpoint=True)
    assert job("seed=2").state == "resumable"
    assert job("seed=2", "on_existing=rerun").state == "new"
    assert job("seed=2", "on_existing=skip").state == "left"
    begin(job("seed=3"), checkpoint=True, state="failed")
    assert job("seed=3").state == "failed"
    assert job("seed=3", "sweep.retry_failed=false").state == "left"
    job("seed=4").folder.make()
    job("seed=4").folder.finish({"test/acc": 0.5})
    assert job("seed=4").state == "done"
    assert job("seed=4", "on_existing=rerun").state == "new"
    with job("seed=4").folder.claimed():
        assert job("seed=4").state == "busy"


def test_the_same_run_is_one_job(tiny):
    jobs = plan.jobs_of({1: tiny("seed=0"), 2: tiny("seed=1"), 3: tiny("seed=0", "backend.workers=3")})
    assert [job.numbers for job in jobs] == [(1, 3), (2,)]
    assert "2 jobs" in plan.shown(jobs)
    assert "1  the same run as another combination: run once" in plan.shown(jobs)


def test_another_way_to_test_a_run_is_another_job_that_does_not_train_it_again(tiny):
    plain, flipped, again = tiny("seed=0"), tiny("seed=0", "evaluation.tta=flip"), tiny("seed=0", "evaluation.tta=flip")
    jobs = plan.jobs_of({1: plain, 2: flipped, 3: again})
    assert [job.numbers for job in jobs] == [(1,), (2, 3)]
    assert jobs[1].name == f"{jobs[0].name} (flip)"
    jobs[0].folder.make()
    jobs[0].folder.start(plain)
    jobs[0].folder.finish({"test/acc": 0.5, "evaluation": plain.evaluation.views})
    assert [job.state for job in jobs] == ["done", "trained"]
    assert "1  trained already: tested in another way" in plan.shown(jobs)
    one, other = plan.jobs_of({1: tiny("on_existing=rerun"), 2: tiny("evaluation.tta=flip", "on_existing=rerun")})
    assert (one.config.on_existing, other.config.on_existing) == ("rerun", "resume"), "trained again once"


def test_what_was_done_with_other_images_or_by_other_code_is_told(job):
    done = [job("seed=0"), job("seed=1")]
    for each, fingerprint in zip(done, ("of other images", done[0].config.data.fingerprint()), strict=True):
        begin(each)
        each.folder.finish({"test/acc": 0.5, "data_fingerprint": fingerprint})
        each.folder.write_json("manifest.json", {"starts": [{"code": "0ld0ld00"}]})
    assert "2  of those done by another version of the code" in plan.shown(done)
    with pytest.raises(UserError, match=r"s0-.* is done, but with other images: their fingerprint is of other images"):
        plan.check(done, None, Problems())
    plan.check(done[1:], None, Problems())


def test_a_mistake_is_told_once_with_the_jobs_that_have_it(tiny):
    configs = [tiny(f"seed={seed}", f"batch_size={size}") for size in (64, 4000) for seed in (0, 1)]
    problems = Problems()
    problems.add("no such choice", [5])
    with pytest.raises(UserError) as told:
        plan.check(plan.jobs_of(dict(enumerate(configs, 1))), None, problems)
    assert "job 3-4: batch_size=4000 is larger than" in str(told.value)
    assert "job 5: no such choice" in str(told.value)


def test_data_that_is_not_there_is_told_for_all_jobs_that_need_it(tiny, tmp_path, monkeypatch):
    broken = tmp_path / "cifar-10-batches-py"
    broken.mkdir()
    (broken / "data_batch_1").write_bytes(b"no pickle")
    configs = {n: tiny("data=cifar10", f"data.root={tmp_path}", f"seed={n}") for n in (1, 2)}
    with pytest.raises(UserError, match=r"job 1-2: .*lacks data_batch_2"):
        plan.check(plan.jobs_of(configs), None, Problems())


def test_a_folder_that_cannot_be_written_in(tiny):
    config = tiny().model_copy(update={"runs_dir": "/proc/nowhere"})
    with pytest.raises(UserError, match="cannot write in /proc/nowhere"):
        plan.check(plan.jobs_of({1: config}), None, Problems())


def test_existing_runs_are_refused_if_asked(job):
    begin(job())
    with pytest.raises(UserError, match="exists, and on_existing=fail"):
        plan.check([job("on_existing=fail")], None, Problems())


def test_what_is_done_is_not_checked(job):
    impossible = job("batch_size=4000")
    with pytest.raises(UserError):
        plan.check([impossible], {}, Problems())
    impossible.folder.make()
    impossible.folder.finish({"test/acc": 0.5})
    plan.check([impossible], {}, Problems())


def test_an_output_or_a_lock_is_no_run_yet(job):
    job().folder.make()
    job().folder.output.write_text("killed while it loaded its framework")
    assert not job().folder.exists
    job().folder.start(job().config)
    job().folder.clear()
    assert sorted(path.name for path in job().folder.path.iterdir()) == [".lock", "output.txt"]


def test_the_table_tells_of_changed_code(job):
    from cifar.sweeps import progress

    jobs = [Job(job(f"seed={seed}").config, (seed + 1,)) for seed in range(3)]
    for each, code in zip(jobs, ("aaaa1111", "aaaa1111", "bbbb2222"), strict=True):
        begin(each)
        each.folder.write_json("manifest.json", {"starts": [{"code": code}]})
    begin(jobs[2], state="failed")
    jobs[2].folder.write_json("status.json", {**jobs[2].folder.status, "reason": "a\nreason"})
    shown = progress.table(jobs)
    assert "aaaa1111: jobs 1, 2" in shown
    assert "bbbb2222: jobs 3" in shown
    assert "failed" in shown
    assert "a reason" in shown
    assert str(jobs[2].folder.output) in shown
    jobs[2].folder.write_json("manifest.json", {"starts": [{"code": "aaaa1111"}]})
    assert "aaaa1111" not in progress.table(jobs)
    assert json.loads((jobs[2].folder.path / "manifest.json").read_text())


def test_durations_read_well():
    from cifar.tables import duration

    assert [duration(s) for s in (0.2, 99.5, 100, 3600, 12_345)] == ["1 s", "100 s", "2 min", "60 min", "3 h 26 min"]
