import keras
import numpy as np
import pytest
from keras import layers

from cifar.backends.keras import hardware, model, optimizer, weights
from cifar.models.vit.keras import Tokens
from cifar.optimizers.muon import keras as muon
from cifar.optimizers.update.keras import StepTable, orthogonalised

RATES = np.array([0.1, 0.05, 1 / 3])
DECAYED = {"patch_embed.proj.weight", "fc1.weight", "head.weight"}
MATRICES = {"patch_embed.proj.weight", "fc1.weight"}


def problem():
    """A network with a parameter of each kind, all of them random."""
    pixels = keras.Input((4, 4, 2))
    x = layers.Conv2D(4, 2, 2, name="patch_embed.proj")(pixels)
    x = layers.BatchNormalization(name="bn")(x)
    x = Tokens(name="tokens")(layers.Reshape((4, 4))(x))
    x = layers.Dense(6, name="fc1")(layers.LayerNormalization(name="norm")(x))
    network = keras.Model(pixels, layers.Dense(5, name="head")(x[:, 0]))
    rng = np.random.default_rng(0)
    for variable in network.weights:
        variable.assign(rng.standard_normal(variable.shape))
    return network


def build(config, network, *overrides, rates=RATES, clip_norm=None):
    """In float64, where a formula's last digits show, unless told otherwise."""
    chosen = config("backend=keras", *overrides)
    return optimizer.build(chosen.optimizer, network, rates, clip_norm)


def values(network):
    return {weights.name_of(v): keras.ops.convert_to_numpy(v).copy() for v in network.trainable_variables}


def gradients(network, seed):
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal(value.shape) for name, value in values(network).items()}


def apply(built, network, gradients):
    built.apply([keras.ops.convert_to_tensor(g, dtype=keras.config.floatx()) for g in gradients.values()],
                network.trainable_variables)  # fmt: skip


def assert_equal(network, expected):
    for name, value in values(network).items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-12, atol=1e-12, err_msg=name)


@pytest.fixture
def float64():
    hardware.configure("fp64")


@pytest.mark.parametrize(("name", "share"), [("sgd", 1.9), ("adamw", 1), ("muon", 1)])
def test_biases_norms_and_embeddings_are_not_decayed(config, float64, name, share):
    """Without a gradient, decay is all there is; Nesterov's SGD takes the coupled one 1 + momentum times."""
    network = problem()
    before = values(network)
    apply(built := build(config, network, f"optimizer={name}", "optimizer.weight_decay=0.25"),
          network, {n: np.zeros_like(v) for n, v in before.items()})  # fmt: skip
    assert int(built.iterations) == 1
    kept = dict.fromkeys(before, 1.0) | dict.fromkeys(DECAYED, 1 - RATES[0] * 0.25 * share)
    if name == "muon":
        kept["head.weight"] = 1 - RATES[0] * 0.5 * 0.25  # optimizer.adamw_lr_ratio
    assert_equal(network, {n: kept[n] * v for n, v in before.items()})


def test_the_embeddings_of_a_real_transformer_are_not_decayed(config):
    chosen = config("backend=keras", "model=vit_tiny", "model.patch_size=8").model
    network = model.build(chosen, 10, (0, 0, 0), (1, 1, 1))
    for variable in network.trainable_variables:
        variable.assign(np.ones(variable.shape))
    built = build(config, network, "optimizer=sgd", "optimizer.weight_decay=0.25")
    apply(built, network, {n: np.zeros_like(v) for n, v in values(network).items()})
    same = {name for name, value in values(network).items() if (value == 1).all()}
    assert same == {n for n in values(network) if n.endswith(("bias", "pos_embed", "cls_token")) or "norm" in n}


@pytest.mark.parametrize("nesterov", [True, False])
def test_sgd_is_the_coupled_update(config, float64, nesterov):
    """Two steps: g += decay*w; v = m*v + g; w -= lr*(g + m*v), or lr*v without Nesterov."""
    network = problem()
    built = build(config, network, "optimizer=sgd", f"optimizer.nesterov={str(nesterov).lower()}",
                  "optimizer.weight_decay=0.01")  # fmt: skip
    expected = values(network)
    velocity = dict.fromkeys(expected, 0.0)
    for step in range(2):
        given = gradients(network, step)
        apply(built, network, given)
        for name, value in expected.items():
            gradient = given[name] + (0.01 * value if name in DECAYED else 0)
            velocity[name] = 0.9 * velocity[name] + gradient
            value -= RATES[step] * (gradient + 0.9 * velocity[name] if nesterov else velocity[name])
    assert_equal(network, expected)


def test_adamw_is_the_decoupled_update_with_debiased_averages(config, float64):
    network = problem()
    built = build(config, network, "optimizer=adamw", "optimizer.beta1=0.8", "optimizer.beta2=0.9",
                  "optimizer.epsilon=0.01", "optimizer.weight_decay=0.2")  # fmt: skip
    expected = values(network)
    mean, square = dict.fromkeys(expected, 0.0), dict.fromkeys(expected, 0.0)
    for step in range(2):
        given = gradients(network, step)
        apply(built, network, given)
        for name, value in expected.items():
            mean[name] = 0.8 * mean[name] + 0.2 * given[name]
            square[name] = 0.9 * square[name] + 0.1 * given[name] ** 2
            value *= 1 - RATES[step] * 0.2 * (name in DECAYED)
            deviation = np.sqrt(square[name] / (1 - 0.9 ** (step + 1)))
            value -= RATES[step] * mean[name] / (1 - 0.8 ** (step + 1)) / (deviation + 0.01)
    assert_equal(network, expected)


@pytest.mark.parametrize("nesterov", [True, False])
def test_muon_trains_vectors_and_the_classifier_by_adam(config, float64, nesterov):
    """timm's NAdamW at lr * adamw_lr_ratio with betas 0.9, 0.95 and epsilon 1e-7; matrices are tested below."""
    network = problem()
    built = build(config, network, "optimizer=muon", f"optimizer.nesterov={str(nesterov).lower()}",
                  "optimizer.weight_decay=0.2", "optimizer.adamw_lr_ratio=0.3")  # fmt: skip
    expected = {n: v for n, v in values(network).items() if n not in MATRICES}
    mean, square = dict.fromkeys(expected, 0.0), dict.fromkeys(expected, 0.0)
    for step in range(2):
        given = gradients(network, step)
        apply(built, network, given)
        for name, value in expected.items():
            mean[name] = 0.9 * mean[name] + 0.1 * given[name]
            square[name] = 0.95 * square[name] + 0.05 * given[name] ** 2
            moved = 0.9 * mean[name] + 0.1 * given[name] if nesterov else mean[name]
            value *= 1 - 0.3 * RATES[step] * 0.2 * (name in DECAYED)
            deviation = np.sqrt(square[name] / (1 - 0.95 ** (step + 1)))
            value -= 0.3 * RATES[step] * moved / (1 - 0.9 ** (step + 1)) / (deviation + 1e-7)
    assert_equal(network, expected | {n: v for n, v in values(network).items() if n in MATRICES})


@pytest.mark.parametrize("nesterov", [True, False])
def test_muon_moves_matrices_by_the_orthogonalised_momentum(config, float64, nesterov):
    """Two steps: m += (1 - mu) * (g - m); the step is 0.2 * sqrt(longer side) times the orthogonal matrix next to m, or
    to g + mu * (m - g) with Nesterov. A convolution is the matrix of all its inputs by its outputs."""
    network = problem()
    built = build(config, network, "optimizer=muon", f"optimizer.nesterov={str(nesterov).lower()}",
                  "optimizer.momentum=0.8", "optimizer.weight_decay=0.2")  # fmt: skip
    momentum = dict.fromkeys(MATRICES, 0.0)
    for step in range(2):
        before, given = values(network), gradients(network, step)
        apply(built, network, given)
        after = values(network)
        for name in MATRICES:
            momentum[name] = 0.8 * momentum[name] + 0.2 * given[name]
            direction = 0.2 * given[name] + 0.8 * momentum[name] if nesterov else momentum[name]
            left, _, right = np.linalg.svd(direction.reshape(-1, direction.shape[-1]), full_matrices=False)
            moved = (before[name] * (1 - RATES[step] * 0.2) - after[name]).reshape(-1, direction.shape[-1])
            scale = RATES[step] * 0.2 * np.sqrt(max(moved.shape))
            np.testing.assert_allclose(moved / scale, left @ right, atol=0.02, err_msg=f"{name}, step {step}")


def steep(matrix):
    """Three Newton-Schulz steps: each singular value s of the normed matrix to 3.4445 s - 4.7750 s^3 + 2.0315 s^5."""
    left, singular, right = np.linalg.svd(matrix / np.linalg.norm(matrix), full_matrices=False)
    for _ in range(3):
        singular = 3.4445 * singular - 4.7750 * singular**3 + 2.0315 * singular**5
    return left * singular @ right


@pytest.mark.parametrize("nesterov", [True, False])
def test_airbench_muon_turns_matrices_at_one_norm_and_moves_the_rest_at_their_own_rates(config, float64, nesterov):
    """Two steps: v = m*v + g; d = g + m*v, or v without Nesterov. Matrices: w *= sqrt(out) / |w|; w -= lr * steep(d).
    The rest: w -= rate * d, where the g of the classifier's weights includes decay*w."""
    network = problem()
    built = build(config, network, "optimizer=airbench_muon", "optimizer.lr=0.5", "optimizer.momentum=0.8",
                  "optimizer.bias_lr=1.5", "optimizer.head_lr=0.125", "optimizer.sgd_momentum=0.7",
                  f"optimizer.nesterov={str(nesterov).lower()}", "optimizer.weight_decay=0.25")  # fmt: skip
    expected = values(network)
    velocity = dict.fromkeys(expected, 0.0)
    for step in range(2):
        given = gradients(network, step)
        apply(built, network, given)
        for name, value in expected.items():
            is_matrix, is_head = name in MATRICES, name == "head.weight"
            momentum = 0.8 if is_matrix else 0.7
            gradient = given[name] + (0.25 * value if is_head else 0)
            velocity[name] = momentum * velocity[name] + gradient
            direction = gradient + momentum * velocity[name] if nesterov else velocity[name]
            if is_matrix:
                outputs = value.shape[-1]
                value *= np.sqrt(outputs) / np.linalg.norm(value)
                value -= RATES[step] * steep(direction.reshape(-1, outputs)).reshape(value.shape)
            else:
                value -= RATES[step] / 0.5 * (0.125 if is_head else 1.5) * direction
    assert_equal(network, expected)


def test_muon_takes_every_matrix_of_a_network_but_the_classifier(config):
    chosen = config("backend=keras", "model=resnet18").model
    network = model.build(chosen, 10, (0, 0, 0), (1, 1, 1))
    built = build(config, network, "optimizer=muon")
    remembered = {v.path.split("/")[-1] for v in built.variables}
    for variable in network.trainable_variables:
        matrix = len(variable.shape) == 4
        name = variable.path.replace("/", "_")
        assert (f"{name}_momentum" in remembered) == matrix, name
        assert (f"{name}_mean" in remembered) == (f"{name}_square" in remembered) == (not matrix), name


@pytest.mark.parametrize("shape", [(64, 27), (27, 64), (32, 32)])
@pytest.mark.parametrize(("precision", "dtype"), [("fp32", "float32"), ("bf16", "bfloat16"), ("fp64", "float64")])
def test_newton_schulz_leaves_singular_values_near_one(shape, precision, dtype):
    hardware.configure(precision)
    matrix = 1e-3 * np.random.default_rng(0).standard_normal(shape)
    orthogonal = orthogonalised(keras.ops.convert_to_tensor(matrix, dtype=keras.config.floatx()), muon._CONVERGING)
    assert orthogonal.dtype == dtype
    singular = np.linalg.svd(np.array(keras.ops.cast(orthogonal, "float64")), compute_uv=False)
    assert 0.8 < singular.min() < singular.max() < 1.2


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", np.float32), ("bf16", np.float32), ("fp64", np.float64)])
def test_every_step_has_the_learning_rate_of_the_table(config, precision, dtype):
    """To the last digit; after the last step, the last one."""
    hardware.configure(precision)
    network = problem()
    built = build(config, network, "optimizer=sgd", "optimizer.weight_decay=0")
    for step, rate in enumerate([*RATES, RATES[-1]]):
        bias = network.get_layer("head").bias
        bias.assign(np.zeros(5))
        built.variables[0].assign(step)
        for velocity in built.variables[1:]:
            velocity.assign(np.zeros(velocity.shape))
        apply(built, network, {n: np.ones_like(v) for n, v in values(network).items()})
        np.testing.assert_array_equal(bias, np.full(5, -dtype(rate) * (1 + dtype(0.9) * 1)))


def test_the_table_itself_is_read_to_the_last_digit(config, float64):
    rates = np.random.default_rng(0).random(1000)
    table = StepTable(rates)
    assert [float(table(keras.ops.convert_to_tensor(i))) for i in (0, 1, 500, 999, 1000)] == [
        *rates[[0, 1, 500, 999, 999]]
    ]


def test_a_gradient_is_clipped_by_its_norm_over_all_parameters(config, float64):
    network = problem()
    before, given = values(network), gradients(network, 0)
    norm = np.sqrt(sum((g**2).sum() for g in given.values()))
    for largest, factor in ((0.5 * norm, 0.5 * norm / (norm + 1e-6)), (2 * norm, 1)):
        network = problem()
        built = build(config, network, "optimizer=sgd", "optimizer.nesterov=false", "optimizer.weight_decay=0",
                      clip_norm=largest)  # fmt: skip
        apply(built, network, given)
        assert_equal(network, {n: v - RATES[0] * factor * given[n] for n, v in before.items()})
