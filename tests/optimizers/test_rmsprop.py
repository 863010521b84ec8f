from cifar import isolation, parity


def test_momentum_and_decay_agree_in_both_frameworks(config):
    """tests/test_parity.py proves every optimizer as its preset has it; here are the options that are off there."""
    on = ("optimizer=rmsprop", "optimizer.momentum=0.5", "optimizer.weight_decay=0.015625", "optimizer.alpha=0.75")
    shared = ("data=digits", "backend.device=cpu", "model=cnn", "model.width=4", *on)
    configs = [parity.proof(config(*shared, f"backend={backend}")) for backend in ("lightning", "keras")]
    with isolation.process() as one, isolation.process() as other:
        findings = parity.of_trainings(*parity.of_each((one, other), configs, parity.train))
    assert [str(finding) for finding in findings if not finding.equal] == []
