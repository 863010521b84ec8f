import dataclasses

import numpy as np

from cifar.evaluation.classification import evaluate
from cifar.metrics import METRICS
from cifar.runs.result import Result, scores

OF_EPOCHS = {"train/acc", "train/loss", "val/loss", "lr", "epoch"}  # columns of metrics.csv


def test_a_result_holds_all_that_is_evaluated():
    evaluation = evaluate(np.random.default_rng(0).standard_normal((20, 3)), np.arange(20) % 3)
    assert scores(evaluation) == {f"test/{name}": value for name, value in dataclasses.asdict(evaluation).items()}


def test_every_number_of_a_result_is_listed_with_its_unit():
    numbers = {name for name, kind in Result.__annotations__.items() if kind in (int, float)}
    assert numbers == METRICS.keys() - OF_EPOCHS
