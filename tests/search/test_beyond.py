"""Las recetas largas de «Más allá» se entrenan una vez, se guardan como texto y se siguen tras un corte."""

import json

import pytest

from tarea4.search import beyond
from tarea4.search.recipes import Recipe


@pytest.fixture
def recipes(monkeypatch):
    """Dos recetas que tardan poco: una con FGSM sobre imágenes promediadas y otra con etiquetas suaves."""
    quick = {
        "corta": Recipe((8,), pool=True, epsilon=0.05, epochs=2, learning_rate=1e-2),
        "corta, suave": Recipe((8,), label_smoothing=0.1, epochs=1),
    }
    monkeypatch.setattr(beyond, "RECIPES", quick)
    return quick


def test_only_what_is_missing_is_trained(small, recipes, tmp_path, monkeypatch, capsys):
    """Tras un corte se entrena solo lo que falta; una receta que cambió se entrena otra vez."""
    beyond.run_missing(small, [0, 1], recipes, tmp_path)
    assert len(list(tmp_path.iterdir())) == 4
    (tmp_path / "corta-1.json").unlink()
    capsys.readouterr()
    beyond.run_missing(small, [0, 1], recipes, tmp_path)
    assert capsys.readouterr().out.startswith("corta, semilla 1:")
    beyond.run_missing(small, [0, 1], recipes, tmp_path)
    assert capsys.readouterr().out == ""
    monkeypatch.setitem(recipes, "corta, suave", Recipe((9,), label_smoothing=0.1, epochs=1))
    beyond.run_missing(small, [0], recipes, tmp_path)
    assert capsys.readouterr().out.startswith("corta, suave, semilla 0:")


def test_what_is_stored_is_true(small, recipes, tmp_path):
    """Lo guardado es texto, con la receta, la curva y lo medido en prueba, y cuadra consigo mismo."""
    beyond.run_missing(small, [3], recipes, tmp_path)
    table = beyond.stored(tmp_path)
    assert list(table["model"]) == list(recipes)
    first = table.iloc[0]
    n = len(small.y_test)
    assert sum(first["errors"]) == round(n * (1 - first["test_accuracy"]))
    assert first["val_loss"] == pytest.approx(min(first["history"]["val_loss"]), abs=1e-5)  # con cinco decimales
    assert first["parameters"] == 12 * 12 * 8 + 4 * 8 + 8 * 10 + 10
    assert len(first["history"]["val_loss"]) == recipes["corta"].epochs
    assert 0 <= first["ece"] <= 1
    stored = json.loads((tmp_path / "corta-3.json").read_text(encoding="utf-8"))
    assert stored["recipe"]["epsilon"] == 0.05


def test_nothing_stored_is_an_empty_table(tmp_path):
    """Sin archivos, la tabla está vacía."""
    assert beyond.stored(tmp_path / "nada").empty
