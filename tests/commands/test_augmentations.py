def test_augmentations_draws_every_policy(cifar_here, tmp_path):
    done = cifar_here("augmentations", "--data", "digits", "--out", "all.png")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "all.png\n"
    assert (tmp_path / "all.png").stat().st_size > 50_000
