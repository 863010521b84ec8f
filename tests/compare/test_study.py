"""A study's results, written beside its YAML."""

import shutil

import pytest
from compare.page_sample import report_of_two_baselines, sample_report

from cifar.compare import study
from cifar.errors import UserError
from cifar.places import CONF


@pytest.fixture(autouse=True)
def studies(tmp_path, monkeypatch):
    shutil.copy(CONF / "experiments/augmentation.yaml", tmp_path)
    monkeypatch.setattr(study, "STUDIES", tmp_path)
    return tmp_path


def report(**changes):
    origin = {"Hardware": ["CPU (one)", "CPU (other)"], "Code": ["1a2b3c4d"]}
    return report_of_two_baselines() | {"origin": origin} | changes


def test_the_head_of_a_study_is_read():
    questions = study.question("augmentation")
    assert questions["Question"][0].startswith("What does each augmentation add")
    assert len(questions["Command"]) == 2
    assert all(line.startswith("python train.py experiments=augmentation") for line in questions["Command"])
    assert "study" not in str(list(questions)), "the head ends where the YAML begins"


@pytest.mark.parametrize("path", sorted((CONF / "experiments").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_study_says_what_it_asks(monkeypatch, path):
    monkeypatch.setattr(study, "STUDIES", CONF / "experiments")
    assert {"Question", "Command", "Hardware", "Time", "Expected"} <= set(study.question(path.stem))


def test_the_record_has_the_question_the_findings_tables_and_pictures(studies):
    path = study.record(report(), "augmentation", "made-up figures")
    text = path.read_text()
    assert path == studies / "augmentation/README.md"
    assert "**What does each augmentation add" in text
    best = max((g for g in report()["groups"] if g["difference"]), key=lambda group: group["difference"]["mean"])
    assert f"- Better than aug=none: {best['label']} (+{100 * best['difference']['mean']:.2f})" in text
    assert "| Hardware | CPU (one), CPU (other) |" in text
    assert "| Note | made-up figures |" in text
    for picture in ("results.png", "curves.png"):
        assert f"]({picture})" in text
        assert (studies / "augmentation" / picture).stat().st_size > 10_000


def test_a_group_without_a_result_yet_is_no_obstacle(studies):
    unfinished = report(**sample_report(4) | {"origin": {}})
    for index in unfinished["groups"][0]["runs"]:
        unfinished["runs"][index] |= {"value": None, "state": "running"}
    unfinished["groups"][0] |= {"mean": None, "sd": None, "ci": None, "difference": None}
    assert study.record(unfinished, "augmentation", None).exists()


def test_what_cannot_be_recorded(studies):
    with pytest.raises(UserError, match=r"no such study\. Did you mean 'augmentation'"):
        study.record(report(), "augmentatoin", None)
    nothing = report()
    for group in nothing["groups"]:
        group["mean"] = None
    with pytest.raises(UserError, match="no run is finished"):
        study.record(nothing, "augmentation", None)
    assert not (studies / "augmentation").exists()


def test_a_study_without_a_question_is_refused(studies):
    (studies / "mute.yaml").write_text("# @package _global_\nstudy: mute\n")
    with pytest.raises(UserError, match="does not begin with `# Question"):
        study.record(report(), "mute", None)


def test_groups_without_a_baseline_share_a_panel():
    together = study._panels(report(baseline_choice="", varying=["model", "aug"]))
    assert [len(entries) for entries in together.values()] == [14]
    assert [len(entries) for entries in study._panels(report()).values()] == [7, 7]
