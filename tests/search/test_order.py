"""El orden de las imágenes: cuál ve cada entrenamiento, época a época, y lo que se dice del estudio que los compara."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from samples import cells

from tarea4.models import plain
from tarea4.search import tables
from tarea4.search.order import ORDERS, KerasFit
from tarea4.search.run import SPACES
from tarea4.search.spaces import fingerprint
from tarea4.search.stages import in_order
from tarea4.training import Training, train

SEEN = []


@keras.saving.register_keras_serializable("pruebas")
class Witness(keras.Sequential):
    """Una red que apunta qué imágenes le llegan, por la suma de sus píxeles."""

    def train_step(self, data):
        tf.py_function(lambda x: SEEN.extend(x.numpy().sum(axis=1).tolist()), [data[0]], [])
        return super().train_step(data)


@pytest.fixture
def witness():
    network = Witness([keras.Input((784,)), keras.layers.Dense(10, activation="softmax")])
    network.compile("adam", "categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    return network


@pytest.mark.parametrize(("reshuffled", "orders"), [(False, 1), (True, 3)])
def test_the_order_of_each_epoch(witness, small, reshuffled, orders):
    """Con la semilla puesta, `fit` repite el orden en cada época salvo que un `tf.data.Dataset` baraje; ve todo."""
    SEEN.clear()
    run = KerasFit(witness, epochs=3, reshuffled=reshuffled).fit(small, seed=1)
    epochs = np.reshape(SEEN, (3, len(small.x_train)))
    assert len({tuple(epoch) for epoch in epochs.tolist()}) == orders
    np.testing.assert_allclose(np.sort(epochs[2]), np.sort(small.x_train.sum(axis=1)), rtol=1e-5)  # sumas de float32
    assert len(run.history["val_loss"]) == 3


def test_fit_starts_where_our_training_does(small):
    """Con la misma semilla, los pesos iniciales de `fit` son los de este libro: con tasa cero no se mueven."""
    network = plain((5,))
    network.optimizer.learning_rate = 0.0
    theirs, ours = KerasFit(network, epochs=1).fit(small, seed=3), train(network, small, seed=3, epochs=1)
    for a, b in zip(theirs.model.get_weights(), ours.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert theirs.history["val_loss"] == pytest.approx(ours.history["val_loss"], abs=1e-5)  # en otro orden de sumas


def test_the_three_trainings_differ_only_in_the_order(small):
    """El estudio compara tres entrenamientos distintos de la misma red, con las mismas épocas, lotes y semillas."""
    trainings = [in_order(order, small) for order in ORDERS]
    kinds = [(type(each), getattr(each, "reshuffled", None)) for each in trainings]
    assert kinds == [(KerasFit, False), (KerasFit, True), (Training, None)]
    assert len({fingerprint(each) for each in trainings[:2]}) == 2
    assert {(each.epochs, each.batch_size, each.model.count_params()) for each in trainings} == {(50, 128, 34_375)}
    seeds = {order: [p["seed"] for p in SPACES["orden"].designed() if p["order"] == order] for order in ORDERS}
    assert [*seeds.values()] == [[*range(10)]] * 3


def measured(**by_order):
    rows = [(order, seed, *values) for order, group in by_order.items() for seed, values in enumerate(group)]
    return pd.DataFrame(rows, columns=["model", "seed", "val_loss", "last_loss", "test_loss", "test_accuracy"])


def test_orders_are_told_apart():
    """La tabla da la media de cada orden; la frase, qué pérdida es mayor, y cuál no se distingue."""
    noise = [0.001, -0.001, 0.002, -0.002]
    fixed = [(0.11, 0.25 + e, 0.12 + 2 * e, 0.965) for e in noise]
    new = [(0.10, 0.20 - e, 0.10 - e, 0.970) for e in noise]
    ours = [(0.10, 0.20 + e, 0.10 + e, 0.970) for e in noise]
    found = measured(**dict(zip(ORDERS, (fixed, new, ours), strict=True)))
    rows = cells(tables.orders_table(found, "Órdenes"))
    assert [row[0] for row in rows[1:]] == list(ORDERS)
    assert rows[1][2:] == ["0,2500 ± 0,0018", "0,1200 ± 0,0037", "96,50 ± 0,00"]
    text = tables.orders_reading(found)
    assert "El orden fijo parece tener mayor pérdida en la última época, en validación, que el orden nuevo" in text
    assert "El orden fijo parece tener mayor pérdida en prueba que el orden nuevo" in text
    assert (
        "no distinguen la función de este libro del orden nuevo por la pérdida en la última época, en validación ("
        in text
    )
    assert "no distinguen la función de este libro del orden nuevo por la pérdida en prueba (" in text
    brief = tables.orders_reading(found, brief=True)
    assert brief.count("El orden fijo parece tener mayor pérdida") == brief.count("diferencia") == 2
    assert "menor pérdida" in tables.orders_reading(measured(**dict(zip(ORDERS, (new, fixed, fixed), strict=True))))
