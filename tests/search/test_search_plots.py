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
    test_svg_is_reproducible_and_leaves_no_trace,
)

from tarea4.search import plots as search_plots
from tarea4.search import tables as study_tables
from tarea4.search.reading import front, trials_table
from tarea4.search.spaces import LABELS, SPACES, shown

matplotlib.use("Agg")
pytestmark = pytest.mark.filterwarnings("error")

VERSIONS = {"keras": "3.15.1", "tensorflow": "2.21.0"}
UNIT = optuna.distributions.FloatDistribution(-9, 1)


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


def make_points(n: int = 12, smallest: float = 1e4, largest: float = 2e6) -> pd.DataFrame:
    """Puntos de una rejilla de capas, de muchos tamaños y con pérdidas revueltas."""
    rng = np.random.default_rng(n)
    return pd.DataFrame({
        "hidden_sizes": [f"{i + 20}-{i + 1}" for i in range(n)], "val_loss": rng.lognormal(-2.5, 0.3, n),
        "parameters": rng.permutation(np.geomspace(smallest, largest, n)).round(),
        "spread": rng.uniform(0.001, 0.004, n),
    })  # fmt: skip


FIGURES = {
    "frente": lambda: search_plots.pareto(make_points(), 34_535),
    "frente de tamaños parecidos": lambda: search_plots.pareto(make_points(8, 33_000, 34_535), 34_535),
}


@pytest.fixture(scope="module", params=FIGURES.values(), ids=FIGURES.keys())
def made(request):
    """Quien hace cada figura, una ya hecha y su SVG."""
    figure = request.param()
    return request.param, figure, figure._repr_svg_()


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


def test_pareto_draws_every_network_and_the_front():
    """Cada red en su sitio, con su desviación; la escalera pasa por el frente, y las mejores llevan su nombre."""
    points = make_points()
    axis = search_plots.pareto(points, 34_535).axes[0]
    (bars,) = axis.containers
    np.testing.assert_allclose(bars[0].get_xydata(), points[["parameters", "val_loss"]])
    heights = [segment[1, 1] - segment[0, 1] for segment in bars[2][0].get_segments()]
    np.testing.assert_allclose(heights, 2 * points["spread"])
    best = front(points)
    assert 1 < len(best) < len(points)
    (steps,) = [line for line in axis.lines if line.get_drawstyle() == "steps-post"]
    np.testing.assert_allclose(steps.get_xydata(), best[["parameters", "val_loss"]])
    named = {text.get_text(): text.xy for text in axis.texts}
    chosen = [best[best["parameters"] <= 34_535].iloc[-1], best.iloc[-1]]
    assert named == {row["hidden_sizes"]: (row["parameters"], row["val_loss"]) for row in chosen}


def test_pareto_draws_the_limit():
    """La raya de puntos está en el límite que se le da, con su nombre."""
    axis = search_plots.pareto(make_points(), 99_000).axes[0]
    (line,) = [line for line in axis.lines if line.get_linestyle() == "--"]
    assert set(line.get_xdata()) == {99_000}
    assert line.get_label() == "parámetros de 2020"


@pytest.mark.parametrize("largest", [34_500, 60_000, 210_000, 250_000, 1e6, 9e6, 4e7, 1e10])
def test_sizes_are_told_without_overlapping(largest):
    """De un solo tamaño a siete décadas, el eje da al menos dos números y ninguno pisa a otro."""
    figure = search_plots.pareto(make_points(12, 33_000, largest), 34_535)
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
