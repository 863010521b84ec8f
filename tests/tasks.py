"""What tests have done in processes of other frameworks. Frameworks are imported inside the functions only."""

import hashlib

import numpy as np

from cifar import backends

CLASSES = 10
MEAN, STD = (125.3, 123.0, 113.9), (63.0, 62.1, 66.7)


def shapes(config):
    """Of the network's weights, by name."""
    network, weights = _network(config)
    return {name: array.shape for name, array in weights.read(network).items()}


def logits(config, arrays, images, training):
    """Of the network that has the weights `arrays`; with `training`, by the statistics of the batch."""
    network, weights = _network(config)
    weights.write(network, arrays)
    back = weights.read(network)
    if config.backend.name == "keras":
        import keras

        found = keras.ops.convert_to_numpy(network(images, training=training))
    else:
        import torch

        with torch.no_grad():
            found = network.train(training)(torch.from_numpy(images)).numpy()
    return found, back


def task(config):
    """What a run of `config` gives its backend."""
    from cifar.runs.folder import RunFolder
    from cifar.task import Task

    splits = config.data.load()
    plan = backends.load(config.backend).plan(config, len(splits.class_names))
    return Task(config, plan, splits, RunFolder.of(config))


def trained(config, which="best"):
    """The network of one of the run's checkpoints."""
    return backends.load(config.backend).load(task(config), which)


def checkpoints(config):
    """The weights of a run's last and best checkpoint."""
    return {which: trained(config, which).weights() for which in ("last", "best")}


def plan(config):
    return backends.load(config.backend).plan(config, CLASSES)


def drawn(config, epochs):
    """A digest of each batch of `epochs` as the framework is given it by its own loader."""
    settled = task(config)
    deliver = _delivered_by_keras if config.backend.name == "keras" else _delivered_by_lightning
    return [_digest(batch) for batch in deliver(settled.batches, settled.plan, epochs)]


def _delivered_by_lightning(batches, plan, epochs):
    from types import SimpleNamespace

    from cifar.backends.lightning import loader

    trainer, seen = SimpleNamespace(world_size=1, global_rank=0, global_step=0), []
    for _ in range(epochs):
        for batch in loader.training(batches, plan, trainer):
            trainer.global_step += 1
            seen.append(batch)
    return seen


def _delivered_by_keras(batches, plan, epochs):
    import keras

    from cifar.backends.keras import loader

    seen = []

    class Spy(keras.Model):
        def train_step(self, data):
            seen.append([keras.ops.convert_to_numpy(part) for part in data])
            return {"seen": keras.ops.zeros(())}

    spy, dataset = Spy(), loader.training(batches, plan)
    spy.built = True
    spy.compile(run_eagerly=True)
    spy.fit(dataset, epochs=epochs, shuffle=False, callbacks=[loader.Order(dataset)], verbose=0)
    return seen


def _digest(batch):
    return [(str(a.dtype), tuple(a.shape), hashlib.sha256(a.tobytes()).hexdigest()) for a in map(np.asarray, batch)]


def _network(config):
    backends.load(config.backend)
    if config.backend.name == "keras":
        from cifar.backends.keras import hardware, model, weights

        hardware.configure(hardware.precision(config))
        return model.build(config.model, CLASSES, MEAN, STD), weights
    from cifar.backends.lightning import model, weights

    network = model.build(config.model, CLASSES, MEAN, STD)
    return network.double() if config.precision == "fp64" else network, weights


def perturbed(config, shapes):
    """Weights as at the start of training, and then some: no norm is silent, no running statistic is 0 or 1."""
    rng = np.random.default_rng(1)
    arrays = config.model.drawn(shapes, seed=0)
    return {
        name: np.abs(array + 0.1 * rng.standard_normal(array.shape)).astype(np.float32)
        if name.endswith("running_var")
        else (array + 0.1 * array.std() * rng.standard_normal(array.shape)).astype(np.float32)
        if array.std() > 0
        else (array + 0.1 * rng.standard_normal(array.shape)).astype(np.float32)
        for name, array in arrays.items()
    }
