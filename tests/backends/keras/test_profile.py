from cifar.backends.keras.profile import Event, TimedBatches, self_times


def test_the_time_of_an_operation_is_without_those_within_it():
    events = [
        ("outer", 0, 10),
        ("inner", 1, 3),
        ("innermost", 2, 1),
        ("inner", 6, 2),
        ("outer", 10, 5),
        ("alone", 20, 1),
    ]
    assert self_times([Event(*event, True) for event in reversed(events)]) == {
        "outer": 10 - 3 - 2 + 5,
        "inner": 3 - 1 + 2,
        "innermost": 1,
        "alone": 1,
    }


def test_a_step_waits_only_for_a_batch_that_is_not_there(monkeypatch):
    clock = iter([2.0, 5.0]).__next__
    monkeypatch.setattr("cifar.backends.keras.profile.time.perf_counter", clock)
    batches = TimedBatches(["a batch"])
    assert batches[0] == "a batch"
    assert batches.waited(0, since=1.0) == 3, "asked for by the step itself"
    assert batches.waited(0, since=4.0) == 1, "asked for ahead"
    assert batches.waited(0, since=6.0) == 0
