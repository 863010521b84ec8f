def test_curves_of_runs_that_share_a_name(cifar_here, tmp_path):
    header = "epoch,train/loss,train/acc,val/loss,val/acc,lr,images_per_second,seconds\n"
    for study in ("one", "other"):
        (tmp_path / study / "run").mkdir(parents=True)
        (tmp_path / study / "run/metrics.csv").write_text(
            header + "1,1,0.5,1,0.5,0.1,100,1\n2,0.5,0.7,0.6,0.6,0.1,100,1\n"
        )
    done = cifar_here("curves", "one/run", "other/run", "--out", "both.png")
    assert (done.returncode, done.stdout) == (0, "both.png\n"), done.stderr
    refused = cifar_here("curves", "one", "other/run")
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: no epochs are recorded in ")
