"""Prueba `tarea4.training`: que entrena lo mismo que `fit` de Keras, con semillas que se repiten."""

import dataclasses
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest

from tarea4 import models, training
from tarea4.data import Dataset
from tarea4.engine import epoch, layers
from tarea4.evaluation import predict
from tarea4.search.recipes import Recipe
from tarea4.training import Run, Training, train, train_all, train_seeds

SIZES = (12, 8)


def steps(model, data, seed, order):
    """Lo mismo con `train_on_batch` de Keras, lote a lote, con el orden de imágenes que se da por época.

    Sin compilar: son nueve pasos, y compilarlos tarda más.
    """
    keras.utils.set_random_seed(seed)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model))
    copy.run_eagerly = True
    labels = keras.utils.to_categorical(data.y_train, 10)
    losses = []
    for batches in order:
        losses.append(np.mean([copy.train_on_batch(data.x_train[rows], labels[rows])[0] for rows in batches]))
    return copy, losses


def orders(n, batch_size, n_epochs, seed):
    """El orden de las imágenes en cada época: una permutación, completada con sus primeras imágenes."""
    rng = np.random.default_rng(seed)
    n_batches = -(-n // batch_size)
    for _ in range(n_epochs):
        yield np.resize(rng.permutation(n), (n_batches, batch_size))
        rng.integers(2**32, size=(n_batches, 0, 2), dtype="uint32")


KIT, L1L2 = keras.layers, keras.regularizers.L1L2
EVERYTHING = {  # cada red junta lo que no se estorba: compilarlas es lo que tarda
    "penalización de actividad": lambda: [
        KIT.Dense(6, activation="relu", activity_regularizer=L1L2(0.1, 0.2)),
        KIT.Dense(7, activity_regularizer="l1"),
        KIT.Dense(5, activity_regularizer="l2"),
    ],
    "pesos": lambda: [
        KIT.Dense(6, kernel_regularizer=L1L2(0.01, 0.1), bias_regularizer="l2"),
        KIT.Dense(5, kernel_constraint=keras.constraints.MaxNorm(0.3)),
        KIT.Dense(7, trainable=False),
    ],
    "normalización": lambda: [KIT.Dense(6), KIT.BatchNormalization(), KIT.Activation("silu")],
    "ancha": lambda: [
        KIT.LayerNormalization(), KIT.Dense(layers.NARROW + 1, activation="tanh"), KIT.Dense(6), KIT.PReLU()
    ],
    "actividad fuera de una densa": lambda: [
        keras.Sequential([KIT.Dense(6, activity_regularizer="l1")]),
        KIT.Dense(5),
        KIT.Activation("relu", activity_regularizer=L1L2(0.2)),
        KIT.ActivityRegularization(0.1, 0.1),
    ],
}  # fmt: skip


@pytest.mark.parametrize("hidden", EVERYTHING.values(), ids=EVERYTHING)
def test_every_layer_and_regulariser_works_as_in_keras(small, hidden):
    """Paso a paso, los mismos pesos que `train_on_batch`: nada de la red se entrena como si no estuviera.

    Cada época tiene otro orden, una permutación de la semilla, y el lote que no se llena se completa.
    """
    data = dataclasses.replace(small, x_train=small.x_train[:100], y_train=small.y_train[:100])
    model = keras.Sequential([keras.Input((784,)), *hidden(), KIT.Dense(10, activation="softmax")])
    model.compile(keras.optimizers.SGD(0.1), "categorical_crossentropy", metrics=["accuracy"])
    run = train(model, data, seed=3, epochs=3, batch_size=48)
    reference, losses = steps(model, data, 3, orders(100, 48, run.best_epoch, 3))
    # Redondeo de float32 en sumas de otro orden, que unas decenas de pasos apenas amplifican.
    assert run.history["loss"][: run.best_epoch] == pytest.approx(losses, rel=1e-4)
    for a, b in zip(run.model.get_weights(), reference.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_dropout_and_noise_change_the_training(small):
    """Más tasa de dropout, o más ruido, es más pérdida al entrenar; sin ellos, las dos redes son la misma."""
    losses = {}
    for layer in (KIT.Dropout, KIT.GaussianNoise):
        for strength in (0.0, 0.3, 0.8):
            output = KIT.Dense(10, activation="softmax", name="salida")  # con nombres, tres redes son una compilación
            model = keras.Sequential([keras.Input((784,), name="x"), layer(strength, name="azar"), output], name="red")
            model.compile(keras.optimizers.Adam(name="adam"), "categorical_crossentropy", metrics=["accuracy"])
            losses[layer, strength] = train(model, small, epochs=2, train_metrics=False).history["loss"][-1]
    assert losses[KIT.Dropout, 0.0] == losses[KIT.GaussianNoise, 0.0]
    for layer in (KIT.Dropout, KIT.GaussianNoise):
        assert losses[layer, 0.0] < losses[layer, 0.3] < losses[layer, 0.8]


@pytest.mark.parametrize("batch_size", [500, 700])
def test_each_epoch_and_seed_has_its_own_order_and_keys(small, batch_size):
    """Cada época y semilla baraja todas las imágenes de otro modo; cada paso y cada capa de azar tiene su clave."""
    model = Recipe((5, 4), dropout=0.1, dropout_hidden=0.1, noise=0.1, noise_hidden=0.2).build(small)
    engine = epoch.compiled(model, 2000, batch_size)
    rngs = [np.random.default_rng(seed) for seed in (0, 0, 1)]
    drawn = [engine.draw(rng) for rng in rngs for _ in range(2)]
    for order, keys in drawn:
        assert order.shape[1] == batch_size
        assert set(order.ravel()) == set(range(2000))
        assert np.bincount(order.ravel()).max() == (1 if batch_size == 500 else 2)
        assert keys.shape == (len(order), 6, 2)
        assert len(np.unique(keys)) == keys.size
    same = [[np.array_equal(a[0], b[0]) for b in drawn] for a in drawn]
    assert same[0] == [True, False, True, False, False, False]
    assert same[4] == [False, False, False, False, True, False]


def noisy_recipe():
    """Una red de receta, con ruido y penalización; de los datos solo importan los tamaños."""
    empty = np.zeros((128, 0))
    data = Dataset(*[empty] * 6, image_shape=(28, 28), n_classes=10)
    return Recipe((6,), activation="silu", noise=0.1, alpha_l2=0.1).build(data)


def test_a_saved_network_needs_only_keras(small, tmp_path):
    """Una red entrenada se guarda, y en un intérprete donde `tarea4` no está se carga y da las mismas salidas."""
    networks = {"Try 02": models.try_02(), "receta": noisy_recipe()}
    runs = {name: train(network, small, epochs=1) for name, network in networks.items()}
    for name, run in runs.items():
        run.model.save(tmp_path / f"{name}.keras")
    np.save(tmp_path / "x.npy", small.x_val)
    script = (
        "import sys; sys.modules['tarea4'] = None\n"  # importarla sería un error
        "import keras, numpy as np\n"
        "for name in sys.argv[1:]:\n"
        "    np.save(name, keras.models.load_model(name + '.keras')(np.load('x.npy')))\n"
    )
    options = {"capture_output": True, "text": True, "check": False, "cwd": tmp_path}
    process = subprocess.run([sys.executable, "-c", script, *runs], **options)
    assert process.returncode == 0, process.stderr
    for name, run in runs.items():
        np.testing.assert_allclose(np.load(tmp_path / f"{name}.npy"), predict(run.model, small.x_val), atol=1e-6)


def test_same_seed_same_result(small):
    """La misma semilla da los mismos pesos, sola o acompañada; otra semilla, otros."""
    model = models.regularised(SIZES)
    alone = train(model, small, seed=1, epochs=2)
    together = train_seeds(model, small, [0, 1, 2], epochs=2)
    for a, b in zip(alone.model.get_weights(), together[1].model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(together[0].model.get_weights()[0], together[1].model.get_weights()[0])
    assert [run.seed for run in together] == [0, 1, 2]


def test_networks_trained_together_are_those_trained_alone(small):
    """`train_all` da a cada nombre lo mismo que `train_seeds`, aunque sus épocas, lotes y capas difieran."""
    both = {
        "corta": Training(models.plain(SIZES), epochs=2, verbose=False),
        "otra": Training(models.regularised(SIZES), epochs=3, batch_size=len(small.x_train), verbose=False),
        "gemela": Training(models.plain(SIZES), epochs=2, verbose=False),
    }
    runs = train_all(both, small, [4, 1])
    assert {name: [run.seed for run in group] for name, group in runs.items()} == {name: [4, 1] for name in both}
    for name, asked in both.items():
        options = {"epochs": asked.epochs, "batch_size": asked.batch_size}
        for run, alone in zip(runs[name], train_seeds(asked.model, small, [4, 1], **options), strict=True):
            for a, b in zip(run.model.get_weights(), alone.model.get_weights(), strict=True):
                np.testing.assert_array_equal(a, b)


def test_a_failure_stops_what_has_not_begun(small):
    """El error nombra la red, y los entrenamientos que esperaban su turno no empiezan."""
    begun = []
    divergent = models.regularised(SIZES, alpha_l2=3e38)  # cerca del mayor float32
    names = ["mala", *map(str, range(50))]
    trainings = {
        name: Training(divergent, epochs=3, callbacks=lambda seed, name=name: begun.append(name) or [])
        for name in names
    }
    with pytest.raises(FloatingPointError, match=r"semilla 3 de mala .* época"):
        train_all(trainings, small, [3])
    assert len(begun) < len(names)


def test_model_given_is_only_a_mould(small):
    """El modelo que se pasa conserva sus pesos."""
    model = models.plain(SIZES)
    before = [w.copy() for w in model.get_weights()]
    train(model, small, epochs=1)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_compiled_function_is_shared(small):
    """Redes que solo difieren en tasas y alfas comparten la función compilada, y aun así las obedecen."""
    gentle, harsh = (models.regularised(SIZES, dropout=d, alpha_l1=a) for d, a in ((0.0, 0.0), (0.9, 10.0)))
    assert layers.template(gentle) == layers.template(harsh)
    assert layers.template(gentle) != layers.template(models.regularised((12, 9)))
    runs = [train(model, small, epochs=3) for model in (gentle, harsh)]
    assert runs[0].history["l1"][-1] == 0
    assert runs[1].history["l1"][-1] > 0
    assert runs[0].history["train_loss"][-1] < runs[1].history["train_loss"][-1]


def test_history_is_that_of_the_returned_model(small):
    """La red devuelta es la de la mejor época, y su historia dice lo que Keras mide en ella."""
    small = dataclasses.replace(small, x_train=small.x_train[:60], y_train=small.y_train[:60])
    model = models.regularised(SIZES, dropout=0.1, alpha_l1=0.05, alpha_l2=0.025)
    model.optimizer.learning_rate = 0.03  # con pocas imágenes y mucha prisa, la mejor época no es la última
    start = time.perf_counter()
    run = train(model, small, epochs=12, batch_size=20)
    assert sum(run.history["seconds"]) <= run.seconds <= time.perf_counter() - start
    assert all(len(values) == 12 for values in run.history.values())
    assert run.best_epoch < 12
    assert run.best("val_loss") == min(run.history["val_loss"])
    for split in ("train", "val"):
        labels = keras.utils.to_categorical(getattr(small, f"y_{split}"), 10)
        outputs = np.asarray(run.model(getattr(small, f"x_{split}")))
        loss = keras.losses.CategoricalCrossentropy()(labels, outputs)
        assert run.best(f"{split}_loss") == pytest.approx(float(loss), rel=1e-4)  # orden de las sumas en float32
        assert run.best(f"{split}_accuracy") == pytest.approx((outputs.argmax(1) == labels.argmax(1)).mean(), abs=1e-6)
    hidden = np.asarray(keras.Model(run.model.inputs, run.model.get_layer("dense_1").output)(small.x_train))
    assert run.best("l1") == pytest.approx(0.05 * np.abs(hidden).sum(axis=1).mean(), rel=1e-4)
    assert run.best("l2") == pytest.approx(0.025 * np.square(hidden).sum(axis=1).mean(), rel=1e-4)


def test_a_network_that_is_not_compiled_is_refused():
    """Sin compilar no hay pérdida que minimizar, y se dice antes de entrenar."""
    with pytest.raises(ValueError, match="model: se recibió 'suelta', sin compilar"):
        Training(keras.Sequential([keras.Input((784,)), KIT.Dense(10)], name="suelta"))


@pytest.mark.parametrize(("epochs", "batch_size", "name"), [(0, 128, "epochs"), (1, 0, "batch_size")])
def test_invalid_arguments_are_named(small, epochs, batch_size, name):
    """Cero épocas o cero imágenes por lote se rechazan antes de entrenar."""
    with pytest.raises(ValueError, match=f"^{name}: se recibió 0 y se admite"):
        train(models.plain(SIZES), small, epochs=epochs, batch_size=batch_size)


def test_no_seeds_is_an_error(small):
    """Sin semillas no hay nada que entrenar, y se dice."""
    with pytest.raises(ValueError, match=r"^seeds: se recibió una lista vacía y se admite una semilla o más\.$"):
        train_seeds(models.plain(SIZES), small, [])


def test_divergence_is_said(small):
    """Una pérdida que deja de ser finita detiene el entrenamiento con la época y la causa probable."""
    poisoned = dataclasses.replace(small, x_train=np.full_like(small.x_train, np.nan))
    with pytest.raises(FloatingPointError, match=r"semilla 7 .* época 1"):
        train(models.plain(SIZES), poisoned, seed=7, epochs=2)


def test_a_validation_loss_that_is_not_finite_is_said(small):
    """Aunque la pérdida de entrenamiento siga siendo finita."""
    poisoned = dataclasses.replace(small, x_val=np.full_like(small.x_val, np.nan))
    with pytest.raises(FloatingPointError, match=r"semilla 2 .* época 1"):
        train(noisy_recipe(), poisoned, seed=2, epochs=2)  # con silu: relu convierte en cero lo que no es un número


def test_an_infinite_loss_is_said(small):
    """También detiene el entrenamiento una pérdida infinita que aún no es NaN."""
    model = models.regularised(SIZES, dropout=0.0, alpha_l2=3e38)  # cerca del mayor float32
    with pytest.raises(FloatingPointError, match=r"semilla 0 .* época 1"):
        train(model, small, epochs=1, batch_size=len(small.x_train))  # con otro paso ya habría NaN


def test_every_image_trains_in_every_epoch(small):
    """Si el lote no divide a las imágenes, las que sobran también entrenan: 2 000 de 128 en 128 son 16 pasos."""
    run = train(models.plain(SIZES), small, epochs=2, batch_size=128)
    assert int(run.model.optimizer.iterations) == 2 * 16


def test_epoch_reaching_needs_both_thresholds():
    """El umbral se alcanza en la primera época que cumple pérdida y exactitud a la vez."""
    history = {"val_loss": [0.5, 0.07, 0.08, 0.01], "val_accuracy": [0.99, 0.97, 0.98, 0.99]}
    history |= {"loss": [0.5, 0.01, 0.01, 0.01], "accuracy": [0.9, 0.99, 0.99, 0.99]}
    run = Run(model=None, seed=0, history=history, seconds=1.0)
    assert run.epoch_reaching(0.08, 0.98, "val_") == 3
    assert run.epoch_reaching(0.08, 0.98) == 2  # si no se dice, en el sentido corriente
    assert run.epoch_reaching(0.001, 0.98, "val_") is None
    assert run.best_epoch == 4


@pytest.mark.parametrize(
    ("verbose", "terminal", "shown"),
    [(False, True, False), (True, False, True), (None, True, True), (None, False, False)],
)
def test_progress_only_when_watched(small, capsys, monkeypatch, verbose, terminal, shown):
    """La barra cuenta épocas, y aparece si se pide o, si no se dice nada, cuando alguien mira la terminal."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    train(models.plain(SIZES), small, epochs=2, seed=5, verbose=verbose)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert bool(captured.err) is shown
    assert not shown or re.search(r"^\s*semilla 5:   0%.* 0/2 .*semilla 5: 100%.* 2/2 ", captured.err, re.DOTALL)
    assert "batch" not in captured.err


def test_work_is_shared_out_by_network_and_seed(small, monkeypatch):
    """Un hilo por núcleo y no más que entrenamientos; cada resultado va a su red y a su semilla, en el orden pedido."""
    threads, given = [], []

    class Pool(ThreadPoolExecutor):
        def __init__(self, n=None):
            threads.append(n)
            super().__init__(n)

    monkeypatch.setattr(training, "ThreadPoolExecutor", Pool)
    monkeypatch.setattr(training, "_train", lambda *each: given.append(each) or each[1:3])
    monkeypatch.setattr(training.joblib, "cpu_count", lambda: 3)
    both = {name: Training(models.plain(SIZES)) for name in "ba"}
    assert train_all(both, small, iter([4, 1])) == {name: [(name, 4), (name, 1)] for name in "ba"}
    assert train_all({"b": both["b"]}, small, [7]) == {"b": [("b", 7)]}
    assert threads == [3, 1]
    for mould, name, _, data, tensors in given:
        assert (mould, data) == (both[name], small)
        for split in ("train", "val"):
            images, labels = tensors[split]
            np.testing.assert_array_equal(images, getattr(small, f"x_{split}"))
            np.testing.assert_array_equal(labels, np.eye(10)[getattr(small, f"y_{split}")])


def test_what_decides_a_training_is_what_is_remembered(small, monkeypatch):
    """Lo ya entrenado se pide por datos, semilla, épocas y lote; con funciones de quien llama no se recuerda nada."""
    model, asked, notes = models.plain(SIZES), [], {"history": {"val_loss": [2.0, 1.0]}, "seconds": 3.5}
    weights = [np.full_like(each, 0.5) for each in model.get_weights()]

    def remember(mould, parts, compute, *, richer):
        asked.append((mould, parts, richer))
        return weights, notes

    monkeypatch.setattr(training, "remember", remember)
    run = train(model, small, epochs=2, batch_size=77, train_metrics=False)
    assert (run.seed, run.history, run.seconds, run.best_epoch) == (0, notes["history"], 3.5, 2)
    assert all((each == 0.5).all() for each in run.model.get_weights())
    train(model, small, seed=3)
    parts = {"data": small.digest, "seed": 0, "epochs": 2, "batch_size": 77}
    usual = {"data": small.digest, "seed": 3, "epochs": 50, "batch_size": 128}
    assert asked == [(model, parts, False), (model, usual, True)]
    for functions in ({"augment": lambda images, rng: images}, {"callbacks": lambda seed: []}):
        assert len(train(model, small, epochs=1, **functions).history["loss"]) == 1
    assert len(asked) == 2


def test_training_images_are_evaluated_only_if_asked(small):
    """Sin métricas de entrenamiento faltan las suyas en la historia, y lo demás es igual."""
    model = models.regularised(SIZES, alpha_l1=0.1)
    with_them, without = (train(model, small, epochs=2, train_metrics=asked) for asked in (True, False))
    missing = {"train_loss", "train_accuracy", "l1", "l2"}
    assert with_them.history.keys() - without.history.keys() == missing
    for key in without.history.keys() - {"seconds"}:
        assert without.history[key] == with_them.history[key]


def test_each_epoch_trains_what_augment_gives(small):
    """`augment` recibe las imágenes originales una vez por época, y lo que devuelve es lo que entrena."""
    seen = []

    def erase(images, rng):
        seen.append((images.numpy(), rng.random()))
        return images * 0

    run = train(models.plain(SIZES), small, epochs=3, augment=erase)
    assert len(seen) == 3
    for images, _ in seen:
        np.testing.assert_array_equal(images, small.x_train)
    assert len({drawn for _, drawn in seen}) == 3
    # Con píxeles nulos la primera capa no tiene gradiente: se queda como nació.
    kernels = [train(models.plain(SIZES), small, epochs=1, augment=a).model.get_weights()[0] for a in (erase, None)]
    np.testing.assert_array_equal(run.model.get_weights()[0], kernels[0])
    assert not np.array_equal(run.model.get_weights()[0], kernels[1])


def test_callbacks_follow_their_seed(small):
    """Cada semilla tiene sus llamadas, que ven cada época con lo que se mide y pueden detener el entrenamiento."""
    calls = {}

    class Follower(keras.callbacks.Callback):
        def __init__(self, seed):
            super().__init__()
            self.calls = calls.setdefault(seed, [])

        def on_train_begin(self, logs=None):
            self.calls.append("empieza")

        def on_epoch_end(self, epoch, logs=None):
            self.calls.append((epoch, logs["val_loss"]))
            self.model.stop_training = epoch == 1

        def on_train_end(self, logs=None):
            self.calls.append("termina")

    runs = train_seeds(models.plain(SIZES), small, [3, 4], epochs=5, callbacks=lambda seed: [Follower(seed)])
    for run in runs:
        assert calls[run.seed] == ["empieza", *enumerate(run.history["val_loss"]), "termina"]
        assert len(run.history["val_loss"]) == 2
    assert calls[3] != calls[4]
