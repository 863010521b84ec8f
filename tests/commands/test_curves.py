import pytest

HEADER = "epoch,train/loss,train/acc,val/loss,val/acc,lr,images_per_second,seconds\n"
ROW = "{},1,0.5,1,0.5,0.1,100,1\n"


def test_curves_of_runs_that_share_a_name(cifar_here, tmp_path):
    for study in ("one", "other"):
        (tmp_path / study / "run").mkdir(parents=True)
        (tmp_path / study / "run/metrics.csv").write_text(HEADER + ROW.format(1) + "2,0.5,0.7,0.6,0.6,0.1,100,1\n")
    done = cifar_here("curves", "one/run", "other/run", "--out", "both.png")
    assert (done.returncode, done.stdout) == (0, "both.png\n"), done.stderr
    refused = cifar_here("curves", "one", "other/run")
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: one: this is not the folder of a run.")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "error: {given}: there is no such folder."),
        (HEADER, "error: {given}: no epoch is recorded yet."),
        ("\0\xff", "error: {given}/metrics.csv is damaged: line 1 cannot be read."),
        (HEADER + ROW.format(1) + "2;0.5\n" + ROW.format(3), "error: {given}/metrics.csv is damaged: line 3 "),
        (HEADER + ROW.format(1) + ROW.format(3), "error: {given}/metrics.csv is damaged: epoch 2 is missing."),
    ],
)
def test_a_run_without_curves_is_named_as_it_was_given(cifar_here, tmp_path, content, said):
    for given in ("run", str(tmp_path / "run")):
        if content is not None:
            (tmp_path / "run").mkdir(exist_ok=True)
            (tmp_path / "run/metrics.csv").write_text(content, "latin-1")
        refused = cifar_here("curves", given)
        assert refused.returncode == 2
        assert refused.stderr.startswith(said.format(given=given))
