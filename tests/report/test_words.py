"""`tarea4.report.words`: cada cifra y cada frase dice lo que lo medido permite decir, y nada más."""

from datetime import date, datetime

import numpy as np
import pandas as pd
import pytest
from samples import measured

from tarea4.report import words
from tarea4.statistics import Comparison, Interval, paired_difference

BASE = np.array([0.10, 0.12, 0.11, 0.13, 0.12])
NOISE = np.array([0.001, -0.001, 0.0005, 0.0, -0.0005])


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (1234567.891, 1, "1\xa0234\xa0567,9"),
        (0.07996, 4, "0,0800"),
        (-0.5, 1, "−0,5"),
        (np.nan, 2, "no definido"),
        (np.inf, 2, "∞"),
        (-np.inf, 2, "−∞"),
    ],
)
def test_numbers_are_written_in_spanish(value, decimals, text):
    """Coma decimal, espacio de millares, signo menos tipográfico, y nombre para lo que no es un número."""
    assert words.number(value, decimals) == text
    assert words.percent(value / 100, decimals) == f"{text}\xa0%"


@pytest.mark.parametrize(
    ("alpha", "text", "exact"),
    [
        (0, "0", "0"),
        (7e-14, "7·10⁻¹⁴", "7·10⁻¹⁴"),
        (1e-4, "10⁻⁴", "10⁻⁴"),
        (0.1004, "10⁻¹", "1,004·10⁻¹"),
        (1.2345e-3, "1,23·10⁻³", "1,2345·10⁻³"),
        (25, "2,5·10¹", "2,5·10¹"),
    ],
)
def test_alphas_are_powers_of_ten(alpha, text, exact):
    """Las alfas son potencias de diez, con tres cifras o, para un nombre, con todas."""
    assert words.scientific(alpha) == text
    assert words.scientific(alpha, exact=True) == exact


def test_quantities_agree_with_their_noun():
    """Uno es singular; cero y los demás, plural, también el irregular."""
    assert [words.plural(n, "semilla") for n in (0, 1, 2000)] == ["0 semillas", "1 semilla", "2\xa0000 semillas"]
    assert [words.plural(n, "red", "redes") for n in (1, 2)] == ["1 red", "2 redes"]
    assert words.layers((40, 50, 15)) == "40-50-15"


def test_means_carry_the_sample_deviation():
    """La desviación es la de una muestra (entre n - 1), en las mismas unidades; de un solo valor no la hay."""
    assert words.mean_and_spread([0.01, 0.02, 0.06]) == "0,0300 ±\xa00,0265"
    assert words.mean_and_spread([0.01, 0.02, 0.06], 1, 100) == "3,0 ±\xa02,6"
    assert words.mean_and_spread([0.5]) == "0,5000"
    assert words.interval(Interval(0.5, 0.25, 0.75), 1, 100) == "[25,0; 75,0]"


@pytest.mark.parametrize(
    ("shift", "metric", "expected"),
    [
        (-0.05, "loss", "El A tiene menor pérdida en prueba que la B (diferencia de −0,0500, "),
        (0.05, "loss", "El A tiene mayor pérdida en prueba que la B (diferencia de 0,0500, "),
        (0.05, "accuracy", "El A tiene mayor exactitud en prueba que la B (diferencia de 5,00 puntos, "),
        (-0.05, "accuracy", "El A tiene menor exactitud en prueba que la B (diferencia de −5,00 puntos, "),
        (0.0, "loss", "Estas semillas no distinguen el A de la B por la pérdida en prueba (diferencia de 0,0000, "),
    ],
)
def test_verdict_says_what_the_interval_allows(shift, metric, expected):
    """Mayor, menor o indistinto según dónde caiga el intervalo, con la diferencia, el intervalo y las semillas."""
    comparison = paired_difference(BASE + shift + NOISE, BASE, 0.9)
    low, high = (100 * end if metric == "accuracy" else end for end in (comparison.low, comparison.high))
    bounds = f"[{low:.2f}; {high:.2f}]" if metric == "accuracy" else f"[{low:.4f}; {high:.4f}]"
    bounds = bounds.replace(".", ",").replace("-", "−")
    sentence = words.verdict("el A", "la B", metric, comparison, "en prueba")
    assert sentence == f"{expected}intervalo del 90\xa0% {bounds}, 5 semillas)."


def test_one_seed_proves_nothing():
    """Con una sola semilla no hay intervalo, y la frase lo dice por grande que sea la diferencia."""
    sentence = words.verdict("el A", "el B", "loss", paired_difference([0.9], [0.1]), "en validación")
    assert sentence == "Con una sola semilla no hay intervalo, y nada prueba que el A y el B difieran en validación."
    two = words.verdict("el A", "el B", "loss", paired_difference([0.9, 0.9], [0.1, 0.1001]), "en validación")
    assert two.startswith("El A ")
    assert two.endswith(", 2 semillas).")


@pytest.mark.parametrize(
    ("low", "high", "lower", "higher"),
    [
        (0.1, 0.2, "peor", "mejor"),
        (-0.2, -0.1, "mejor", "peor"),
        (-0.1, 0.1, *["sin diferencia"] * 2),
        (0.0, 0.1, *["sin diferencia"] * 2),
        (-0.1, 0.0, *["sin diferencia"] * 2),
        (np.nan, np.nan, *["sin diferencia"] * 2),
    ],
)
def test_outcome_needs_an_interval_without_zero(low, high, lower, higher):
    """Hay diferencia solo si el intervalo deja fuera el cero, y es buena o mala según la métrica."""
    comparison = Comparison((low + high) / 2, low, high, 0.01, 5, 0.95)
    assert words.outcome(comparison, lower_is_better=True) == lower
    assert words.outcome(comparison) == higher


@pytest.mark.parametrize(
    ("epochs", "text"),
    [
        ([12, None, 15, 9], "llega con 3 de 4 semillas, entre las épocas 9 y 15"),
        ([7], "llega con su única semilla, en la época 7"),
        ([None], "no llega con su única semilla"),
        ([4, 4, None], "llega con 2 de 3 semillas, en la época 4"),
        ([None, None], "no llega con ninguna de 2 semillas"),
        ([3, 5], "llega con 2 de 2 semillas, entre las épocas 3 y 5"),
    ],
)
def test_epochs_reaching(epochs, text):
    """Con cuántas semillas se llega a un umbral, y de qué época a cuál, en orden; también si no se llega."""
    brief = text if len(epochs) == 1 else text.removeprefix("no ").removeprefix("llega con ").replace(" semillas", "")
    assert words.epochs_reaching(epochs, brief=True) == brief
    assert words.epochs_reaching(pd.Series(epochs, dtype="Int64")) == text


def test_dates_are_told_in_order():
    """Un día, o el primero y el último aunque vengan revueltos, con el mes por su nombre."""
    assert words.days([date(2026, 5, 3)]) == "el 3 de mayo de 2026"
    days = iter([datetime(2026, 2, 1, 9), datetime(2026, 12, 31, 7), datetime(2025, 1, 31, 8)])
    assert words.days(days) == "entre el 31 de enero de 2025 y el 31 de diciembre de 2026"
    assert len(words.MONTHS) == 12


def test_sentences_look_at_their_column_and_model():
    """La frase de prueba no toma la validación ni otro modelo; las medias van por modelo, en su orden."""
    columns = {"val_loss": 0.3, "val_accuracy": 0.7, "test_loss": 0.5, "test_accuracy": 0.9}
    table = measured({"b": columns, "a": {name: value / 2 for name, value in columns.items()}})
    own = table[table["model"] == "a"]
    loss, accuracy = own["test_loss"].std(), 100 * own["test_accuracy"].std()
    expected = f"pérdida 0,2500 ±\xa0{loss:.4f} y exactitud 45,00 ±\xa0{accuracy:.2f}\xa0% en prueba (5 semillas)"
    assert words.in_test(table, "a") == expected.replace(".", ",")
    assert words.means(table, "val_accuracy") == "b, 70,00\xa0%; a, 35,00\xa0%"


def test_who_chooses_its_last_epochs_is_counted():
    """De cada modelo, en su orden, cuántas semillas eligen una época de más allá de los nueve décimos."""
    epochs = {"a tiempo": [45, 44, 50, 9], "a la mitad": [46, 47, 3, 45], "tarde, y con coma": [50, 46, 46, 50]}
    rows = [(name, epoch, 50) for name, found in epochs.items() for epoch in found] + [("corta", 46, 60)]
    table = pd.DataFrame(rows, columns=["model", "best_epoch", "epochs"])
    assert words.at_the_end(table).endswith(
        "podrían mejorar: a tiempo, 1 de 4; a la mitad, 2 de 4; tarde, y con coma, 4 de 4; corta, 0 de 1."
    )


@pytest.mark.parametrize(("p_value", "has"), [(9e-5, "tiene"), (1.1e-4, "parece tener")])
def test_a_difference_that_might_not_be_seen_again_only_seems(p_value, has):
    """Una diferencia probada se afirma si su valor p es de menos de uno entre diez mil; si no, se dice que parece."""
    comparison = Comparison(-0.02, -0.03, -0.01, p_value, 10, 0.95)
    assert words.verdict("la red A", "la B", "loss", comparison, "en prueba").startswith(
        f"La red A {has} menor pérdida en prueba que la B ("
    )
