"""Prueba `tarea4.training`: que entrena lo mismo que `fit` de Keras, con semillas que se repiten."""

import dataclasses

import keras
import numpy as np
import pytest
from tarea4.recipes import Recipe

from tarea4 import engine, models
from tarea4.training import Run, Training, train, train_all, train_seeds

SIZES = (12, 8)


def fit(model, data, seed, epochs):
    """El mismo entrenamiento con `fit`: la referencia."""
    keras.utils.set_random_seed(seed)
    copy = keras.models.clone_model(model)
    copy.compile(optimizer="adam", loss=model.loss, metrics=["accuracy"])
    labels = {split: keras.utils.to_categorical(getattr(data, f"y_{split}"), 10) for split in ("train", "val")}
    return copy.fit(
        data.x_train, labels["train"], validation_data=(data.x_val, labels["val"]),
        batch_size=128, epochs=epochs, verbose=0,
    ).history  # fmt: skip


@pytest.mark.parametrize(
    "model", [models.plain(SIZES), models.regularised(SIZES, dropout=0.2, alpha_l1=1e-3, alpha_l2=1e-3)]
)
def test_same_results_as_keras_fit(small, model):
    """Las pérdidas medias de cinco semillas no se distinguen de las de `fit`: la diferencia cabe en su ruido."""
    ours = train_seeds(model, small, range(5), epochs=5)
    theirs = [fit(model, small, seed, epochs=5) for seed in range(5, 10)]
    for metric in ("loss", "accuracy", "val_accuracy"):
        a, b = (np.array([h[metric][-1] for h in histories]) for histories in ([r.history for r in ours], theirs))
        # Cuatro errores estándar de la diferencia de medias: lo supera una de cada mil veces si no hay diferencia.
        assert abs(a.mean() - b.mean()) < 4 * np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 5)


def test_one_step_is_that_of_keras(small):
    """Con un solo lote y sin azar, el paso compilado deja los mismos pesos que `train_on_batch`."""
    data = dataclasses.replace(small, x_train=small.x_train[:100], y_train=small.y_train[:100])
    model = models.regularised(SIZES, dropout=0.0, alpha_l1=0.1, alpha_l2=0.2)
    run = train(model, data, seed=3, epochs=1, batch_size=100)
    keras.utils.set_random_seed(3)
    reference = models.regularised(SIZES, dropout=0.0, alpha_l1=0.1, alpha_l2=0.2)
    loss, _ = reference.train_on_batch(data.x_train, keras.utils.to_categorical(data.y_train, 10))
    # El orden de las sumas cambia con el de las imágenes: redondeo de float32, que Adam amplifica donde el gradiente
    # es casi nulo.
    assert run.history["loss"][0] == pytest.approx(float(loss), rel=1e-5)
    for ours, theirs in zip(run.model.get_weights(), reference.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5)


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
        "otra": Training(models.regularised((7,)), epochs=3, batch_size=200, verbose=False),
        "gemela": Training(models.plain(SIZES), epochs=2, verbose=False),
    }
    runs = train_all(both, small, [4, 1])
    assert {name: [run.seed for run in group] for name, group in runs.items()} == {name: [4, 1] for name in both}
    for name, training in both.items():
        options = {"epochs": training.epochs, "batch_size": training.batch_size}
        for run, alone in zip(runs[name], train_seeds(training.model, small, [4, 1], **options), strict=True):
            for a, b in zip(run.model.get_weights(), alone.model.get_weights(), strict=True):
                np.testing.assert_array_equal(a, b)


def test_a_failure_stops_what_has_not_begun(small):
    """El error nombra la red, y los entrenamientos que esperaban su turno no empiezan."""
    begun = []
    divergent = models.plain(SIZES)
    divergent.optimizer.learning_rate = 1e30
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
    assert engine._structure(gentle) == engine._structure(harsh)
    assert engine._structure(gentle) != engine._structure(models.regularised((12, 9)))
    runs = [train(model, small, epochs=3) for model in (gentle, harsh)]
    assert runs[0].history["l1"][-1] == 0
    assert runs[1].history["l1"][-1] > 0
    assert runs[0].history["train_loss"][-1] < runs[1].history["train_loss"][-1]


def test_history_is_that_of_the_returned_model(small):
    """La red devuelta es la de la mejor época, y su historia dice lo que Keras mide en ella."""
    model = models.regularised(SIZES, dropout=0.1, alpha_l1=0.5, alpha_l2=0.25)
    run = train(model, small, epochs=4)
    assert all(len(values) == 4 for values in run.history.values())
    assert run.best("val_loss") == min(run.history["val_loss"])
    for split in ("train", "val"):
        labels = keras.utils.to_categorical(getattr(small, f"y_{split}"), 10)
        outputs = run.model.predict(getattr(small, f"x_{split}"), verbose=0)
        loss = keras.losses.CategoricalCrossentropy()(labels, outputs)
        assert run.best(f"{split}_loss") == pytest.approx(float(loss), rel=1e-4)  # orden de las sumas en float32
        assert run.best(f"{split}_accuracy") == pytest.approx((outputs.argmax(1) == labels.argmax(1)).mean(), abs=1e-6)
    hidden = keras.Model(run.model.inputs, run.model.get_layer("dense_1").output).predict(small.x_train, verbose=0)
    assert run.best("l1") == pytest.approx(0.5 * np.abs(hidden).sum(axis=1).mean(), rel=1e-4)
    assert run.best("l2") == pytest.approx(0.25 * np.square(hidden).sum(axis=1).mean(), rel=1e-4)


def test_patience_stops_early(small):
    """Con paciencia 1 y un aprendizaje desbocado se detiene antes de la última época."""
    model = models.plain(SIZES)
    model.optimizer.learning_rate = 0.5
    run = train(model, small, epochs=30, patience=1)
    assert len(run.history["val_loss"]) == run.best_epoch + 1 < 30


@pytest.mark.parametrize(("epochs", "batch_size", "name"), [(0, 128, "epochs"), (1, 0, "batch_size")])
def test_invalid_arguments_are_named(small, epochs, batch_size, name):
    """Cero épocas o cero imágenes por lote se rechazan antes de entrenar."""
    with pytest.raises(ValueError, match=name):
        train(models.plain(SIZES), small, epochs=epochs, batch_size=batch_size)


def test_no_seeds_is_an_error(small):
    """Sin semillas no hay nada que entrenar, y se dice."""
    with pytest.raises(ValueError, match="seeds"):
        train_seeds(models.plain(SIZES), small, [])


def test_divergence_is_said(small):
    """Una pérdida que deja de ser finita detiene el entrenamiento con la época y la causa probable."""
    poisoned = dataclasses.replace(small, x_train=np.full_like(small.x_train, np.nan))
    with pytest.raises(FloatingPointError, match=r"semilla 7 .* época 1"):
        train(models.plain(SIZES), poisoned, seed=7, epochs=2)


def test_a_validation_loss_that_is_not_finite_is_said(small):
    """Aunque la pérdida de entrenamiento siga siendo finita."""
    poisoned = dataclasses.replace(small, x_val=np.full_like(small.x_val, np.nan))
    model = Recipe((8,), activation="silu").build(small)  # relu convierte en cero lo que no es un número
    with pytest.raises(FloatingPointError, match=r"semilla 2 .* época 1"):
        train(model, poisoned, seed=2, epochs=2)


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
    run = Run(model=None, seed=0, history=history, seconds=1.0)
    assert run.epoch_reaching(0.08, 0.98, "val_") == 3
    assert run.epoch_reaching(0.001, 0.98, "val_") is None
    assert run.best_epoch == 4


@pytest.mark.parametrize("verbose", [False, True])
def test_progress_only_when_watched(small, capsys, verbose):
    """La barra de progreso aparece solo si se pide."""
    train(models.plain(SIZES), small, epochs=1, seed=5, verbose=verbose)
    captured = capsys.readouterr()
    assert ("semilla 5" in captured.err) is verbose
    assert captured.out == ""


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
