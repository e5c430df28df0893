"""Pruebas de tarea4.plots: lo que la figura dibuja es lo que los datos dicen, y se lee."""

import io
import itertools
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.collections import FillBetweenPolyCollection
from matplotlib.colors import to_hex, to_rgba
from matplotlib.text import Text

from tarea4.evaluation import confident_errors, confusion
from tarea4.report import drawing, plots
from tarea4.statistics import calibration, mean_interval
from tarea4.training import Run

matplotlib.use("Agg")
# Una advertencia de NumPy o de Matplotlib (un NaN, un eje que no cabe) es una figura mal hecha.
pytestmark = pytest.mark.filterwarnings("error")


def make_run(seed: int, n_epochs: int) -> Run:
    """Un entrenamiento con historia de cifras reconocibles; la red no interviene en una figura."""
    rng = np.random.default_rng(seed)
    senses = ("", "train_", "val_")
    history = {f"{sense}loss": rng.uniform(0.05, 0.5, n_epochs).tolist() for sense in senses}
    history |= {f"{sense}accuracy": rng.uniform(0.9, 1, n_epochs).tolist() for sense in senses}
    return Run(None, seed, history, 1.0)


def make_table() -> pd.DataFrame:
    """Una tabla como la de `results`, con una red de una sola semilla."""
    rows = [
        ("simple", 0.97),
        ("simple", 0.98),
        ("simple", 0.975),
        ("una red de nombre muy largo, más que el eje", 0.96),
    ]
    return pd.DataFrame(rows, columns=["model", "test_accuracy"]).assign(seconds=[1.0, 2.0, 4.0, 3.0])


def make_steps() -> pd.DataFrame:
    """Pasos con sus semillas; cada columna tiene sus cifras."""
    names = ["simple", "una receta de nombre muy largo, más que el eje", "+ dropout"]
    return pd.DataFrame([
        {"model": name, "seed": seed, "val_accuracy": 0.98 - i / 100 + seed / 1000, "test_accuracy": 0.9 + seed / 500,
         "val_loss": 0.1 * i + seed / 10, "test_loss": 3 - i}
        for i, name in enumerate(names) for seed in range(i + 1)
    ])  # fmt: skip


LONG_NAMES = [
    "dropout 0,20, l1 = 10⁻⁴, l2 = 10⁻⁴",
    "una red de nombre tan largo que no cabe en un renglón de la figura, por ancha que la figura sea",
    "W" * 90,
]
ALPHAS = [0.1, 0, 1e-15, 1e-6, 1e-3]


def make_alphas() -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(0).uniform(0.05, 0.5, (5, 3)), index=ALPHAS)


def make_sizes() -> dict[str, pd.DataFrame]:
    """Dos curvas desordenadas según los parámetros, y una red suelta."""
    losses = np.random.default_rng(1).uniform(0.01, 0.2, (3, 2))
    return {
        "1 capa": pd.DataFrame(losses, index=[79_510, 7_960, 31_810]),
        "2 capas": pd.DataFrame(losses / 2, index=[8_070, 89_610, 33_450]),
        "40-50-15": pd.DataFrame(losses[:1] / 3, index=[34_375]),
    }


def make_lines() -> dict[str, pd.DataFrame]:
    """Una recta de quince décadas y un punto de ella."""
    return {"l1": pd.DataFrame([2e-14, 20], index=[1e-15, 1]), "2020": pd.DataFrame([1.4e-12], index=[7e-14])}


def make_searched() -> pd.DataFrame:
    """Veinte ajustes; el mejor al buscar no es el mejor con semillas nuevas."""
    fresh = np.roll(np.linspace(0.07, 0.3, 20), 7)
    return pd.DataFrame({"search": np.roll(np.linspace(0.06, 0.2, 20), 3), "fresh": fresh})


def make_matrix(k: int, largest: int) -> np.ndarray:
    rng = np.random.default_rng(k)
    return np.where(rng.random((k, k)) < 0.5, rng.integers(0, 30, (k, k)), 0) + np.diag(np.full(k, largest))


def make_calibration(seed: int):
    rng = np.random.default_rng(seed)
    return calibration(rng.integers(0, 4, 300), rng.dirichlet(np.full(4, 0.4), 300))


def make_digits(m: int, height: int, width: int) -> tuple:
    rng = np.random.default_rng(m)
    return rng.random((m, height, width)), rng.integers(0, 10, m), rng.dirichlet(np.ones(10), m)


FIGURES = {
    "curvas": lambda: plots.curves({name: [make_run(i, 30) for i in range(3)] for name in ("simple", "regularizado")}),
    "curvas de una época": lambda: plots.curves({"simple": [make_run(0, 1)]}, "accuracy", threshold=0.98),
    "curvas de muchas redes": lambda: plots.curves({f"red {i}": [make_run(i, 4)] for i in range(9)}, threshold=0.08),
    "curvas de nombres largos": lambda: plots.curves({name: [make_run(0, 4)] for name in LONG_NAMES}),
    "curvas de más redes que alto": lambda: plots.curves({f"red {i}": [make_run(i, 4)] for i in range(50)}),
    "confusión": lambda: plots.confusion_matrices(
        {"simple": make_matrix(10, 1135), "regularizado": make_matrix(10, 9)}
    ),
    "confusión de 2 clases": lambda: plots.confusion_matrices({"simple": make_matrix(2, 54321)}),
    "confusión de 60 clases": lambda: plots.confusion_matrices({"simple": make_matrix(60, 80)}),
    "dígitos": lambda: plots.digits(*make_digits(10, 28, 28)),
    "dígitos apaisados": lambda: plots.digits(*make_digits(3, 8, 20)),
    "ningún dígito": lambda: plots.digits(*make_digits(0, 28, 28)),
    "primera capa": lambda: plots.first_layers(
        {"simple": make_digits(40, 28, 28)[0], "otra": make_digits(3, 28, 28)[0]}
    ),
    "primera capa apaisada": lambda: plots.first_layers({"simple": -make_digits(7, 8, 20)[0]}),
    "fiabilidad": lambda: plots.reliability({"simple": make_calibration(0), "regularizado": make_calibration(1)}),
    "intervalos": lambda: plots.intervals(make_table(), "test_accuracy", references={"2020": 0.9752}),
    "tiempos": lambda: plots.intervals(make_table(), "seconds"),
    "brecha": lambda: plots.gap({"simple": make_alphas().set_axis(range(1, 6)), "otra": -make_alphas().iloc[:, :1]}),
    "brecha de una época": lambda: plots.gap({"simple": pd.DataFrame({0: [-0.12]}, index=[1])}),
    "alfas": lambda: plots.sweep({"l1": make_alphas(), "l2": make_alphas() * 2}, "alfa", scale="alpha"),
    "alfa cero": lambda: plots.sweep({"l1": make_alphas().loc[[0]]}, "alfa", "val_accuracy", scale="alpha"),
    "capas": lambda: plots.sweep(make_sizes(), "parámetros", scale="log", references=[("umbral", 0.08)]),
    "penalizaciones": lambda: plots.sweep(make_lines(), "alfa", "nats", scale="log", references=[("bit", 2e-9)]),
    "búsqueda": lambda: plots.diagonal(make_searched()),
    "pasos": lambda: plots.steps(make_steps(), "accuracy"),
    "un paso": lambda: plots.steps(make_steps().head(1), "loss"),
    "líneas": lambda: plots.lines(
        {"una": make_alphas(), LONG_NAMES[1]: make_alphas()}, xlabel="alfa", ylabel="pérdida"
    ),
}


@pytest.fixture(scope="module", params=FIGURES.values(), ids=FIGURES.keys())
def made(request):
    """Quien hace cada figura, una ya hecha y su SVG."""
    figure = request.param()
    return request.param, figure, figure._repr_svg_()


def luminance(colour) -> float:
    """Luminancia relativa de WCAG 2."""
    rgb = np.array(to_rgba(colour)[:3])
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]


def contrast(colour, other) -> float:
    """Contraste de WCAG 2, de 1 a 21."""
    darker, lighter = sorted([luminance(colour), luminance(other)])
    return (lighter + 0.05) / (darker + 0.05)


def shown_ticks(axis) -> list[Text]:
    """Los números que un eje dibuja, dentro de sus límites."""
    low, high = sorted(axis.get_view_interval())
    return [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]


def lines_with_data(axis) -> list:
    return [line for line in axis.lines if len(line.get_xdata())]


def cell_texts(axis) -> dict[tuple[int, int], Text]:
    """Los textos de una matriz, por fila y columna."""
    return {(int(text.get_position()[1]), int(text.get_position()[0])): text for text in axis.texts}


def test_every_text_fits_in_the_figure(made):
    """Ningún rótulo, número o leyenda queda cortado por el borde."""
    _, figure, _ = made
    figure.draw_without_rendering()
    # Matplotlib guarda también números de fuera de los límites del eje, que no dibuja.
    ticks = {label for axis in figure.axes for label in [*axis.get_xticklabels(), *axis.get_yticklabels()]}
    shown = {label for axis in figure.axes for label in shown_ticks(axis.xaxis) + shown_ticks(axis.yaxis)}
    texts = [text for text in figure.findobj(Text) if text.get_text().strip() and text not in ticks - shown]
    assert texts
    edges = figure.bbox.padded(1)  # un píxel: el redondeo de las letras
    for text in texts:
        box = text.get_window_extent()
        assert edges.x0 <= box.x0 <= box.x1 <= edges.x1, text
        assert edges.y0 <= box.y0 <= box.y1 <= edges.y1, text


def test_every_axis_says_what_it_measures(made):
    """Todo eje con números lleva rótulo; los nombres de las redes y las imágenes se bastan."""
    for axis in made[1].axes:
        if any(label.get_text() for label in axis.get_xticklabels()):
            assert axis.get_xlabel()


def test_svg_is_reproducible_and_leaves_no_trace(made):
    """El SVG es XML válido, no lleva fecha, y de los mismos datos sale siempre el mismo.

    No deja figuras abiertas en pyplot ni cambios en el estilo de quien llama.
    """
    make, _, svg = made
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert "<dc:date>" not in svg
    before, open_figures = matplotlib.rcParams.copy(), pyplot.get_fignums()
    assert make()._repr_svg_() == svg
    assert matplotlib.rcParams == before
    assert pyplot.get_fignums() == open_figures


def test_style_does_not_depend_on_the_caller():
    """Quien llama tiene otra letra: la de la figura, números de los ejes incluidos, no cambia."""
    expected = FIGURES["alfas"]()._repr_svg_()
    with matplotlib.rc_context({"font.size": 30, "axes.titlesize": 40}):
        assert FIGURES["alfas"]()._repr_svg_() == expected


def test_families_keep_their_colour():
    """El color de las redes de 2020 no depende del orden ni de la compañía, y ninguna otra lo usa."""
    names = ["otra", "regularizado", *(f"red {i}" for i in range(20)), "simple"]
    colours = {name: colour for name, _, colour, _ in drawing.with_colours(dict.fromkeys(names))}
    assert colours["simple"] == "#0072B2"
    assert colours["regularizado"] == "#D55E00"
    assert sum(colour in drawing.COLOURS.values() for colour in colours.values()) == 2


def test_thirty_five_other_models_are_told_apart():
    """Color y marca juntos no se repiten antes de la 36.ª red."""
    looks = [(colour, marker) for *_, colour, marker in drawing.with_colours(dict.fromkeys(map(str, range(35))))]
    assert len(set(looks)) == 35


def test_only_the_first_of_a_family_has_its_colour():
    """La primera red de cada familia lleva el color de su familia en cualquier capítulo; la segunda, otro."""
    names = ["40-50-15", "simple (Q3)", "dropout 0,20", "simple"]
    looks = {name: colour for name, _, colour, _ in drawing.with_colours(dict.fromkeys(names))}
    assert looks["simple (Q3)"] == drawing.COLOURS["simple"]
    assert looks["dropout 0,20"] == drawing.COLOURS["regularizado"]
    assert len(set(looks.values())) == 4


def test_the_matrix_of_2020_is_in_jet():
    """La matriz como en 2020 usa el mapa jet y una escala lineal; la del informe, no."""
    for as_in_2020, cmap, middle in ((True, "jet", 0.5), (False, "Blues", 0.5**0.4)):
        mesh = plots.confusion_matrices({"a": make_matrix(3, 9)}, as_in_2020=as_in_2020).axes[0].collections[0]
        assert mesh.cmap.name == cmap
        assert mesh.norm(50) == pytest.approx(middle)


def test_the_first_layer_is_drawn_unit_by_unit():
    """Cada unidad, en su sitio, fila a fila; el color es el mismo para todas las redes, y el cero, blanco."""
    ours, theirs = make_digits(7, 4, 6)[0] - 0.5, 0.1 * make_digits(2, 4, 6)[0]
    figure = plots.first_layers({"simple": ours, "otra": theirs})
    first, second = (axis.images[0] for axis in figure.axes[:2])
    tiles = first.get_array().filled(np.nan)
    assert tiles.shape == (2 * 6, 5 * 8)  # cada unidad, con un píxel de margen
    np.testing.assert_array_equal(tiles[6:12, 8:16][1:-1, 1:-1], ours[6])
    np.testing.assert_array_equal(second.get_array().filled(np.nan)[:6, 8:16][1:-1, 1:-1], theirs[1])
    assert np.isnan(tiles[6:, 16:]).all()
    assert first.get_clim() == second.get_clim() == pytest.approx((-first.norm.vmax, first.norm.vmax))
    assert 0.4 < first.norm.vmax <= np.abs(ours).max()


@pytest.mark.parametrize(("metric", "scale"), [("loss", 1), ("accuracy", 100)])
def test_curves_draw_the_mean_and_the_range_of_the_seeds(metric, scale):
    """En cada sentido, la línea es la media de las semillas y la franja llega de la menor a la mayor."""
    runs = [make_run(i, 20) for i in range(4)]
    axis = plots.curves({"simple": runs}, metric).axes[0]
    lines = lines_with_data(axis)[:3]
    bands = [band for band in axis.collections if isinstance(band, FillBetweenPolyCollection)]
    for sense, line, band in zip(("", "train_", "val_"), lines, bands, strict=True):
        histories = scale * np.array([run.history[sense + metric] for run in runs])
        assert line.get_xdata().tolist() == list(range(1, 21))
        np.testing.assert_allclose(line.get_ydata(), histories.mean(axis=0))
        drawn = band.get_paths()[0].vertices
        for epoch, values in enumerate(histories.T, 1):
            heights = drawn[drawn[:, 0] == epoch, 1]
            assert (heights.min(), heights.max()) == pytest.approx((values.min(), values.max()))
    assert len({line.get_linestyle() for line in lines}) == 3
    assert axis.get_yscale() == ("log" if metric == "loss" else "linear")


def test_curves_mark_the_chosen_epoch_of_every_seed():
    """Un rombo por semilla, en su época de menor pérdida de validación, también en la curva de exactitud."""
    runs = [make_run(i, 20) for i in range(4)]
    axis = plots.curves({"simple": runs}, "accuracy").axes[0]
    diamonds = lines_with_data(axis)[-1]
    assert diamonds.get_marker() == "D"
    expected = [(run.best_epoch, 100 * run.history["val_accuracy"][run.best_epoch - 1]) for run in runs]
    np.testing.assert_allclose(diamonds.get_xydata(), expected)


@pytest.mark.parametrize(
    ("n_epochs", "threshold", "best", "low"), [(20, None, 9, 80), (20, 0.7, 9, 70), (20, None, 1, 30), (5, None, 3, 20)]
)
def test_accuracy_is_looked_at_where_it_differs(n_epochs, threshold, best, low):
    """El primer décimo de las épocas queda fuera del marco, y se dice; el umbral y lo elegido, nunca."""
    run = make_run(0, n_epochs)
    run.history["val_loss"][best - 1] = 0.001
    for i, prefix in enumerate(("", "train_", "val_")):
        run.history[f"{prefix}accuracy"] = [0.2 + 0.05 * i, 0.4, *[0.8 + 0.01 * i] * (n_epochs - 2)]
    axis = plots.curves({"simple": [run]}, "accuracy", threshold=threshold).axes[0]
    said = "las primeras épocas quedan debajo" in [text.get_text() for text in axis.texts]
    assert said == (low > 20)
    pad = 0.05 * (82 - low)  # 82 es la mayor
    assert axis.get_ylim() == pytest.approx((low - pad, 82 + pad))
    assert plots.curves({"simple": [run]}, "loss").axes[0].texts[:] == []


def test_curves_go_on_with_the_seeds_that_go_on():
    """Si una semilla se detuvo antes, el final es de las demás, y el eje llega hasta él."""
    short, long = make_run(0, 2), make_run(1, 5)
    axis = plots.curves({"simple": [short, long]}).axes[0]
    validation = lines_with_data(axis)[2].get_ydata()
    assert validation[1] == pytest.approx((short.history["val_loss"][1] + long.history["val_loss"][1]) / 2)
    assert validation[2:].tolist() == long.history["val_loss"][2:]
    assert axis.get_xlim() == (0.5, 5.5)


@pytest.mark.parametrize(("n_epochs", "marked"), [(1, True), (15, True), (16, False), (50, False)])
def test_short_curves_have_markers(n_epochs, marked):
    """Una curva de una época no se vería sin marcas; cada sentido tiene la suya."""
    axis = plots.curves({"simple": [make_run(0, n_epochs)]}).axes[0]
    markers = [line.get_marker() for line in lines_with_data(axis)[:3]]
    assert len(set(markers) - {"", "None"}) == (3 if marked else 0)


def test_single_epoch_has_one_whole_tick():
    """Con una época, el eje dice 1 y no fracciones."""
    figure = plots.curves({"simple": [make_run(0, 1)]})
    figure.draw_without_rendering()
    assert [label.get_text() for label in shown_ticks(figure.axes[0].xaxis)] == ["1"]


def test_threshold_is_drawn_in_the_units_of_the_axis():
    """El umbral de exactitud, 0,98, se dibuja en 98 y la leyenda lo dice."""
    figure = plots.curves({"simple": [make_run(0, 3)]}, "accuracy", threshold=0.98)
    assert figure.axes[0].lines[-1].get_ydata() == pytest.approx([98, 98])
    assert "umbral: 98" in [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.mark.parametrize("name", LONG_NAMES)
@pytest.mark.parametrize(
    "plot",
    [
        lambda name: plots.curves({"simple": [make_run(0, 3)], name: [make_run(1, 3)]}, threshold=0.08),
        lambda name: plots.reliability({name: make_calibration(0)}),
        lambda name: plots.intervals(make_table(), "test_accuracy", references={name: 0.9752}),
        lambda name: plots.sweep({"l1": make_alphas(), name: make_alphas()}, "alfa", scale="alpha"),
    ],
)
def test_no_legend_is_cut(plot, name):
    """La leyenda cabe entera en el SVG, con las letras que el SVG dibuja, y no pierde ninguna de las del nombre."""
    figure = plot(name)
    figure.set_dpi(72)  # la resolución de un SVG
    renderer = RendererSVG(*figure.bbox.size, io.StringIO())
    figure.draw(renderer)
    [legend] = figure.legends
    box = legend.get_window_extent(renderer)
    assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
    assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1
    shown = ["".join(text.get_text().split()) for text in legend.get_texts()]
    assert any("".join(name.split()) in text for text in shown)


def test_legend_leaves_the_axes_their_height():
    """Por muchas redes que nombre la leyenda, la curva conserva su alto: crece la figura."""
    heights = []
    for n in (1, 60):
        figure = plots.curves({f"red {i}": [make_run(i, 3)] for i in range(n)})
        figure.draw_without_rendering()
        heights.append(figure.axes[0].get_window_extent().height)
    assert heights[1] == pytest.approx(heights[0], rel=0.02)  # márgenes y redondeo de las letras


def test_curves_reject_an_unknown_metric():
    """El error nombra el argumento, lo recibido y lo admitido."""
    with pytest.raises(ValueError, match=r"^metric:.*'exactitud'.*'loss'"):
        plots.curves({"simple": [make_run(0, 1)]}, "exactitud")


@pytest.mark.parametrize(("k", "largest"), [(2, 7), (2, 123456), (10, 1135), (15, 980), (20, 5000), (25, 12)])
def test_confusion_numbers_are_right_and_fit_their_cells(k, largest):
    """Cada celda lleva su número, vacía si es cero, sin salirse de ella."""
    matrix = make_matrix(k, largest)
    figure = plots.confusion_matrices({"simple": matrix})
    figure.draw_without_rendering()
    axis = figure.axes[0]
    texts = cell_texts(axis)
    assert {place: int(text.get_text()) for place, text in texts.items()} == {
        place: count for place, count in np.ndenumerate(matrix) if count
    }
    cell_width = axis.get_window_extent().width / k
    assert all(text.get_window_extent().width <= cell_width for text in texts.values())
    assert min(text.get_fontsize() for text in texts.values()) >= 6


@pytest.mark.parametrize("name", ["confusión"])
def test_numbers_contrast_with_their_cells(name):
    """Todo número se lee sobre el color de su celda: contraste de 4,5 o más (WCAG 2, AA)."""
    for axis in FIGURES[name]().axes:
        for (row, column), text in cell_texts(axis).items():
            mesh = axis.collections[0]
            background = mesh.cmap(mesh.norm(mesh.get_array()[row, column]))
            assert contrast(text.get_color(), background) >= 4.5


def test_confusion_colours_are_shares_of_the_true_class():
    """El color es el porcentaje de la fila; una clase sin imágenes queda en cero, no en NaN."""
    mesh = plots.confusion_matrices({"simple": np.array([[3, 1], [0, 0]])}).axes[0].collections[0]
    assert mesh.get_array().tolist() == [[75, 25], [0, 0]]


def test_rare_confusions_are_visible():
    """Una confusión del 1 % se distingue del cero a simple vista."""
    mesh = plots.confusion_matrices({"simple": np.array([[99, 1], [0, 100]])}).axes[0].collections[0]
    zero, one, many = (mesh.cmap(mesh.norm(percent)) for percent in (0, 1, 99))
    assert contrast(zero, one) > 1.15  # la décima parte de esto ya se ve en celdas vecinas
    assert contrast(zero, many) > 10


def test_one_confusion_matrix_is_the_first_of_one():
    """La de una sola red es siempre la misma figura, con sus clases y sin título."""
    figure = plots.confusion_matrices({"": make_matrix(2, 9)})
    assert figure._repr_svg_() == plots.confusion_matrices({"": make_matrix(2, 9)})._repr_svg_()
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["0", "1"]


def test_classes_keep_the_names_of_their_data():
    """Los ejes y los títulos llevan los nombres de las clases, cortos y sin fórmulas."""
    names = ("bota", "a$b$" + "c" * 20)
    axis = plots.confusion_matrices({"": make_matrix(2, 9)}, names).axes[0]
    for labels in (axis.get_xticklabels(), axis.get_yticklabels()):
        assert [label.get_text() for label in labels] == ["bota", r"a\$b\$" + "c" * 10]
    axis = plots.digits(np.zeros((1, 4, 4)), np.array([1]), np.array([[0.9, 0.1]]), ("bota", "bolso")).axes[0]
    assert axis.get_title() == "es bolso, lee bota\n90,0 %"


def test_confusion_matrices_stand_side_by_side():
    """Dos por fila, cada una con su nombre; con `columns=1`, una bajo otra."""
    matrices = {name: make_matrix(4, 9) for name in "abc"}
    for columns, rows in ((2, 2), (1, 3), (5, 1)):
        axes = plots.confusion_matrices(matrices, columns=columns).axes[:3]
        assert [axis.get_title() for axis in axes] == ["a", "b", "c"]
        assert axes[0].get_subplotspec().get_gridspec().get_geometry() == (rows, min(columns, 3))


def test_too_many_classes_leave_only_colour():
    """Con 60 clases no hay números ilegibles ni rótulos encimados."""
    axis = FIGURES["confusión de 60 clases"]().axes[0]
    assert not axis.texts
    assert len(axis.get_xticks()) <= 25


def test_digits_tell_truth_reading_and_probability(small):
    """Sobre cada imagen real, su clase, la leída y su probabilidad; la imagen es la pedida."""
    probabilities = np.full((len(small.y_test), 10), 0.01)
    probabilities[np.arange(len(small.y_test)), (small.y_test + 1) % 10] = 0.91
    errors = confident_errors(small.y_test, probabilities, 3)
    images = small.x_test[errors].reshape(-1, *small.image_shape)
    axes = plots.digits(images, small.y_test[errors], probabilities[errors]).axes
    for axis, image, label in zip(axes, images, small.y_test[errors], strict=True):
        assert axis.get_title() == f"es {label}, lee {(label + 1) % 10}\n91,0 %"
        np.testing.assert_array_equal(axis.images[0].get_array(), image)


@pytest.mark.parametrize(("height", "width"), [(28, 28), (8, 20), (30, 10)])
def test_digits_fill_their_columns(height, width):
    """La imagen, de la proporción que sea, ocupa el ancho de su columna: los títulos no la encogen."""
    figure = plots.digits(*make_digits(6, height, width))
    figure.draw_without_rendering()
    column = figure.bbox.width / 4
    assert all(axis.get_window_extent().width > 0.8 * column for axis in figure.axes)


def test_no_digits_is_said():
    """Una red que no falla no deja una figura vacía sin explicación."""
    assert [text.get_text() for text in FIGURES["ningún dígito"]().texts] == ["ninguna imagen"]


def test_reliability_draws_the_bins_and_the_ece():
    """Los puntos son los tramos con imágenes, en %, y la leyenda da la ECE con coma."""
    result = make_calibration(0)
    figure = plots.reliability({"simple": result})
    filled = result.bins.dropna()
    line = figure.axes[0].lines[1].get_xydata()
    np.testing.assert_allclose(line[~np.isnan(line).any(axis=1)], 100 * filled[["confidence", "accuracy"]])
    assert f"simple (ECE {result.ece:.4f})".replace(".", ",") in [t.get_text() for t in figure.legends[0].get_texts()]


def test_intervals_draw_seeds_mean_and_t_interval():
    """Por red: sus semillas, su media y su intervalo; con una sola semilla no hay barra que dibujar."""
    table = make_table()
    axis = plots.intervals(table, "test_accuracy").axes[0]
    seeds, mean, bar, lone_seed, lone_mean = axis.lines
    values = 100 * table["test_accuracy"]
    assert seeds.get_xdata().tolist() == values[:3].tolist()
    expected = mean_interval(values[:3])
    assert [*mean.get_xdata(), *bar.get_xdata()] == pytest.approx(expected)
    assert lone_seed.get_xdata() == lone_mean.get_xdata() == values[3:].tolist()
    assert to_hex(bar.get_color()).upper() == drawing.COLOURS["simple"]


def test_intervals_mark_references_in_the_units_of_the_axis():
    """La exactitud de 2020 se dibuja en % y la leyenda da su nombre y su cifra."""
    figure = plots.intervals(make_table(), "test_accuracy", references={"2020": 0.9752, "azar": 0.1})
    assert [line.get_xdata()[0] for line in figure.axes[0].lines[-2:]] == pytest.approx([97.52, 10])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["2020: 97,52", "azar: 10"]


@pytest.mark.parametrize("highest", [0.082, 0.1, 0.14, 0.3, 0.57, 1, 3, 9, 80])
def test_a_loss_axis_says_its_scale(highest):
    """Sean las pérdidas parecidas o muy distintas, el eje lleva de dos a diez números, y ninguno pisa a otro."""
    losses = pd.DataFrame(np.geomspace(0.08, highest, 15).reshape(5, 3), index=ALPHAS)
    figure = plots.sweep({"l1": losses}, "alfa", scale="alpha")
    figure.draw_without_rendering()
    boxes = [tick.get_window_extent() for tick in shown_ticks(figure.axes[0].yaxis)]
    assert 2 <= len(boxes) <= 10
    assert all(below.y1 < above.y0 for below, above in itertools.pairwise(boxes))


def test_sweep_gives_zero_its_own_place():
    """El alfa 0 queda a la izquierda del menor positivo, separado de él, y lleva su número."""
    figure = plots.sweep({"l1": make_alphas()}, "alfa", scale="alpha")
    figure.draw_without_rendering()
    axis = figure.axes[0]
    places = axis.transData.transform([(alpha, 0.1) for alpha in sorted(ALPHAS)])[:, 0]
    assert np.all(np.diff(places) > 0.05 * axis.get_window_extent().width)
    assert [label.get_text() for label in axis.get_xticklabels()][:2] == ["0", "$10^{-15}$"]


@pytest.mark.parametrize("scale", ["linear", "log", "alpha"])
def test_sweep_draws_mean_and_range_in_order(scale):
    """Los valores se ordenan; cada punto es la media de sus semillas y la franja, de la menor a la mayor."""
    table = 0.5 + make_sizes()["1 capa"]
    axis = plots.sweep({"una": table}, "cosa", "test_accuracy", scale=scale, references=[("2020", 0.25)]).axes[0]
    line, reference = axis.lines
    ordered = 100 * table.loc[[7_960, 31_810, 79_510]]
    assert line.get_xdata().tolist() == list(ordered.index)
    np.testing.assert_allclose(line.get_ydata(), ordered.mean(axis=1))
    drawn = axis.collections[0].get_paths()[0].vertices
    assert (drawn[:, 1].min(), drawn[:, 1].max()) == pytest.approx((ordered.min(axis=None), ordered.max(axis=None)))
    assert set(reference.get_ydata()) == {25}
    assert (reference.get_label(), axis.get_xlabel()) == ("2020: 25", "cosa")
    assert axis.get_ylabel() == "exactitud de prueba (%)"
    assert axis.get_xscale() == {"alpha": "symlog"}.get(scale, scale)


def test_sizes_are_written_in_full():
    """En el eje de los parámetros los números van enteros y con espacio de millares."""
    figure = FIGURES["capas"]()
    figure.draw_without_rendering()
    texts = [label.get_text() for label in shown_ticks(figure.axes[0].xaxis)]
    assert len(texts) >= 2
    assert set(texts) <= {"10\xa0000", "20\xa0000", "50\xa0000", "100\xa0000"}


def test_fifteen_decades_are_powers_of_ten():
    """En una escala de muchas décadas, los dos ejes y la referencia dicen potencias de diez, en español."""
    figure = FIGURES["penalizaciones"]()
    figure.draw_without_rendering()
    axis = figure.axes[0]
    for numbers in (axis.xaxis, axis.yaxis):
        texts = [label.get_text() for label in shown_ticks(numbers)]
        assert 3 <= len(texts) <= 10
        assert all(text.startswith("10") or text in ("1", "0,1", "0,01", "0,001") for text in texts), texts
    assert axis.lines[-1].get_label() == "bit: 2·10⁻⁹"


def test_diagonal_marks_the_one_that_the_search_chose():
    """A lo ancho va lo que dio al buscar; el elegido es el de menor pérdida al buscar, no con semillas nuevas."""
    found = make_searched()
    assert found["search"].idxmin() != found["fresh"].idxmin()
    axis = plots.diagonal(found).axes[0]
    cloud, chosen, same = axis.lines
    np.testing.assert_allclose(cloud.get_xydata(), found)
    np.testing.assert_allclose(chosen.get_xydata(), [found.loc[found["search"].idxmin()]])
    assert same.get_xy1() == (found["search"].min(),) * 2
    assert same.get_xy2()[0] == same.get_xy2()[1]
    assert (axis.get_xlabel(), axis.get_ylabel()[-15:]) == ("pérdida de validación al buscar", "semillas nuevas")


@pytest.mark.parametrize(("n_epochs", "marked"), [(1, True), (15, True), (16, False)])
def test_gap_draws_the_seeds_and_says_where_they_end(n_epochs, marked):
    """Media y franja de las semillas por época, con una línea en cero y, al final, su última media con signo."""
    rng = np.random.default_rng(3)
    gaps = {name: pd.DataFrame(rng.uniform(0.1, 1, (n_epochs, 3)), index=range(1, n_epochs + 1)) * sign
            for name, sign in (("regularizado", -1), ("simple", 1))}  # fmt: skip
    axis = plots.gap(gaps).axes[0]
    zero, *lines = axis.lines
    assert zero.get_ydata() == [0, 0]
    bands = [band for band in axis.collections if isinstance(band, FillBetweenPolyCollection)]
    for (name, table), line, band, text in zip(gaps.items(), lines, bands, axis.texts, strict=True):
        assert (line.get_label(), to_hex(line.get_color()).upper()) == (name, drawing.COLOURS[name])
        np.testing.assert_allclose(line.get_xydata(), np.column_stack([table.index, table.mean(axis=1)]))
        heights = band.get_paths()[0].vertices[:, 1]
        assert (heights.min(), heights.max()) == pytest.approx((table.min(axis=None), table.max(axis=None)))
        assert text.get_text().strip() == f"{table.iloc[-1].mean():+.2f}".replace(".", ",")
        assert text.xy == pytest.approx((n_epochs, table.iloc[-1].mean()))
        assert (line.get_marker() not in ("", "None")) == marked
    assert axis.get_ylabel() == "pérdida de validación\nmenos de entrenamiento (nats)"
    assert axis.get_xlabel() == "época"


@pytest.mark.parametrize(
    ("metric", "label"),
    [
        ("loss", "pérdida\n(entropía cruzada, nats)"),
        ("val_loss", "pérdida de validación\n(entropía cruzada, nats)"),
        ("test_accuracy", "exactitud de prueba (%)"),
        ("seconds", "tiempo (s)"),
        ("best_epoch", "época elegida"),
        ("épocas hasta el umbral", "épocas hasta el umbral"),
    ],
)
def test_labels_are_spanish_with_units(metric, label):
    """Cada columna tiene su rótulo con unidad; una nueva se rotula con su nombre."""
    assert drawing.quantity(metric)[0] == label


def test_real_confusion_reaches_the_figure(small):
    """De etiquetas reales a la figura: la suma de las celdas es el número de imágenes."""
    matrix = confusion(small.y_test, (small.y_test * 3) % 10, small.n_classes)
    axis = plots.confusion_matrices({"simple": matrix}).axes[0]
    assert sum(int(text.get_text()) for text in axis.texts) == len(small.y_test)


def test_steps_draw_each_split_in_its_row():
    """Cada red en su fila, de arriba abajo: sus semillas y su media, la validación encima y la prueba debajo."""
    table = make_steps()
    axis = plots.steps(table, "accuracy").axes[0]
    names = list(table["model"].unique())
    assert [text.get_text().replace("\n", " ") for text in axis.get_yticklabels()] == names
    top, bottom = axis.get_ylim()[::-1]
    assert top < bottom
    seeds = [line for line in axis.lines if line.get_marker() == "."]
    for split, drawn, bars in zip(("val", "test"), seeds, axis.containers, strict=True):
        column = 100 * table[f"{split}_accuracy"]
        np.testing.assert_allclose(drawn.get_xdata(), column)
        assert list(np.rint(drawn.get_ydata())) == [names.index(name) for name in table["model"]]
        groups = column.groupby(table["model"], sort=False)
        np.testing.assert_allclose(bars[0].get_xdata().astype(float), groups.mean())
        spans = [segment[1, 0] - segment[0, 0] for segment in bars[2][0].get_segments() if len(segment)]
        np.testing.assert_allclose(spans, 2 * groups.std().dropna())
        assert bars.get_label() == {"val": "validación", "test": "prueba"}[split]
    assert seeds[0].get_ydata()[0] < seeds[1].get_ydata()[0]


def test_lines_are_the_columns_of_each_table():
    """Cada columna es una línea frente a su índice, del color de su tabla, que sale una vez en la leyenda."""
    drawn = {"uno": pd.DataFrame({3: [5.0, 6.0], 1: [7.0, 9.0]}, index=[1, 2]), "dos": pd.DataFrame({"z": [4.0]}, [8])}
    figure = plots.lines(drawn, xlabel="época", ylabel="exactitud (%)", ylim=(3, 10))
    axis = figure.axes[0]
    assert [line.get_xydata().tolist() for line in lines_with_data(axis)] == [
        [[1, 5], [2, 6]], [[1, 7], [2, 9]], [[8, 4]]
    ]  # fmt: skip
    colours = [to_hex(line.get_color()) for line in lines_with_data(axis)]
    assert colours[0] == colours[1] != colours[2]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["uno", "dos"]
    assert (axis.get_xlabel(), axis.get_ylabel(), axis.get_ylim()) == ("época", "exactitud (%)", (3, 10))
