"""Las tablas de los capítulos, a partir de lo que miden `tarea4.evaluation` y `tarea4.statistics`."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown

from tarea4.evaluation import measured_senses
from tarea4.report.html import table
from tarea4.report.words import epochs_reaching, interval, mean_and_spread, number, percent
from tarea4.statistics import Calibration, paired_difference
from tarea4.training import SENSES, Run

RESULTS = SENSES | {"test_": "prueba"}


def summary(model: keras.Model) -> HTML:
    """Resumen de una red, capa por capa, con los parámetros que entrena y los que no."""
    rows = [(layer.name, type(layer).__name__, layer.output.shape[1:], layer.count_params()) for layer in model.layers]
    frame = pd.DataFrame(
        [(name, kind, "×".join(map(str, shape)), number(count, 0)) for name, kind, shape, count in rows],
        columns=["Capa", "Tipo", "Salida", "Parámetros"],
    )
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    total = model.count_params()
    return table(
        frame,
        f"{number(total, 0)} parámetros: {number(trainable, 0)} se entrenan y {number(total - trainable, 0)} no.",
    )


def keras_code(model: keras.Sequential) -> Markdown:
    """Las líneas de Keras que construyen una red de `tarea4.models`, leídas de ella; el optimizador, el de 2020."""
    layers = [f"    layers.{type(layer).__name__}({', '.join(_arguments(layer))})," for layer in model.layers]
    lines = [
        "model = keras.Sequential([", f"    keras.Input({model.input_shape[1:]}),", *layers, "])",
        f'model.compile(optimizer="{model.optimizer.name}", loss="{model.loss}", metrics=["accuracy"])',
    ]  # fmt: skip
    return Markdown("\n".join(["```python", *lines, "```"]))


def _arguments(layer: keras.layers.Layer) -> list[str]:
    config, regularizer = layer.get_config(), getattr(layer, "activity_regularizer", None)
    given = [str(config[name]) for name in ("units", "rate", "stddev") if name in config]
    named = [f'activation="{config["activation"]}"'] if config.get("activation", "linear") != "linear" else []
    named += [f"use_bias={config['use_bias']}"] if not config.get("use_bias", True) else []
    initializer = config.get("kernel_initializer", {"class_name": "GlorotUniform"})["class_name"]
    named += [f'kernel_initializer="{initializer}"'] if initializer != "GlorotUniform" else []
    terms = [f"{name}={alpha}" for name, alpha in (regularizer.get_config() if regularizer else {}).items() if alpha]
    return given + named + ([f"activity_regularizer=regularizers.L1L2({', '.join(terms)})"] if terms else [])


def claims_table(claims: Sequence[tuple[str, str, str]]) -> HTML:
    """Lo que se afirmó en 2020, lo medido para comprobarlo y el desenlace."""
    return table(pd.DataFrame(claims, columns=["En 2020", "Hoy", "Desenlace"]), "Lo que se afirmó en 2020, comprobado")


def results_table(measured: pd.DataFrame, caption: str) -> HTML:
    """Media y desviación típica, por modelo, de una tabla como la de `tarea4.evaluation.results`."""
    rows = []
    for name, group in measured.groupby("model", sort=False):
        row = {"Modelo": name, "Parámetros": number(group["parameters"].iloc[0], 0), "Semillas": len(group)}
        for prefix, label in [item for item in RESULTS.items() if f"{item[0]}loss" in group]:
            row[f"Pérdida, {label}"] = mean_and_spread(group[f"{prefix}loss"])
            row[f"Exactitud (%), {label}"] = mean_and_spread(group[f"{prefix}accuracy"], 2, 100)
        rows.append(row | {"Mejor época": mean_and_spread(group["best_epoch"], 1)})
    return table(pd.DataFrame(rows).set_index("Modelo").T.rename_axis(None, axis=1), caption, index=True)


def epochs_table(reached: pd.DataFrame, caption: str) -> HTML:
    """Época en que cada semilla de una red cumple los umbrales, en cada sentido de la pérdida."""
    by_seed = reached.pivot(index="seed", columns="sense", values="epoch")[list(SENSES)].rename(columns=SENSES)
    by_seed = by_seed.astype(object).where(by_seed.notna(), "—")
    return table(by_seed.rename_axis(index="Semilla").rename_axis(columns=None).reset_index(), caption)


def reached_table(reached: pd.DataFrame, parameters: dict[str, int], caption: str) -> HTML:
    """Por red, sus parámetros y en qué épocas cumple los umbrales en cada sentido de la pérdida."""
    rows = [
        {"Red": name, "Parámetros": number(parameters[name], 0)}
        | {label: epochs_reaching(group.loc[group["sense"] == sense, "epoch"]) for sense, label in SENSES.items()}
        for name, group in reached.groupby("model", sort=False)
    ]
    return table(pd.DataFrame(rows), caption)


def explored_table(explored: pd.DataFrame, caption: str) -> HTML:
    """Validación media de los modelos explorados, de menor a mayor pérdida."""
    columns = ["parameters", "val_loss", "val_accuracy", "best_epoch"]
    means = explored.groupby("model", sort=False)[columns].mean().sort_values("val_loss")
    formatted = {
        "Parámetros": means["parameters"].map(lambda value: number(value, 0)),
        "Pérdida": means["val_loss"].map(number),
        "Exactitud": means["val_accuracy"].map(percent),
        "Mejor época": means["best_epoch"].map(lambda value: number(value, 1)),
    }
    return table(pd.DataFrame(formatted).rename_axis("Modelo").reset_index(), caption)


def confusions_table(confusions: pd.DataFrame, caption: str) -> HTML:
    """Las confusiones de `tarea4.evaluation.worst_confusions`, en español."""
    spanish = confusions.assign(fraction=confusions["fraction"].map(percent))
    return table(spanish.set_axis(["Clase", "Predicha", "Imágenes", "De su clase"], axis=1), caption)


def ranges_table(ranges: pd.DataFrame, caption: str) -> HTML:
    """Lo que dan las salidas de cada red, de `tarea4.report.q2.output_ranges`."""
    names = {"min": "Menor salida", "max": "Mayor salida", "min_sum": "Menor suma", "max_sum": "Mayor suma"}
    return table(_spanish(ranges.map(number), names, "Salida"), caption)


def accuracies_table(measured: pd.DataFrame, caption: str) -> HTML:
    """Exactitudes evaluadas, época elegida y segundos de las tres salidas de Q2."""
    names = {"train_accuracy": "Entrenamiento", "val_accuracy": "Validación", "test_accuracy": "Prueba"}
    names |= {"best_epoch": "Mejor época", "seconds": "Segundos"}
    scaled = measured.assign(**{name: 100 * measured[name] for name in names if name.endswith("accuracy")})
    by_model = scaled.groupby("model", sort=False)[list(names)].agg(mean_and_spread, 2)
    return table(_spanish(by_model, names, "Salida"), caption)


def bins_table(calibrations: dict[str, Calibration]) -> pd.DataFrame:
    """Los tramos con imágenes de uno o más diagramas de fiabilidad."""
    bins = pd.concat({name: found.bins.dropna() for name, found in calibrations.items()}).droplevel(1)
    shown = bins.assign(**{name: bins[name].map(percent) for name in ("confidence", "accuracy")})
    return _spanish(shown, {"confidence": "Confianza", "accuracy": "Exactitud", "count": "Imágenes"}, "Salida")


def calibration_table(eces: dict[str, list[float]], caption: str) -> HTML:
    """Error de calibración de dos salidas, media y desviación típica de las semillas, y su diferencia emparejada."""
    rows = [(name, mean_and_spread(values)) for name, values in eces.items()]
    difference = paired_difference(*eces.values())
    rows.append(("diferencia: softmax menos sigmoide", f"{number(difference.mean_difference)} {interval(difference)}"))
    return table(pd.DataFrame(rows, columns=["Salida", "ECE en prueba"]), caption)


def gradients_table(wrong: pd.DataFrame, caption: str) -> HTML:
    """Probabilidad y gradiente en las dos clases de cada imagen de `tarea4.report.q2.wrong_images`."""
    names = {"p_true": "p, verdadera", "p_likeliest": "p, más probable"}
    names |= {"gradient_true": "p − y, verdadera", "gradient_likeliest": "p − y, más probable"}
    classes = wrong[["true", "likeliest"]].set_axis(["Verdadera", "Más probable"], axis=1)
    return table(classes.join(wrong[list(names)].map(number).rename(columns=names)), caption)


def digits_table(images: np.ndarray, y: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """De las imágenes dibujadas, por su índice: su clase, la que la red lee y la probabilidad que le da."""
    found = probabilities[images]
    columns = {"Imagen": images, "Clase": y[images], "Lee": found.argmax(axis=1)}
    return pd.DataFrame(columns | {"Probabilidad": map(percent, found.max(axis=1))})


def seeds_table(measured: pd.DataFrame, metric: str, show: Callable[[float], str] = number) -> pd.DataFrame:
    """Una métrica por modelo (columnas, en su orden) y semilla (filas)."""
    by_seed = measured.pivot(index="seed", columns="model", values=metric)[list(measured["model"].unique())]
    return by_seed.map(show, na_action="ignore").rename_axis(index="Semilla", columns=None).reset_index()


def _spanish(frame: pd.DataFrame, names: dict[str, str], index: str) -> pd.DataFrame:
    return frame[list(names)].rename(columns=names).rename_axis(index).reset_index()


def confusion_table(matrices: dict[str, np.ndarray]) -> pd.DataFrame:
    """Las cuentas de una o más matrices de confusión, una fila por modelo y clase verdadera."""
    frames = {name: pd.DataFrame(cm).rename_axis("Clase").reset_index() for name, cm in matrices.items()}
    return pd.concat(frames, names=["Modelo"]).reset_index("Modelo")


def curve_table(runs_by_name: dict[str, list[Run]], metric: str) -> pd.DataFrame:
    """Media de las semillas, época a época, de una métrica de la historia en los `SENSES` que se midieron."""
    senses = measured_senses(run for runs in runs_by_name.values() for run in runs)
    columns = {
        f"{name}, {label}": pd.concat([pd.Series(run.history[prefix + metric]) for run in runs], axis=1).mean(axis=1)
        for name, runs in runs_by_name.items()
        for prefix, label in senses.items()
    }
    frame = pd.DataFrame(columns)
    frame.insert(0, "Época", frame.index + 1)
    return frame.map(lambda value: value if isinstance(value, int) else number(value))
