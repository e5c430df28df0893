"""Las recetas de «Más allá» se miden también en prueba, y lo que se guarda de ellas es verdad."""

import numpy as np
import pytest

from tarea4.data import pooled
from tarea4.search.reading import trials_table
from tarea4.search.recipes import Recipe
from tarea4.search.run import open_study, search
from tarea4.search.stages import CONFIRMING, RECIPES, SPACES
from tarea4.training import train_all


def test_a_recipe_is_measured_on_test(images, tmp_path, monkeypatch):
    """De una receta corta, con FGSM sobre imágenes reducidas, se guarda lo que da entrenarla otra vez."""
    quick = Recipe((8,), pool=True, epsilon=0.05, epochs=2, learning_rate=1e-2)

    def suggest(trial, _):
        trial.suggest_categorical("recipe", ["corta"])
        return quick

    space = SPACES["mas-alla"]._replace(suggest=suggest, designed=lambda: [{"recipe": "corta", "seed": 3}])
    monkeypatch.setitem(SPACES, "mas-alla", space)
    study = open_study("mas-alla", tmp_path / "mas-alla.log", images, create=True)
    search(study, images, n_trials=1, bar=False)
    row = trials_table(study).iloc[0]
    small = pooled(images)
    [run] = train_all({"": quick.training(small)}, small, [3])[""]
    assert row["val_loss"] == pytest.approx(run.best("val_loss"), rel=1e-4)
    outputs = run.model(small.x_test).numpy()
    wrong = outputs.argmax(axis=1) != small.y_test
    assert row["errors"] == [np.count_nonzero(wrong & (small.y_test == digit)) for digit in range(10)]  # de esa clase
    assert row["test_accuracy"] == pytest.approx(1 - wrong.mean())
    right = outputs[np.arange(len(outputs)), small.y_test]
    assert row["test_loss"] == pytest.approx(-np.log(right).mean(), rel=1e-4)
    assert row["parameters"] == 12 * 12 * 8 + 4 * 8 + 8 * 10 + 10
    assert (row["epochs"], row["seed"], row["recipe"]) == (2, 3, "corta")
    assert 0 <= row["ece"] <= 1


def test_every_recipe_is_designed_with_the_seeds_of_the_notebooks():
    """Cada receta, una vez con cada semilla de las que confirman."""
    points = SPACES["mas-alla"].designed()
    assert [(point["recipe"], point["seed"]) for point in points] == [(r, s) for r in RECIPES for s in CONFIRMING]
