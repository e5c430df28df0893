"""Lo que una ejecución anota de sí misma, como datos: parámetros, imágenes, celdas, resultados, fecha y versiones."""

import hashlib
import json
from datetime import UTC, datetime
from importlib.metadata import version

import numpy as np
import pandas as pd
from IPython import get_ipython

from tarea4.data import Dataset
from tarea4.report.parameters import Common
from tarea4.report.words import SPLITS

QUANTITIES = {"loss": "pérdida", "accuracy": "exactitud", "ece": "ECE"}


def source_digest(source: str) -> str:
    """Resumen de una celda, sin contar los blancos de los extremos, que cada programa guarda a su manera."""
    return hashlib.sha256(source.strip().encode()).hexdigest()[:16]


def record(p: Common, data: Dataset, verdict: str, measured: pd.DataFrame) -> str:
    """En JSON, lo que se ejecutó y lo que dio; va en la última celda y solo se cree lo que coincide con sus celdas.

    `cells` es el resumen de lo ejecutado con cada número; `results` tiene, por red, medida y parte, la media, la
    desviación típica (0 con una semilla) y cuántas semillas.
    """
    shell, images = get_ipython(), hashlib.sha256(data.digest.encode())
    for array in (data.x_test, data.y_test):
        images.update(np.ascontiguousarray(array).data)
    results = [
        {"model": model, "quantity": QUANTITIES[quantity], "split": SPLITS[split], "n": len(found)}
        | {"mean": float(found.mean()), "spread": float(found.std(ddof=1)) if len(found) > 1 else 0.0}
        for model, rows in measured.groupby("model", sort=False)
        for split in SPLITS
        for quantity in QUANTITIES
        if f"{split}_{quantity}" in rows and len(found := rows[f"{split}_{quantity}"].dropna())
    ]
    return json.dumps({
        "parameters": p.model_dump(mode="json"),
        "data": {"digest": images.hexdigest(), "description": data.description},
        "cells": [source_digest(source) for source in shell.history_manager.input_hist_raw] if shell else [],
        "verdict": verdict,
        "results": results,
        "date": datetime.now(UTC).isoformat(),
        "versions": {package: version(package) for package in ("keras", "tensorflow", "numpy")},
    }, ensure_ascii=False)  # fmt: skip
