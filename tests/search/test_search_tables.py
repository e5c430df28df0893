"""Lo que las tablas de la búsqueda dicen de un estudio y de lo guardado."""

import pandas as pd

from tarea4.search import reading, tables

TRIALS = pd.DataFrame(
    {
        "pruned": [False, True, False, False],
        "val_loss": [0.07, 0.08, 0.09, 0.1],
        "dropout": [0.1, 0.2, 0.3, 0.4],
        "log10_alpha_l1": [-8.5, -4.0, -2.0, -1.0],
        "log10_alpha_l2": [-4.0, -4.0, -9.0, -1.0],
    }
)


def test_q4_takes_the_best_trials_that_were_not_pruned():
    """Q4 entrena los mejores ensayos sin podar; un exponente menor que -8 es ninguna alfa."""
    assert reading.best_settings(TRIALS, 2) == [
        {"dropout": 0.1, "alpha_l1": 0.0, "alpha_l2": 1e-4},
        {"dropout": 0.3, "alpha_l1": 1e-2, "alpha_l2": 0.0},
    ]
    assert reading.best_settings(TRIALS.head(0), 2) == []


def test_q5_tells_what_is_stored():
    """«Más allá» cuenta sus entrenamientos, sus horas y sus medias; sin ninguno, dice cómo se hacen."""
    row = {"model": "una", "parameters": 1000, "seconds": 1800.0, "date": "2026-11-23"}
    row["versions"] = {"keras": "3.15", "tensorflow": "2.21"}
    row |= {"history": {"val_loss": [1, 2]}, "test_accuracy": 0.99, "test_loss": 0.03, "ece": 0.01}
    row |= {"errors": [1, 3]}
    further = pd.DataFrame([row, row | {"test_accuracy": 0.98, "errors": [3, 3]}])
    assert (
        "2 entrenamientos, el 23 de noviembre de 2026, con Keras 3.15 y TensorFlow 2.21: 1,0 horas"
        in tables.beyond_summary(further)
    )
    assert "98,50 ±\N{NO-BREAK SPACE}0,71" in tables.beyond_table(further).data
    assert "<td>2,0</td>" in tables.digit_errors_table(further).data
    assert "make mas-alla" in tables.beyond_summary(pd.DataFrame())
    assert "<table" in tables.beyond_table(pd.DataFrame()).data
