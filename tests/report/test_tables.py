"""`tarea4.report.tables`: cada celda es la suya, con varios modelos y varias semillas desordenadas."""

import keras
import numpy as np
import pandas as pd
import pytest
from samples import LUCK, SEEDS, cells, make_run, measured, reached

from tarea4 import models
from tarea4.evaluation import validation_results, worst_confusions
from tarea4.report import tables, words
from tarea4.search.recipes import Recipe
from tarea4.statistics import Calibration
from tarea4.training import SENSES, Training

COLUMNS = {
    **{"loss": 0.5, "accuracy": 0.6, "train_loss": 0.4, "train_accuracy": 0.7, "val_loss": 0.3, "val_accuracy": 0.8},
    **{"test_loss": 0.2, "test_accuracy": 0.9, "best_epoch": 7.0, "seconds": 30.0},
}


def halves(**changes) -> pd.DataFrame:
    """Tres modelos con todas las columnas distintas, y el último que llega es el de menor pérdida de validación."""
    scales = {"zeta": 1.0, "alfa": 0.9, "media": 0.5}
    table = measured({name: {c: v * scale for c, v in COLUMNS.items()} for name, scale in scales.items()})
    return table.assign(parameters=table["model"].map({"zeta": 34_375, "alfa": 1_000_000, "media": 900}), **changes)


def shown(values, decimals=4, scale=1):
    """Media y desviación de una muestra, escritas a mano."""
    mean, spread = scale * np.mean(values), scale * np.std(values, ddof=1)
    return f"{mean:.{decimals}f} ± {spread:.{decimals}f}".replace(".", ",")


def test_results_are_means_of_their_own_column():
    """Cada fila es una medida y cada columna un modelo, en su orden: media, desviación y semillas son las suyas."""
    table = halves()
    header, *rows = cells(tables.results_table(table, "Resultados"))
    assert header == ["", "zeta", "alfa", "media"]
    expected = [["Parámetros", "34 375", "1 000 000", "900"], ["Semillas", "5", "5", "5"]]
    groups = [table[table["model"] == name] for name in header[1:]]
    for prefix, label in (SENSES | {"test_": "prueba"}).items():
        expected.append([f"Pérdida, {label}", *(shown(group[f"{prefix}loss"]) for group in groups)])
        accuracies = (shown(group[f"{prefix}accuracy"], 2, 100) for group in groups)
        expected.append([f"Exactitud (%), {label}", *accuracies])
    assert rows == [*expected, ["Mejor época", *(shown(group["best_epoch"], 1) for group in groups)]]


def test_many_networks_go_in_rows():
    """Con más de cuatro redes, la misma tabla va con una por fila."""
    measured = pd.concat([halves().assign(model=lambda rows, n=n: rows["model"] + n) for n in "ab"])
    header, *rows = cells(tables.results_table(measured, "Resultados"))
    assert header == ["Red", *(row[0] for row in cells(tables.results_table(halves(), "Resultados"))[1:])]
    assert [row[0] for row in rows] == list(measured["model"].unique())
    by_model = {name: column for name, *column in zip(*cells(tables.results_table(halves(), "")), strict=True)}
    assert [row[1:] for row in rows] == 2 * [by_model[name] for name in halves()["model"].unique()]


def test_both_splits_seed_by_seed():
    """La métrica de cada semilla en validación y, debajo, en prueba, cada una con la suya."""
    measured = halves()
    found = tables.split_seeds_table(measured, "loss")
    assert list(found["Imágenes"]) == ["validación"] * 5 + ["prueba"] * 5
    for label, split in (("validación", "val"), ("prueba", "test")):
        kept = found[found["Imágenes"] == label].drop(columns="Imágenes")
        pd.testing.assert_frame_equal(kept, tables.seeds_table(measured, f"{split}_loss"))


def test_results_leave_out_what_was_not_measured():
    """Sin prueba ni entrenamiento evaluado, sus filas no están."""
    table = halves().drop(columns=[name for name in COLUMNS if name.startswith(("test_", "train_"))])
    titles = [row[0] for row in cells(tables.results_table(table, "Resultados"))[1:]]
    kept = [f"{what}, {SENSES[s]}" for s in ("", "val_") for what in ("Pérdida", "Exactitud (%)")]
    assert titles == ["Parámetros", "Semillas", *kept, "Mejor época"]


def test_tables_take_the_best_epoch_of_a_run():
    """De un entrenamiento se enseña su mejor época, la tercera de cinco, y no la primera ni la última."""
    network = models.plain((6,))
    runs = {"a": [make_run(seed, model=network) for seed in (4, 1)], "b": [make_run(2, best=2, model=network)]}
    header, *rows = cells(tables.results_table(validation_results(runs), "Resultados"))
    assert header == ["", "a", "b"]
    found = {row[0]: row[1:] for row in rows}
    chosen = {"a": 2, "b": 1}
    for metric, label, decimals, scale in (("loss", "Pérdida", 4, 1), ("accuracy", "Exactitud (%)", 2, 100)):
        values = [[run.history[f"val_{metric}"][chosen[name]] for run in runs[name]] for name in runs]
        assert found[f"{label}, {SENSES['val_']}"] == [
            words.mean_and_spread(each, decimals, scale).replace("\xa0", " ") for each in values
        ]


def test_accuracies_are_percentages_and_seconds_are_not():
    """Las exactitudes van en %, la época y los segundos en lo suyo, una fila por salida en su orden."""
    table = halves()
    header, *rows = cells(tables.accuracies_table(table, "Exactitudes"))
    assert header == ["Salida", "Prueba", "Validación", "Entrenamiento", "Mejor época", "Segundos"]
    for row, name in zip(rows, ("zeta", "alfa", "media"), strict=True):
        own = table[table["model"] == name]
        accuracies = [shown(own[f"{split}_accuracy"], 2, 100) for split in ("test", "val", "train")]
        assert row == [name, *accuracies, shown(own["best_epoch"], 2), shown(own["seconds"], 2)]


def test_seeds_are_rows_in_order_and_models_columns():
    """Las semillas, de menor a mayor; los modelos, como llegan; un hueco es un hueco."""
    table = halves().iloc[:-1]  # a «media» le falta su última semilla
    found = tables.seeds_table(table, "test_accuracy", words.percent)
    assert found.columns.tolist() == ["Semilla", "zeta", "alfa", "media"]
    assert found["Semilla"].tolist() == [0, 1, 2, 3, 4]
    for name in ("zeta", "alfa"):
        values = table[table["model"] == name].set_index("seed")["test_accuracy"].sort_index()
        assert found[name].tolist() == [words.percent(value) for value in values]
    missing = (set(SEEDS) - set(table[table["model"] == "media"]["seed"])).pop()
    assert found["media"].isna().tolist() == [seed == missing for seed in range(5)]


ARRIVALS = {
    "20": {"": [3, None, 5, 4, 6], "train_": [2, 7, 3, 3, 3], "val_": [None] * 5},
    "40-50-15": {"": [1, 2, 1, 2, 1], "train_": [1] * 5, "val_": [9, 8, None, None, 9]},
}


def test_epochs_of_each_seed_and_sense():
    """Una fila por semilla, de menor a mayor; una columna por sentido; donde no se llega, una raya."""
    table = reached(ARRIVALS)
    assert cells(tables.epochs_table(table[table["model"] == "20"], "Épocas")) == [
        ["Semilla", *SENSES.values()],
        ["0", "—", "7", "—"],
        ["1", "4", "3", "—"],
        ["2", "6", "3", "—"],
        ["3", "3", "2", "—"],
        ["4", "5", "3", "—"],
    ]


def test_capacity_goes_by_layers_and_parameters():
    """De menos a más capas y parámetros, cada red con sus épocas y su menor pérdida en cada sentido."""
    runs = {name: [make_run(i + j, 5, 2) for j in (0, 1)] for i, name in enumerate(("40-50-15", "20", "100"))}
    arrivals = ARRIVALS | {"100": {"": [2] * 5, "train_": [None] * 5, "val_": [8] * 5}}
    sizes = {"20": 15_910, "40-50-15": 34_375, "100": 79_510}
    header, *rows = cells(tables.capacity_table(runs, reached(arrivals), sizes, "Redes"))
    assert header == [
        "Capas", "Red", "Parámetros", "Según la evaluada", "Pérdida menor, evaluada", "Según la corriente",
        "Pérdida menor, corriente", "Pérdida, validación",
    ]  # fmt: skip
    assert [row[:3] for row in rows] == [["1", "20", "15 910"], ["1", "100", "79 510"], ["3", "40-50-15", "34 375"]]
    assert [row[3] for row in rows] == [
        "5 de 5, entre las épocas 2 y 7", "ninguna de 5", "5 de 5, en la época 1",
    ]  # fmt: skip
    assert rows[1][5] == "5 de 5, en la época 2"
    for row in rows:
        least = {s: [min(run.history[f"{s}loss"]) for run in runs[row[1]]] for s in ("train_", "", "val_")}
        assert [row[i] for i in (4, 6, 7)] == [shown(least[sense]) for sense in ("train_", "", "val_")]


def test_a_sweep_is_a_table():
    """Una fila por valor, de menor a mayor, con la media y los extremos de cada curva; donde no hay curva, un hueco."""
    curves = {"l1": pd.DataFrame([[0.3, 0.1], [0.5, 0.6]], index=[1e-3, 0.0]), "l2": pd.DataFrame([[0.2]], index=[0.0])}
    found = tables.sweep_table(curves, "Alfa", words.scientific)
    assert list(found) == ["Alfa", "l1", "l1, mín.", "l1, máx.", "l2", "l2, mín.", "l2, máx."]
    assert found.iloc[0].tolist() == ["0", "0,5500", "0,5000", "0,6000", "0,2000", "0,2000", "0,2000"]
    assert found.iloc[1, :4].tolist() == ["10⁻³", "0,2000", "0,1000", "0,3000"]
    assert found.iloc[1, 4:].isna().all()


def test_a_family_of_comparisons_is_a_table():
    """Cada pareja con su diferencia, su intervalo y sus dos valores p, cada cual en su columna."""
    row = {"model": "a", "other": "b", "difference": -0.5, "low": -0.7, "high": -0.3, "p": 0.02, "holm": 0.04}
    row |= {"wins": 4, "n": 5, "flips": 0.125}
    tiny = row | {"model": "c", "p": 1e-6, "holm": 3e-5}
    header, *rows = cells(tables.family_table(pd.DataFrame([row, tiny]), "Familia"))
    assert header == ["Red", "Frente a", "Pérdida, diferencia", "Pérdida, intervalo del 95 %", "Gana", "Valor p",
                      "Corregido", "Cambios de signo"]  # fmt: skip
    assert rows[0] == ["a", "b", "−0,5000", "[−0,7000; −0,3000]", "4 de 5", "p = 0,0200", "p = 0,0400", "p = 0,1250"]
    assert rows[1][0] == "c"
    assert rows[1][5:7] == ["p < 0,0001"] * 2


def test_curves_are_what_is_drawn_epoch_by_epoch():
    """Media y extremos de cada red y sentido, que son línea y franja; si una semilla para antes, siguen las demás."""
    runs = {"a": [make_run(0, 3, 2), make_run(1, 4, 2)], "b": [make_run(7, 2, 1)]}
    found = tables.curve_table(runs, "accuracy").fillna("—")
    kinds = {"": np.nanmean, ", mín.": np.nanmin, ", máx.": np.nanmax}
    names = [f"{name}, {label}{kind}" for name in runs for label in SENSES.values() for kind in kinds]
    assert found.columns.tolist() == ["Época", *names]
    assert found["Época"].tolist() == [1, 2, 3, 4]
    for sense, label in SENSES.items():
        first, second = (run.history[f"{sense}accuracy"] for run in runs["a"])
        drawn = np.array([[*first, np.nan], second])
        alone = [words.number(value) for value in runs["b"][0].history[f"{sense}accuracy"]]
        for kind, reduce in kinds.items():
            assert found[f"a, {label}{kind}"].tolist() == [words.number(value) for value in reduce(drawn, axis=0)]
            assert found[f"b, {label}{kind}"].tolist() == [*alone, "—", "—"]


def test_gaps_are_what_is_drawn_epoch_by_epoch():
    """La media y los extremos de las semillas de cada red, en su orden y por su época."""
    gaps = {"zeta": pd.DataFrame({4: [-0.1, 0.3], 1: [0.2, 0.8]}, index=[1, 2]),
            "alfa": pd.DataFrame({4: [0.5, 0.7]}, index=[1, 2])}  # fmt: skip
    assert tables.sweep_table(gaps, "Época", int).to_dict("list") == {
        "Época": [1, 2],
        "zeta": ["0,0500", "0,5500"], "zeta, mín.": ["−0,1000", "0,3000"], "zeta, máx.": ["0,2000", "0,8000"],
        "alfa": ["0,5000", "0,7000"], "alfa, mín.": ["0,5000", "0,7000"], "alfa, máx.": ["0,5000", "0,7000"],
    }  # fmt: skip


def test_fits_go_from_the_first_epoch_to_the_last():
    """Una fila por medida y momento, y una columna por red: cada celda, la media y la desviación de la suya."""
    moments = {"first": "Primera época", "best": "Mejor época", "last": "Última época"}
    names = [f"{name}_{when}" for when in moments for name in ("train", "val", "gap", "accuracy")]
    means = {name: 0.1 * i - 0.3 for i, name in enumerate(names)}
    table = measured({name: {k: v + shift for k, v in means.items()} for name, shift in (("zeta", 0), ("alfa", 3))})
    header, *rows = cells(tables.fits_table(table, "Ajuste"))
    assert header == ["", "zeta", "alfa"]
    groups, expected = [table[table["model"] == name] for name in header[1:]], []
    losses = {"train": "pérdida de entrenamiento", "val": "pérdida de validación", "gap": "brecha de pérdida"}
    for when, label in moments.items():
        for name, what in losses.items():
            expected.append([f"{label}: {what}", *(shown(group[f"{name}_{when}"]) for group in groups)])
        accuracies = (shown(group[f"accuracy_{when}"], 2, 100) for group in groups)
        expected.append([f"{label}: exactitud (%) de validación", *accuracies])
    assert rows == [[text.replace("-", "−") for text in row] for row in expected]


def test_confusions_are_tables():
    """Las matrices, una fila por red y clase verdadera; sus peores errores, con la fracción de su clase."""
    cm = np.array([[5, 1], [2, 4]])
    counts = tables.confusion_table({"uno": cm, "dos": 10 * cm})
    assert counts.columns.tolist() == ["Modelo", "Clase", 0, 1]
    assert counts.to_numpy().tolist() == [
        ["uno", 0, 5, 1], ["uno", 1, 2, 4], ["dos", 0, 50, 10], ["dos", 1, 20, 40]
    ]  # fmt: skip
    assert cells(tables.confusions_table(worst_confusions(cm, 2), "Confusiones")) == [
        ["Clase", "Predicha", "Imágenes", "De su clase"], ["1", "0", "2", "33,33 %"], ["0", "1", "1", "16,67 %"]
    ]  # fmt: skip


def test_digits_are_read_by_their_index():
    """De cada imagen pedida, su clase, la de mayor probabilidad y cuánta."""
    probabilities = np.array([[0.1, 0.9], [0.7, 0.3], [0.2, 0.8]])
    found = tables.digits_table(np.array([2, 1]), np.array([0, 1, 0]), probabilities)
    assert found.to_dict("list") == {
        "Imagen": [2, 1], "Clase": [0, 1], "Lee": [1, 0], "Probabilidad": ["80,00\xa0%", "70,00\xa0%"]
    }  # fmt: skip


def test_classes_keep_the_names_of_their_data():
    """Donde las clases tienen nombre, las tablas lo dicen en vez de su número."""
    cm, names = np.array([[5, 1], [2, 4]]), ("bota", "<b>")
    counts = tables.confusion_table({"uno": cm}, names)
    assert counts.columns.tolist() == ["Modelo", "Clase", "bota", "<b>"]
    assert counts["Clase"].tolist() == ["bota", "<b>"]
    worst = tables.confusions_table(worst_confusions(cm, 2), "Confusiones", names)
    assert [row[:3] for row in cells(worst)[1:]] == [["<b>", "bota", "2"], ["bota", "<b>", "1"]]
    assert "<b>" not in worst.data
    found = tables.digits_table(np.array([0]), np.array([1, 0]), np.array([[0.9, 0.1], [0.7, 0.3]]), names)
    assert (found["Clase"].tolist(), found["Lee"].tolist()) == (["<b>"], ["bota"])


def test_bins_are_tables():
    """La confianza no se toma por exactitud y los tramos vacíos no salen."""
    bins = {"confidence": [0.25, np.nan, 0.9], "accuracy": [0.5, np.nan, 0.8], "count": [4, 0, 6]}
    found = tables.bins_table({name: Calibration(pd.DataFrame(bins), 0.1) for name in ("b", "a")})
    assert found.to_dict("list") == {
        "Salida": ["b", "b", "a", "a"], "Confianza": ["25,00\xa0%", "90,00\xa0%"] * 2,
        "Exactitud": ["50,00\xa0%", "80,00\xa0%"] * 2, "Imágenes": [4, 6] * 2,
    }  # fmt: skip


def test_lines_are_tables_of_means():
    """Por fila, la media de las líneas de cada tabla, en su orden; el índice, con decimales solo si los tiene."""
    drawn = {
        "b": pd.DataFrame({0: [1.0, 2.0], 1: [2.0, 5.0]}, [-0.5, 3.0]),
        "a": pd.DataFrame({4: [7.0, 8.25]}, [-0.5, 3]),
    }
    assert tables.lines_table(drawn, "Logit", 2).to_dict("list") == {
        "Logit": ["−0,5", "3"], "b": ["1,50", "3,50"], "a": ["7,00", "8,25"]
    }  # fmt: skip


def test_claims_are_a_table():
    """Cada afirmación de 2020 va con lo medido y su desenlace."""
    made = tables.claims_table([("a", "b", "se confirma"), ("c", "d", "se refuta")])
    assert "<caption>Lo que se afirmó en 2020, comprobado</caption>" in made.data
    assert cells(made) == [["En 2020", "Hoy", "Desenlace"], ["a", "b", "se confirma"], ["c", "d", "se refuta"]]


def test_the_lines_of_a_network():
    """Las líneas de Keras de la red de 2020, como se escribirían: de cada capa, lo que no es de costumbre."""
    assert (
        tables.keras_code(models.try_02()).data
        == """```python
model = keras.Sequential([
    keras.Input((784,)),
    layers.Dropout(0.2),
    layers.Dense(40, activation="relu"),
    layers.BatchNormalization(),
    layers.Activation(activation="relu"),
    layers.Dense(50, activation="relu"),
    layers.Dense(15, activation="relu", activity_regularizer=regularizers.L1L2(l1=7e-14)),
    layers.Dense(15, activation="relu", activity_regularizer=regularizers.L1L2(l2=3e-15)),
    layers.Dense(10, activation="softmax"),
])
model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
```"""
    )
    assert "layers.Dense(10)," in tables.keras_code(models.plain((5,), output="linear")).data


def test_summary_counts_parameters():
    """El resumen de la variante impresa en 2020: sus capas, y 34 535 = 34 455 que se entrenan + 80 que no."""
    shown = tables.summary(models.printed_variant())
    assert "34\xa0535 parámetros: 34\xa0455 se entrenan y 80 no." in shown.data
    rows = cells(shown)
    assert rows[0] == ["Capa", "Tipo", "Salida", "Parámetros"]
    assert rows[2:4] == [["dense", "Dense", "40", "31 400"], ["batch_normalization", "BatchNormalization", "40", "160"]]


@pytest.mark.parametrize(
    "build",
    [
        lambda data: models.plain((12, 7), output="sigmoid", **data.sizes),
        lambda data: models.plain((12,), output="linear", **data.sizes),
        lambda data: models.try_02(),
        lambda data: models.printed_variant(),
        lambda data: models.regularised((6, 5), dropout=0.0, alpha_l1=1e-3, alpha_l2=2e-3, **data.sizes),
        lambda data: Recipe(
            (9, 8), activation="gelu", dropout=0.1, noise=0.2, noise_hidden=0.05, dropout_hidden=0.3, alpha_l1=1e-5
        ).build(data),
        lambda data: Recipe((9,), batch_norm=False, alpha_l2=1e-3).build(data),
    ],
    ids=["sigmoide", "lineal", "try_02", "variante impresa", "alfas", "receta", "receta sin normalizar"],
)
def test_the_keras_code_shown_builds_that_network(small, build):
    """Las líneas de Keras que se enseñan, ejecutadas, construyen una red igual, capa por capa, y la compilan."""
    model, namespace = build(small), {}
    lines = tables.keras_code(model).data.removeprefix("```python\n").removesuffix("\n```")
    exec("import keras\nfrom keras import layers, regularizers\n" + lines, namespace)
    built = namespace["model"]
    assert list(map(described, built.layers)) == list(map(described, model.layers))
    assert (built.input_shape, built.loss) == (model.input_shape, model.loss)
    assert type(built.optimizer) is type(model.optimizer)
    assert type(built) is keras.Sequential
    assert Training(built, epochs=1)  # está compilada


def described(layer):
    """Una capa: su tipo y su configuración, sin el nombre y con una penalización nula por ninguna."""
    config = layer.get_config()
    penalty = (config.pop("activity_regularizer", None) or {"config": {}})["config"]
    config["penalty"] = {name: alpha for name, alpha in penalty.items() if alpha}
    return type(layer), {name: value for name, value in config.items() if name != "name"}


def test_the_samples_are_unlike_each_other():
    """Las medidas inventadas sirven: emparejadas por posición, y no por semilla, dos modelos no se distinguirían."""
    table = halves()
    first, second = (table[table["model"] == name] for name in ("zeta", "alfa"))
    assert first["seed"].tolist() != second["seed"].tolist()
    assert abs(sum(LUCK.values())) < 1e-12
