"""Las tablas de los capítulos, a partir de lo que miden `tarea4.evaluation`, `tarea4.statistics` y `q2`.

Con `caption` son HTML; las demás son los números de una figura, para `tarea4.report.html.figure`. Lo que es de varias
semillas va como media y desviación típica, con los modelos en el orden en que llegan.
"""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown

from tarea4.evaluation import measured_senses
from tarea4.report.claims import by_epoch
from tarea4.report.html import table
from tarea4.report.words import SPLITS, epochs_reaching, interval, mean_and_spread, number, p_text, percent
from tarea4.statistics import Calibration
from tarea4.training import SENSES, Run

FEW = 4  # con más redes, una por columna no cabrían


def summary(model: keras.Model) -> HTML:
    rows = [
        (layer.name, type(layer).__name__, "×".join(map(str, layer.output.shape[1:])), number(layer.count_params(), 0))
        for layer in model.layers
    ]
    fixed = sum(int(np.prod(weight.shape)) for weight in model.non_trainable_weights)
    total, trained, fixed = (number(n, 0) for n in (model.count_params(), model.count_params() - fixed, fixed))
    caption = f"{total} parámetros: {trained} se entrenan y {fixed} no."
    return table(pd.DataFrame(rows, columns=["Capa", "Tipo", "Salida", "Parámetros"]), caption)


def keras_code(model: keras.Sequential) -> Markdown:
    """Las líneas de Keras que construyen una red secuencial, leídas de ella, y la compilan con su optimizador."""
    layers = [f"    layers.{type(layer).__name__}({', '.join(_arguments(layer))})," for layer in model.layers]
    optimizer = type(model.optimizer).__name__.lower()  # su nombre puede llevar un número
    compiled = f'model.compile(optimizer="{optimizer}", loss="{model.loss}", metrics=["accuracy"])'
    lines = ["model = keras.Sequential([", f"    keras.Input({model.input_shape[1:]}),", *layers, "])", compiled]
    return Markdown("\n".join(["```python", *lines, "```"]))


def _arguments(layer: keras.layers.Layer) -> list[str]:
    config, penalty = layer.get_config(), getattr(layer, "activity_regularizer", None)
    config["kernel_initializer"] = config.get("kernel_initializer", {}).get("class_name")
    named = {name: config.get(name) for name in ("activation", "use_bias", "kernel_initializer")}
    usual = None, "linear", True, "GlorotUniform"  # lo que una capa no tiene, y lo que Keras pone si no se le dice
    given = [str(config[name]) for name in ("units", "rate", "stddev") if name in config]
    given += [f"{k}={v!r}".replace("'", '"') for k, v in named.items() if v not in usual]
    terms = [f"{name}={alpha}" for name, alpha in (penalty.get_config() if penalty else {}).items() if alpha]
    return given + ([f"activity_regularizer=regularizers.L1L2({', '.join(terms)})"] if terms else [])


def claims_table(claims: Sequence[tuple[str, str, str]]) -> HTML:
    return table(pd.DataFrame(claims, columns=["En 2020", "Hoy", "Desenlace"]), "Lo que se afirmó en 2020, comprobado")


def results_table(measured: pd.DataFrame, caption: str) -> HTML:
    by_model = measured.groupby("model", sort=False)
    rows = {"Parámetros": by_model["parameters"].first().map(lambda n: number(n, 0)), "Semillas": by_model.size()}
    for prefix, label in (SENSES | {"test_": "prueba"}).items():
        if f"{prefix}loss" in measured:
            rows[f"Pérdida, {label}"] = by_model[f"{prefix}loss"].agg(mean_and_spread)
            rows[f"Exactitud (%), {label}"] = by_model[f"{prefix}accuracy"].agg(mean_and_spread, 2, 100)
    rows["Mejor época"] = by_model["best_epoch"].agg(mean_and_spread, 1)
    frame = pd.DataFrame(rows)
    if len(frame) > FEW:
        return table(frame.rename_axis("Red").reset_index(), caption)
    return table(frame.T.rename_axis(None, axis=1), caption, index=True)


def epochs_table(reached: pd.DataFrame, caption: str) -> HTML:
    by_seed = reached.pivot(index="seed", columns="sense", values="epoch").astype(object)
    return table(_spanish(by_seed.where(by_seed.notna(), "—"), SENSES, "Semilla"), caption)


def confusions_table(confusions: pd.DataFrame, caption: str, names: Sequence[str] = ()) -> HTML:
    spanish = confusions.assign(fraction=confusions["fraction"].map(percent))
    spanish[["true", "predicted"]] = spanish[["true", "predicted"]].map(dict(enumerate(names)).get if names else int)
    return table(spanish.set_axis(["Clase", "Predicha", "Imágenes", "De su clase"], axis=1), caption)


def accuracies_table(measured: pd.DataFrame, caption: str) -> HTML:
    names = {"test_accuracy": "Prueba", "val_accuracy": "Validación", "train_accuracy": "Entrenamiento"}
    percentages = measured.assign(**{name: 100 * measured[name] for name in names})
    names |= {"best_epoch": "Mejor época", "seconds": "Segundos"}
    by_model = percentages.groupby("model", sort=False)[list(names)].agg(mean_and_spread, 2)
    return table(_spanish(by_model, names, "Salida"), caption)


def bins_table(calibrations: dict[str, Calibration]) -> pd.DataFrame:
    bins = pd.concat({name: found.bins.dropna() for name, found in calibrations.items()}).droplevel(1)
    shown = bins.assign(**{name: bins[name].map(percent) for name in ("confidence", "accuracy")})
    return _spanish(shown, {"confidence": "Confianza", "accuracy": "Exactitud", "count": "Imágenes"}, "Salida")


def digits_table(
    images: np.ndarray, y: np.ndarray, probabilities: np.ndarray, names: Sequence[str] = ()
) -> pd.DataFrame:
    found, named = probabilities[images], np.array(names or range(probabilities.shape[1]))
    columns = {"Imagen": images, "Clase": named[y[images]], "Lee": named[found.argmax(axis=1)]}
    return pd.DataFrame(columns | {"Probabilidad": map(percent, found.max(axis=1))})


def seeds_table(measured: pd.DataFrame, metric: str, show: Callable[[float], str] = number) -> pd.DataFrame:
    """Una métrica por modelo (columnas, en su orden) y semilla (filas)."""
    by_seed = measured.pivot(index="seed", columns="model", values=metric).map(show, na_action="ignore")
    return _spanish(by_seed, {name: name for name in measured["model"].unique()}, "Semilla")


def split_seeds_table(measured: pd.DataFrame, metric: str, show: Callable[[float], str] = number) -> pd.DataFrame:
    """Lo de `seeds_table` en validación y, debajo, en prueba."""
    parts = {label: seeds_table(measured, f"{split}_{metric}", show) for split, label in SPLITS.items()}
    return pd.concat(parts, names=["Imágenes"]).reset_index(level=0)


def _spanish(frame: pd.DataFrame, names: dict[str, str], index: str) -> pd.DataFrame:
    return frame[list(names)].rename(columns=names).rename_axis(index=index, columns=None).reset_index()


def confusion_table(matrices: dict[str, np.ndarray], names: Sequence[str] = ()) -> pd.DataFrame:
    shown = {name: pd.DataFrame(cm, names or None, names or None) for name, cm in matrices.items()}
    return pd.concat(shown, names=["Modelo", "Clase"]).reset_index()


def curve_table(runs_by_name: dict[str, list[Run]], metric: str) -> pd.DataFrame:
    """Por época, la media y los extremos de las semillas de una métrica, en los `SENSES` que se midieron."""
    senses = measured_senses(run for runs in runs_by_name.values() for run in runs)
    curves = {}
    for name, runs in runs_by_name.items():
        curves |= {f"{name}, {label}": by_epoch(runs, prefix + metric) for prefix, label in senses.items()}
    return sweep_table(curves, "Época", int)


def fits_table(fitted: pd.DataFrame, caption: str) -> HTML:
    by_model, rows = fitted.groupby("model", sort=False), {}
    losses = {"train": "pérdida de entrenamiento", "val": "pérdida de validación", "gap": "brecha de pérdida"}
    for when, label in {"first": "Primera época", "best": "Mejor época", "last": "Última época"}.items():
        rows |= {f"{label}: {what}": by_model[f"{k}_{when}"].agg(mean_and_spread) for k, what in losses.items()}
        rows[f"{label}: exactitud (%) de validación"] = by_model[f"accuracy_{when}"].agg(mean_and_spread, 2, 100)
    return table(pd.DataFrame(rows).T.rename_axis(None, axis=1), caption, index=True)


def sweep_table(tables: dict[str, pd.DataFrame], index: str, show: Callable[[float], object] = number) -> pd.DataFrame:
    """Los números de `tarea4.report.plots.sweep`: por valor, la media y los extremos de las semillas."""
    kinds = {"": "mean", ", mín.": "min", ", máx.": "max"}
    columns = {
        name + end: getattr(table, kind)(axis=1) for name, table in tables.items() for end, kind in kinds.items()
    }
    shown = pd.DataFrame(columns).sort_index()
    return shown.map(number, na_action="ignore").set_axis(map(show, shown.index)).rename_axis(index).reset_index()


def capacity_table(runs: dict[str, list[Run]], reached: pd.DataFrame, sizes: dict[str, int], caption: str) -> HTML:
    arrives, rows = reached.groupby(["model", "sense"])["epoch"].agg(epochs_reaching, brief=True), []
    for name in sorted(runs, key=lambda name: (name.count("-"), sizes[name])):
        row = {"Capas": name.count("-") + 1, "Red": name, "Parámetros": number(sizes[name], 0)}
        for sense, label in {"train_": "evaluada", "": "corriente"}.items():
            least = mean_and_spread([min(run.history[f"{sense}loss"]) for run in runs[name]])
            row |= {f"Según la {label}": arrives[name, sense], f"Pérdida menor, {label}": least}
        rows.append(row | {"Pérdida, validación": mean_and_spread([run.best("val_loss") for run in runs[name]])})
    return table(pd.DataFrame(rows), caption)


def family_table(found: pd.DataFrame, caption: str) -> HTML:
    shown = found[["model", "other"]].assign(difference=found["difference"].map(number))
    shown["interval"] = [interval(row) for row in found.itertuples()]
    shown["wins"] = [f"{row.wins} de {row.n}" for row in found.itertuples()]
    for name in ("p", "holm", "flips"):
        shown[name] = found[name].map(p_text)
    titles = ["Red", "Frente a", "Pérdida, diferencia", "Pérdida, intervalo del 95 %", "Gana", "Valor p", "Corregido"]
    return table(shown.set_axis([*titles, "Cambios de signo"], axis=1), caption)


def lines_table(drawn: dict[str, pd.DataFrame], index: str, decimals: int) -> pd.DataFrame:
    """Los números de `tarea4.report.plots.lines`: la media de las líneas de cada tabla; `index`, qué es su índice."""
    means = pd.DataFrame({name: table.mean(axis=1) for name, table in drawn.items()}).map(number, decimals=decimals)
    return means.rename(index=lambda x: number(x, int(x % 1 > 0))).rename_axis(index).reset_index()
