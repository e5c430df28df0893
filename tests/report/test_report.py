"""Prueba `tarea4.report`: que las cifras y las frases dicen lo que las comparaciones permiten decir."""

import re

import keras
import numpy as np
import pandas as pd
import pytest

from tarea4 import models
from tarea4.evaluation import results, worst_confusions
from tarea4.report import html, plots, tables, words
from tarea4.statistics import Comparison, paired_difference
from tarea4.training import Run, train_seeds

BASE = np.array([0.10, 0.12, 0.11, 0.13, 0.12])
NOISE = np.array([0.001, -0.001, 0.0005, 0.0, -0.0005])


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [(34375, 0, "34\xa0375"), (0.07996, 4, "0,0800"), (-0.5, 1, "−0,5"), (np.nan, 2, "no definido"), (np.inf, 2, "∞")],
)
def test_numbers_are_written_in_spanish(value, decimals, text):
    """Coma decimal, espacio de millares, signo menos tipográfico, y nombre para lo que no es un número."""
    assert words.number(value, decimals) == text


@pytest.mark.parametrize(
    ("p", "text"),
    [(1, "p = 1,0000"), (0.0312, "p = 0,0312"), (1e-4, "p = 0,0001"), (9.9e-5, "p < 0,0001"), (0, "p < 0,0001")],
)
def test_a_p_value_is_never_zero(p, text):
    """Un valor p menor que lo que sus decimales dicen se da como cota, no como cero."""
    assert words.p_value(p) == text


@pytest.mark.parametrize(
    ("alpha", "text"), [(0, "0"), (7e-14, "7·10⁻¹⁴"), (1e-4, "10⁻⁴"), (2.5, "2,5·10⁰"), (10, "10¹")]
)
def test_alphas_are_powers_of_ten(alpha, text):
    """Las alfas se escriben como potencias de diez, y el cero, sin ellas."""
    assert words.scientific(alpha) == text


@pytest.mark.parametrize(
    ("shift", "metric", "expected"),
    [
        (-0.05, "loss", "El A tiene menor pérdida en validación que el B"),
        (0.05, "loss", "El A tiene mayor pérdida en validación que el B"),
        (0.05, "accuracy", "El A tiene mayor exactitud en validación que el B"),
        (-0.05, "accuracy", "El A tiene menor exactitud en validación que el B"),
        (0.0, "loss", "Estas semillas no distinguen la pérdida en validación del A y el B"),
    ],
)
def test_verdict_says_what_the_interval_allows(shift, metric, expected):
    """Mejor, peor o indistinguible según dónde caiga el intervalo, con la diferencia, el intervalo y las semillas."""
    comparison = paired_difference(BASE + shift + NOISE, BASE)
    sentence = words.verdict("el A", "el B", metric, comparison, "en validación")
    assert sentence.startswith(expected)
    assert words.interval(comparison, *((4,) if metric == "loss" else (2, 100))) in sentence
    assert "5 semillas" in sentence


def test_one_seed_proves_nothing():
    """Con una sola semilla no hay intervalo, y la frase lo dice por grande que sea la diferencia."""
    sentence = words.verdict("el A", "el B", "loss", paired_difference([0.9], [0.1]), "en validación")
    assert sentence == "Con una sola semilla no hay intervalo, y nada prueba que el A y el B difieran en validación."


@pytest.mark.parametrize(
    ("low", "high", "lower_is_better", "expected"),
    [
        (0.1, 0.2, False, "mejor"),
        (0.1, 0.2, True, "peor"),
        (-0.2, -0.1, True, "mejor"),
        (-0.2, -0.1, False, "peor"),
        (-0.1, 0.1, True, "sin diferencia"),
        (0.0, 0.1, False, "sin diferencia"),
        (np.nan, np.nan, False, "sin diferencia"),
    ],
)
def test_outcome_needs_an_interval_without_zero(low, high, lower_is_better, expected):
    """Hay diferencia solo si el intervalo deja fuera el cero."""
    comparison = Comparison((low + high) / 2, low, high, 0.01, 5, 0.95)
    assert words.outcome(comparison, lower_is_better=lower_is_better) == expected


@pytest.mark.parametrize(
    ("epochs", "text"),
    [
        ([12, None, 15], "llega con 2 de 3 semillas, entre las épocas 12 y 15"),
        ([7], "llega con 1 de 1 semilla, en la época 7"),
        ([None, None], "no llega con ninguna de 2 semillas"),
    ],
)
def test_epochs_reaching(epochs, text):
    """Con cuántas semillas se llega a un umbral, y cuándo; también si no se llega."""
    assert words.epochs_reaching(pd.Series(epochs, dtype="Int64")) == text


def test_figure_carries_its_description():
    """La figura lleva su texto alternativo y su pie escapados, y sus números en una tabla plegada."""
    runs = {"simple": [Run(None, 0, {f"{p}loss": [0.2, 0.1] for p in tables.SENSES}, 1.0)]}
    shown = html.figure(plots.curves(runs), "a < b", 'dice "hola"', tables.curve_table(runs, "loss")).data
    assert 'alt="dice &quot;hola&quot;"' in shown
    assert "<figcaption>a &lt; b</figcaption>" in shown
    assert "<details>" in shown
    assert "0,1000" in shown
    assert 'src="data:image/svg+xml;base64,' in shown


def test_tables_escape_their_texts():
    """Ningún texto llega a la página como HTML."""
    shown = html.table(pd.DataFrame({"<b>": ["<script>"]}), "<i>").data
    assert "<script>" not in shown
    assert "<b>" not in shown
    assert "<i>" not in shown


def test_summary_counts_parameters():
    """El resumen de la variante impresa en 2020 dice 34 535 = 34 455 + 80."""
    shown = tables.summary(models.printed_variant()).data
    assert "34\xa0535 parámetros: 34\xa0455 se entrenan y 80 no." in shown


def test_tables_of_results_are_in_spanish(small):
    """Las tablas de resultados llevan encabezados en español, medias con su dispersión y las semillas como filas."""
    runs = {"simple": train_seeds(models.plain((6,)), small, [0, 1], epochs=2)}
    measured = results(runs, small)
    shown = tables.results_table(measured, "Resultados").data
    for text in ("Parámetros", "Pérdida, validación", "Exactitud (%), prueba", "±", "<th>simple</th>"):
        assert text in shown
    assert "Mejor época" in tables.explored_table(measured, "Probados").data
    assert list(tables.seeds_table(measured, "val_loss").columns) == ["Semilla", "simple"]
    in_test = words.in_test(measured, "simple")
    assert re.fullmatch(r"pérdida \d,\d{4} ±\s.* y exactitud .* ±\s.* % en prueba \(2 semillas\)", in_test)


def test_confusions_are_tables():
    """Las matrices de confusión y sus errores más frecuentes se leen como tablas."""
    cm = np.array([[5, 1], [2, 4]])
    counts = tables.confusion_table({"simple": cm})
    assert counts.to_numpy().tolist() == [["simple", 0, 5, 1], ["simple", 1, 2, 4]]
    shown = tables.confusions_table(worst_confusions(cm, 1), "Confusiones").data
    assert "33,33\xa0%" in shown


def test_thresholds_are_tables():
    """Las épocas en que se llega a los umbrales, por semilla y por red, con una raya donde no se llega."""
    rows = [("20", seed, sense, epoch) for sense in tables.SENSES for seed, epoch in ((0, 3), (1, None))]
    reached = pd.DataFrame(rows, columns=["model", "seed", "sense", "epoch"]).astype({"epoch": "Int64"})
    by_seed = tables.epochs_table(reached, "Épocas").data
    assert by_seed.count("<td>3</td>") == 3
    assert by_seed.count("—") == 3
    assert "llega con 1 de 2 semillas, en la época 3" in tables.reached_table(reached, {"20": 15_910}, "Redes").data


def test_claims_are_a_table():
    """Cada afirmación de 2020 va con lo medido y su desenlace."""
    shown = tables.claims_table([("a", "b", "se confirma")]).data
    assert re.search(r"En 2020.*Hoy.*Desenlace.*se confirma", shown, re.DOTALL)


@pytest.mark.parametrize(
    "build",
    [
        lambda data: models.try_01(),
        lambda data: models.try_02(),
        lambda data: models.regularised((6, 5), dropout=0.0, alpha_l1=1e-3, alpha_l2=2e-3, **data.sizes),
        lambda data: models.printed_variant(),
    ],
    ids=["try_01", "try_02", "otras alfas", "variante impresa"],
)
def test_the_keras_code_shown_builds_that_network(small, build):
    """Las líneas de Keras que se enseñan, ejecutadas, construyen una red igual, capa por capa."""
    model = build(small)
    lines = tables.keras_code(model).data.removeprefix("```python\n").removesuffix("\n```")
    namespace = {"keras": keras, "layers": keras.layers, "regularizers": keras.regularizers}
    exec(lines, namespace)

    def described(network):
        return [(type(layer), _without_zeros(layer.get_config())) for layer in network.layers]

    assert described(namespace["model"]) == described(model)
    assert namespace["model"].loss == model.loss


def _without_zeros(config):
    """La configuración de una capa sin su nombre ni las penalizaciones nulas, que son como no tenerlas."""
    penalty = config.get("activity_regularizer") or {"config": {}}
    terms = {name: alpha for name, alpha in penalty["config"].items() if alpha}
    return {k: v for k, v in config.items() if k not in ("name", "activity_regularizer")} | {"terms": terms}
