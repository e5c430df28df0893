"""`tarea4.report.record`: lo que una ejecución anota de sí misma es lo que ejecutó y lo que midió."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.testing.globalipapp import start_ipython

from tarea4.report import q2, record

VALUES = {"data_path": None, "seeds": [0, 1], "epochs": 3, "batch_size": 128, "verbose": False}
P = q2.Parameters(**VALUES, hidden_sizes=[4], n_bins=5)
MEASURED = pd.DataFrame({
    "model": ["b", "b", "a"], "seed": [0, 1, 0], "val_loss": [0.1, 0.3, 0.5], "test_loss": [1.0, 2.0, 4.0],
    "test_accuracy": [0.9, 0.8, 0.7], "test_ece": [0.01, 0.03, np.nan],
})  # fmt: skip


def test_results_are_data(small):
    """Por red, medida y parte, en su orden: media, desviación típica y cuántas semillas; lo que no se midió no está."""
    found = json.loads(record.record(P, small, "mejor", MEASURED))
    rows = [tuple(row[name] for name in ("model", "quantity", "split", "mean", "n")) for row in found["results"]]
    assert rows == [
        ("b", "pérdida", "validación", 0.2, 2), ("b", "pérdida", "prueba", 1.5, 2),
        ("b", "exactitud", "prueba", pytest.approx(0.85), 2), ("b", "ECE", "prueba", pytest.approx(0.02), 2),
        ("a", "pérdida", "validación", 0.5, 1), ("a", "pérdida", "prueba", 4.0, 1),
        ("a", "exactitud", "prueba", 0.7, 1),
    ]  # fmt: skip
    assert [row["spread"] for row in found["results"]][1] == pytest.approx(0.5**0.5)
    assert found["results"][-1]["spread"] == 0
    assert (found["verdict"], found["parameters"]) == ("mejor", VALUES | {"hidden_sizes": [4], "n_bins": 5})


@pytest.mark.parametrize("name", ["x_train", "y_val", "x_test", "y_test"])
def test_data_are_told_apart(small, name):
    """Otra imagen u otra etiqueta, también de prueba, son otros datos."""
    changed = getattr(small, name).copy()
    changed[0] = 1 - changed[0]
    both = [small, dataclasses.replace(small, **{name: changed})]
    first, second = (json.loads(record.record(P, data, "", MEASURED))["data"]["digest"] for data in both)
    assert first != second


def test_what_ran_is_recorded(small):
    """El resumen de cada celda ejecutada, por su número, con la que anota; los blancos de los extremos no cuentan."""
    shell = start_ipython() or InteractiveShell.instance()
    shell.reset()
    shell.user_ns.update(record=record, p=P, data=small, measured=MEASURED)
    cells = ["a = 1", "\nb = 2  # así\n", "found = record.record(p, data, '', measured)"]
    for cell in cells:
        shell.run_cell(cell, store_history=True)
    ran = json.loads(shell.user_ns["found"])["cells"]
    assert ran[1:] == [record.source_digest(cell.strip()) for cell in cells]
    assert len(set(ran)) == 4
