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
from IPython.display import HTML
from optuna.trial import TrialState, create_trial
from test_plots import (  # noqa: F401  las pruebas generales corren también con las figuras de este archivo
    cell_texts,
    contrast,
    luminance,
    shown_ticks,
    test_every_axis_says_what_it_measures,
    test_every_text_fits_in_the_figure,
    test_svg_is_reproducible_and_complete,
)

from tarea4.report.words import number
from tarea4.search import plots as search_plots
from tarea4.search import tables as study_tables
from tarea4.search.reading import front, grid_losses, trials_table, varied_together
from tarea4.search.spaces import GRID, LABELS, SPACES, shown

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


def designed_loss(point: dict) -> float:
    """Una pérdida distinta en cada punto de la rejilla: la menor, con dropout 0,2 y alfas de 10⁻⁵."""
    return 0.08 + (point["dropout"] - 0.2) ** 2 + 0.01 * (point["log10_alpha_l1"] + 5) ** 2


def make_q4(**changes) -> pd.DataFrame:
    """La rejilla de Q4 y, entre medias, ensayos que no son de ella y que la mejoran."""
    rng = np.random.default_rng(0)
    others = [
        {"dropout": rate, "log10_alpha_l1": l1, "log10_alpha_l2": l2}
        for rate, l1, l2 in [(0.21, -5.0, -5.0), (0.2, -5.0, -4.0), *rng.uniform((0, -9, -9), (0.5, -1, -1), (20, 3))]
    ]
    trials = [make_trial(point, designed_loss(point)) for point in GRID] + [make_trial(point, 0.05) for point in others]
    return trials_table(make_study(*trials)).assign(**changes)


def make_q5(n: int = 60, smallest: float = 1e4, largest: float = 2e6) -> pd.DataFrame:
    """Ensayos de Q5 de muchos tamaños, la tercera parte podados."""
    rng = np.random.default_rng(n)
    sizes = np.geomspace(smallest, largest, n).astype(int).tolist()
    trials = [
        make_trial({"noise": rng.uniform()}, float(loss), parameters=size, pruned=i % 3 == 0)
        for i, (size, loss) in enumerate(zip(rng.permutation(sizes).tolist(), rng.lognormal(-2.5, 0.6, n), strict=True))
    ]
    return trials_table(make_study(*trials))


def heatmap(trials, x="dropout", y="log10_alpha_l1"):
    """El mapa de calor de la rejilla de Q4."""
    return search_plots.heatmap(grid_losses(trials, GRID, x, y), varied_together(GRID))


def pareto(trials, references=None):
    """El frente, con unas redes de referencia: por nombre, sus parámetros y su pérdida media de dos semillas."""
    rows = [(name, n, loss + d) for name, (n, loss) in (references or {}).items() for d in (-0.01, 0.01)]
    return search_plots.pareto(trials, pd.DataFrame(rows, columns=["model", "parameters", "val_loss"]))


FIGURES = {
    "rejilla": lambda: heatmap(make_q4()),
    "rejilla tumbada": lambda: heatmap(make_q4(), "log10_alpha_l2", "dropout"),
    "frente": lambda: pareto(make_q5(), REFERENCES),
    "frente de un estudio con límite": lambda: pareto(make_q5(40, 33_000, 34_535)),
}


@pytest.fixture(params=FIGURES.values(), ids=FIGURES.keys())
def make_figure(request):
    """Quien hace cada figura."""
    return request.param


def test_heatmap_shows_the_grid_and_only_the_grid():
    """Cada celda lleva la pérdida de su punto, aunque haya ensayos mejores fuera de la rejilla."""
    axis = FIGURES["rejilla"]().axes[0]
    rates, exponents = (sorted({point[name] for point in GRID}) for name in ("dropout", "log10_alpha_l1"))
    texts = {place: text.get_text() for place, text in cell_texts(axis).items()}
    assert texts == {
        (exponents.index(point["log10_alpha_l1"]), rates.index(point["dropout"])): number(designed_loss(point))
        for point in GRID
    }
    assert [label.get_text() for label in axis.get_xticklabels()] == ["0", "0,1", "0,2", "0,3", "0,4", "0,5"]
    assert [label.get_text() for label in axis.get_yticklabels()][:3] == ["0", "10⁻⁷", "10⁻⁵"]


def test_heatmap_names_what_moves_together():
    """El eje de una alfa dice que la otra vale lo mismo; el del dropout, que va solo."""
    axis = FIGURES["rejilla"]().axes[0]
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("dropout de la entrada", "alfa de l1 = alfa de l2")


def test_heatmap_frames_the_least_loss():
    """El recuadro está en la celda de menor pérdida."""
    axis = FIGURES["rejilla"]().axes[0]
    column, row = axis.patches[0].get_xy()
    assert cell_texts(axis)[row, column].get_text() == "0,0800"


def test_heatmap_leaves_blank_what_is_missing():
    """Un punto podado o sin correr queda en blanco, en su sitio; sin ninguno, se dice."""
    trials = make_q4()
    worst = trials["val_loss"].idxmax()
    pruned = heatmap(trials.assign(pruned=trials.index == worst))
    missing = heatmap(trials.drop(worst))
    for figure in (pruned, missing):
        assert len(cell_texts(figure.axes[0])) == len(GRID) - 1
        assert figure.axes[0].collections[0].get_array().shape == (7, 6)
    with pytest.raises(ValueError, match=r"^trials: entre 64 .* los 42 de `grid`"):
        heatmap(make_q4(pruned=True))


def test_heatmap_is_read_without_colour():
    """La luminancia crece con la pérdida, sin depender del tono, y todo número contrasta 4,5 o más con su celda."""
    axis = FIGURES["rejilla"]().axes[0]
    mesh = axis.collections[0]
    colours = {place: mesh.cmap(mesh.norm(mesh.get_array()[place])) for place in cell_texts(axis)}
    assert all(contrast(text.get_color(), colours[place]) >= 4.5 for place, text in cell_texts(axis).items())
    by_loss = sorted(colours, key=lambda place: mesh.get_array()[place])
    lights = [float(luminance(colours[place])) for place in by_loss]
    assert lights == sorted(lights)
    # Las diez mejores, de 0,08 a 0,12, se distinguen aunque la peor pase de 0,3: en escala lineal darían 1,5.
    assert contrast(colours[by_loss[0]], colours[by_loss[9]]) > 2.5


@pytest.mark.parametrize("name", SPACES)
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


def test_little_is_not_shown():
    """Con menos ensayos de los que una figura necesita se dice cuántos faltan, y no se intenta hacer."""
    trials = make_q5(2)
    assert study_tables.when_enough(trials, 2, lambda: HTML("figura")).data == "figura"
    assert "2 ensayos" in study_tables.when_enough(trials, 3, lambda: 1 / 0).data


def test_the_numbers_of_the_figures_are_those_they_draw():
    """Las tablas plegadas dan, en su sitio, las pérdidas del mapa de calor y el frente de Pareto."""
    losses = grid_losses(make_q4().drop(0), GRID, "dropout", "log10_alpha_l1")
    table = study_tables.grid_table(losses)
    assert list(table.columns) == ["alfa de l1 \\ dropout de la entrada", "0", "0,1", "0,2", "0,3", "0,4", "0,5"]
    assert list(table.iloc[:, 0]) == ["0", "10⁻⁷", "10⁻⁵", "10⁻⁴", "10⁻³", "10⁻²", "10⁻¹"]
    assert table.loc[4, "0,1"] == number(designed_loss({"dropout": 0.1, "log10_alpha_l1": -3}))
    trials, best = make_q5(), front(make_q5())
    assert study_tables.front_table(trials).to_numpy().tolist() == [
        [number(row.parameters, 0), number(row.val_loss)] for row in best.itertuples()
    ]
