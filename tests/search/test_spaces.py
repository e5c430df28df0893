"""Prueba `tarea4.search.spaces`: lo que propone cada estudio es lo que dicen sus parámetros, y se lee en español."""

import dataclasses
import math

import keras
import numpy as np
import optuna
import pytest

from tarea4.search.recipes import BUDGET_2020, Recipe
from tarea4.search.spaces import LABELS, NOISY, SPACES, proposed, shown


def test_q4_proposes_the_network_of_its_trial(small):
    """Las capas de Q3 con la tasa y las alfas del ensayo, 50 épocas; una alfa menor que 10⁻⁸ no está."""
    params = {"dropout": 0.3, "log10_alpha_l1": -4.5, "log10_alpha_l2": -8.1}
    training = SPACES["q4"].suggest(optuna.trial.FixedTrial(params), small)
    layers = {type(layer): layer for layer in training.model.layers}
    dense = [layer for layer in training.model.layers if isinstance(layer, keras.layers.Dense)]
    assert [layer.units for layer in dense] == [40, 50, 15, 10]
    assert layers[keras.layers.Dropout].rate == 0.3
    assert dense[2].activity_regularizer.get_config() == pytest.approx({"l1": 10**-4.5, "l2": 0.0})
    assert (training.epochs, training.batch_size) == (50, 128)


def test_grids_are_every_point_with_every_seed():
    """Cada rejilla, exacta: sus puntos, una vez con cada semilla de las que eligen, y ninguno repetido."""
    plain = [point["hidden_sizes"] for point in SPACES["q3"].designed()[::5]]
    assert plain == ["40-50-15", *("-".join([n] * k) for k in (1, 2, 3) for n in ("10", "20", "40", "60", "100"))]
    points = SPACES["q4-rejilla"].designed()
    rates = sorted({point["dropout"] for point in points if not point["alpha_l1"] + point["alpha_l2"]})
    assert rates == [0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5]
    pairs = {(point["alpha_l1"], point["alpha_l2"]) for point in points if point["dropout"] == 0.2}
    alphas = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1]
    assert pairs == {(0, 0)} | {pair for a in alphas for pair in ((a, 0), (0, a), (a, a))}
    assert {(p["alpha_l1"], p["alpha_l2"]) for p in points if p["dropout"] == 0.0} == pairs
    assert {point["hidden_sizes"] for point in points} == {"40-50-15"}
    for name in ("q3", "q4-rejilla"):
        keys = [tuple(point.values()) for point in SPACES[name].designed()]
        assert len(keys) == len(set(keys))
        assert {key[-1] for key in keys} == set(range(1000, 1005))
    chance = SPACES["q4-azar"].designed()
    assert [point["seed"] for point in chance[:3]] == [1000, 2000, 2001]
    assert len({point["dropout"] for point in chance}) == len(chance) / 3 == 45
    assert all(0 <= p["dropout"] <= 0.5 and -9 <= p["log10_alpha_l1"] <= -1 for p in chance)


def test_q5_proposes_the_recipe_of_its_trial(small):
    """De veinte ensayos, cada receta lleva lo que dicen sus parámetros y sus redes llenan el presupuesto, si lo hay."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.enqueue_trial(NOISY)
    recipes = []
    for _ in range(20):
        trial = study.ask()
        recipe = SPACES["q5"].suggest(trial, small)
        study.tell(trial, 1.0)
        params, fields = trial.params, dataclasses.asdict(recipe)
        assert {field: fields[field] for field in fields if field in params} == {
            key: value for key, value in params.items() if key in fields
        }
        for alpha in ("alpha_l1", "alpha_l2"):
            exponent = params[f"log10_{alpha}"]
            assert fields[alpha] == (pytest.approx(10**exponent) if exponent >= -8 else 0)
        steps = [params[f"ratio_{i}"] for i in range(2, params["n_layers"] + 1)]
        wanted = [recipe.hidden_sizes[0] * math.prod(steps[:i]) for i in range(len(steps) + 1)]
        assert recipe.hidden_sizes == [max(1, round(size)) for size in wanted]
        recipes.append(recipe)
    totals = [recipe.build(small).count_params() for recipe in recipes]
    # Una unidad más por capa son como mucho unos 3 000 parámetros.
    assert 0.9 * BUDGET_2020 < min(totals) <= max(totals) <= BUDGET_2020
    assert {len(recipe.hidden_sizes) for recipe in recipes} == {1, 2, 3, 4, 5}
    assert {recipe.epochs for recipe in recipes} == {50}
    varied = [
        field.name for field in dataclasses.fields(Recipe) if len({str(getattr(r, field.name)) for r in recipes}) > 1
    ]
    assert len(varied) == 13  # todos, menos las épocas y lo que solo usa «Más allá»
    assert (recipes[0].noise, recipes[0].learning_rate, recipes[0].weight_decay) == (0.3, 4e-3, 0.05)


@pytest.mark.parametrize("name", [name for name, space in SPACES.items() if not space.grid])
def test_every_hyperparameter_has_a_name(name, small):
    """Todo lo que un estudio propone, hasta con cinco capas, se dice en español en las figuras y en la tabla."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(0))
    study.enqueue_trial({"n_layers": 5})
    trial = study.ask()
    SPACES[name].suggest(trial, small)
    assert len(trial.params) >= 3
    assert trial.params.keys() <= LABELS.keys()
    assert LABELS["ratio_3"] == "razón capa 3 / capa 2"


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("batch_norm", True, "sí"), ("batch_norm", np.False_, "no"), ("schedule", "coseno", "coseno"),
        ("n_layers", 2.0, "2"), ("parameters", 34_535, "34\xa0535"), ("noise", np.nan, "—"), ("activation", None, "—"),
        ("val_loss", 0.081249, "0,0812"), ("val_accuracy", 0.98123, "98,12\xa0%"), ("dropout", 0.12345, "0,123"),
        ("log10_alpha_l1", -3.0, "10⁻³"), ("log10_alpha_l2", -8.5, "0"), ("learning_rate", 9.9e-5, "9,9·10⁻⁵"),
        ("learning_rate", 1e-4, "0,0001"),
    ],
)  # fmt: skip
def test_values_are_read_in_spanish(name, value, text):
    """Cada columna se lee como lo que es: una alfa por su exponente, una exactitud en porcentaje, un tamaño entero."""
    assert shown(name, value) == text


def test_the_same_networks_with_other_images(small):
    """En «reparto», las últimas imágenes son las de siempre; cada otro nombre da su validación, y las mismas redes."""
    seen = {}
    for point in SPACES["reparto"].designed():
        if point["seed"] == 0:
            training, images = proposed("reparto", optuna.trial.FixedTrial(point), small)
            seen[point["network"], point["split"]] = training.model.count_params(), images.digest
    parameters, digests = zip(*seen.values(), strict=True)
    assert parameters == (34_375,) * 10 + (34_775,) * 10
    assert digests[:10] == digests[10:]
    assert len({*digests}) == 10
    assert digests[0] == small.digest


def test_the_log_is_sought_with_its_own_epochs(small):
    """En «registro», cada red con cada lote, hasta la última época registrada y midiendo lo que Keras imprimía."""
    points = SPACES["registro"].designed()
    trainings = [proposed("registro", optuna.trial.FixedTrial(point), small)[0] for point in points[::5]]
    found = [(each.model.count_params(), each.batch_size) for each in trainings]
    assert found == [(n, size) for n in (34_375, 34_775, 34_535, 22_305) for size in (32, 64, 128, 256, 512)]
    assert {(each.epochs, each.train_metrics) for each in trainings} == {(27, True)}
