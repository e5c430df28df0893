"""Un estudio se dibuja, se resume y se ordena como es: `tarea4.search.plots`, `tables` y lo que leen."""

import itertools
from datetime import datetime, timedelta

import matplotlib
import numpy as np
import optuna
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState, create_trial
from test_plots import (  # noqa: F401  las pruebas generales corren también con las figuras de este archivo
    shown_ticks,
    test_every_axis_says_what_it_measures,
    test_every_text_fits_in_the_figure,
    test_svg_is_reproducible_and_complete,
)

from tarea4.report.words import number
from tarea4.search import plots as search_plots
from tarea4.search import tables as study_tables
from tarea4.search.reading import front, trials_table
from tarea4.search.spaces import LABELS, SPACES, shown

matplotlib.use("Agg")
pytestmark = pytest.mark.filterwarnings("error")

VERSIONS = {"keras": "3.15.1", "tensorflow": "2.21.0"}
UNIT = optuna.distributions.FloatDistribution(-9, 1)
REFERENCES = {"simple de Q1": (33_750, 0.12), "regularizado de Q3": (34_535, 0.1), "otra": (2_000_000, 0.03)}


def make_trial(params, val_loss, *, parameters=34_535, pruned=False, day=23, versions=VERSIONS):
    """Un ensayo terminado, de 90 segundos, con lo que `tarea4.search` guarda de cada uno."""
    trial = create_trial(
        state=TrialState.PRUNED if pruned else TrialState.COMPLETE,
        value=val_loss,
        params=params,
        distributions=dict.fromkeys(params, UNIT),
        user_attrs={"parameters": parameters, "versions": versions} | ({} if pruned else {"val_accuracy": 0.9812}),
        intermediate_values={1: val_loss + 0.1, 2: val_loss},
    )
    trial.datetime_start = datetime(2026, 11, day, 12)
    trial.datetime_complete = trial.datetime_start + timedelta(seconds=90)
    return trial


def make_study(*trials) -> optuna.Study:
    study = optuna.create_study()
    study.add_trials(trials)
    return study


def make_q5(n: int = 60, smallest: float = 1e4, largest: float = 2e6) -> pd.DataFrame:
    """Ensayos de Q5 de muchos tamaños, la tercera parte podados."""
    rng = np.random.default_rng(n)
    sizes = np.geomspace(smallest, largest, n).astype(int).tolist()
    trials = [
        make_trial({"noise": rng.uniform()}, float(loss), parameters=size, pruned=i % 3 == 0)
        for i, (size, loss) in enumerate(zip(rng.permutation(sizes).tolist(), rng.lognormal(-2.5, 0.6, n), strict=True))
    ]
    return trials_table(make_study(*trials))


def pareto(trials, references=None):
    """El frente, con unas redes de referencia: por nombre, sus parámetros y su pérdida media de dos semillas."""
    rows = [(name, n, loss + d) for name, (n, loss) in (references or {}).items() for d in (-0.01, 0.01)]
    return search_plots.pareto(trials, pd.DataFrame(rows, columns=["model", "parameters", "val_loss"]))


FIGURES = {
    "frente": lambda: pareto(make_q5(), REFERENCES),
    "frente de un estudio con límite": lambda: pareto(make_q5(40, 33_000, 34_535)),
}


@pytest.fixture(params=FIGURES.values(), ids=FIGURES.keys())
def make_figure(request):
    """Quien hace cada figura."""
    return request.param


@pytest.mark.parametrize("name", [name for name, space in SPACES.items() if not space.grid])
def test_every_hyperparameter_has_a_name(name, small):
    """Todo lo que un estudio propone, hasta con cinco capas, se dice en español en las figuras y en la tabla."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(0))
    study.enqueue_trial({"n_layers": 5})
    trial = study.ask()
    SPACES[name].suggest(trial, small)
    assert len(trial.params) >= 3
    assert trial.params.keys() <= LABELS.keys()


@settings(derandomize=True, database=None, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9) | st.just(np.nan)), max_size=12))
def test_front_is_what_nothing_improves(points):
    """El frente, comparado con su definición por fuerza bruta: empates, repetidos y pérdidas no finitas incluidos."""
    trials = pd.DataFrame(points, columns=["parameters", "val_loss"], dtype=float)
    found = front(trials)
    expected = {
        (size, loss)
        for size, loss in points
        if not np.isnan(loss) and not any(a <= size and b <= loss and (a, b) != (size, loss) for a, b in points)
    }
    assert [tuple(row) for row in found[["parameters", "val_loss"]].to_numpy()] == sorted(expected)


def test_pareto_draws_every_trial_and_the_front():
    """Los podados van huecos, y la escalera pasa por el frente y sigue hasta la red mayor."""
    trials = make_q5()
    complete, pruned, steps = pareto(trials).axes[0].lines
    assert len(complete.get_xdata()) + len(pruned.get_xdata()) == len(trials)
    assert sorted(pruned.get_xdata()) == sorted(trials.loc[trials["pruned"], "parameters"])
    assert (complete.get_markerfacecolor(), pruned.get_markerfacecolor()) == (search_plots.GREY, "none")
    best = front(trials)
    assert steps.get_drawstyle() == "steps-post"
    np.testing.assert_allclose(steps.get_xydata()[:-1], best[["parameters", "val_loss"]])
    assert steps.get_xdata()[-1] == trials["parameters"].max()
    assert list(steps.get_markevery()) == list(range(len(best)))


def test_pareto_marks_the_references():
    """Cada red conocida está en su sitio, con un aspecto propio, y la leyenda da su nombre y sus cifras."""
    figure = pareto(make_q5(), REFERENCES)
    marks = figure.axes[0].lines[-3:]
    np.testing.assert_allclose([mark.get_xydata()[0] for mark in marks], list(REFERENCES.values()))
    assert len({(mark.get_color(), mark.get_marker()) for mark in marks}) == 3
    assert figure.legends[0].get_texts()[-3].get_text() == "simple de Q1: 0,1200, con 33\xa0750 parámetros"


def test_pareto_joins_studies_one_of_them_empty():
    """Dos estudios juntos, uno aún sin ensayos, dan el frente del que los tiene."""
    trials, none = make_q5(), trials_table(make_study())
    alone, joined = (pareto(table).axes[0].lines[-1] for table in (trials, pd.concat([trials, none])))
    np.testing.assert_array_equal(alone.get_xydata(), joined.get_xydata())


@pytest.mark.parametrize("largest", [34_500, 60_000, 210_000, 250_000, 1e6, 9e6, 4e7, 1e10])
def test_sizes_are_told_without_overlapping(largest):
    """De un estudio de un solo tamaño a siete décadas, el eje da al menos dos números y ninguno pisa a otro."""
    figure = pareto(make_q5(40, 33_000, largest))
    figure.draw_without_rendering()
    boxes = [tick.get_window_extent() for tick in shown_ticks(figure.axes[0].xaxis)]
    assert len(boxes) >= 2
    assert all(box.x1 + 3 < after.x0 for box, after in itertools.pairwise(boxes))


def test_study_table_reads_the_best_trials():
    """Los n mejores, en orden y en español: alfas como potencias, cero bajo 10⁻⁸, y una raya en lo que no hay."""
    points = [{"log10_alpha_l1": exponent, "dropout": 0.1234567} for exponent in (-8.5, -4.0, -2.0)]
    trials = [make_trial(point, 0.1 + 0.1 * i, pruned=i == 1) for i, point in enumerate(points)]
    trials.append(make_trial({"noise": 1e-5, "dropout": 0.0}, 0.05, parameters=1_234_567))
    made = study_tables.study_table(trials_table(make_study(*trials)), 3).data
    soup = BeautifulSoup(made, "html.parser")
    assert [[cell.text for cell in row("td")] for row in soup.tbody("tr")] == [
        ["3", "1\xa0234\xa0567", "0,0500", "98,12\xa0%", "2", "0", "10⁻⁵", "—"],
        ["0", "34\xa0535", "0,1000", "98,12\xa0%", "2", "0,123", "—", "0"],
        ["1", "34\xa0535", "0,2000", "—", "2", "0,123", "—", "10⁻⁴"],
    ]
    names = ["Ensayo", "Parámetros", "Pérdida", "Exactitud", "Épocas", "Dropout de la entrada"]
    assert [cell.text for cell in soup.thead("th")] == [*names, "Ruido de la entrada", "Alfa de l1"]


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [("batch_norm", True, "sí"), ("batch_norm", np.False_, "no"), ("schedule", "coseno", "coseno"), ("n", 2.0, "2")],
)
def test_values_are_read_in_spanish(name, value, text):
    """Lo que no es un número con decimales también se lee."""
    assert shown(name, value) == text


def test_study_summary_of_several_days_and_versions():
    """Cuántos, podados, entre qué días, con qué versiones y en cuánto tiempo."""
    trials = [make_trial({}, 0.1, day=1 + i // 30, pruned=i % 25 == 0) for i in range(49)]
    study = make_study(*trials, make_trial({}, 0.1, versions=VERSIONS | {"keras": "3.16.0"}))
    assert study_tables.study_summary(study, trials_table(study)) == (
        "Terminaron 50 ensayos, 2 de ellos podados, entre el 1 de noviembre de 2026 y el 23 de noviembre de 2026, "
        "con Keras 3.15.1 o 3.16.0 y TensorFlow 2.21.0: 1 h y 15 min de entrenamiento en total."
    )


def test_study_summary_of_one_trial():
    """Con un ensayo, la frase va en singular."""
    study = make_study(make_trial({}, 0.1))
    assert study_tables.study_summary(study, trials_table(study)) == (
        "Terminó 1 ensayo, ninguno podado, el 23 de noviembre de 2026, "
        "con Keras 3.15.1 y TensorFlow 2.21.0: 2 min de entrenamiento en total."
    )


def test_the_numbers_of_the_figure_are_those_it_draws():
    """La tabla plegada da, en su sitio, el frente de Pareto."""
    trials, best = make_q5(), front(make_q5())
    assert study_tables.front_table(trials).to_numpy().tolist() == [
        [number(row.parameters, 0), number(row.val_loss)] for row in best.itertuples()
    ]
