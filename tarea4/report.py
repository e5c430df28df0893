"""Pone en español lo que se ha medido: cifras, veredictos, tablas y figuras con su texto alternativo."""

import base64
import html
from collections.abc import Sequence
from typing import Literal

import keras
import numpy as np
import pandas as pd
from IPython.display import HTML

from tarea4.evaluation import SENSES, Comparison, Interval, measured_senses
from tarea4.plots import ReportFigure
from tarea4.training import Run

Outcome = Literal["mejor", "peor", "sin diferencia"]
RESULTS = SENSES | {"test_": "prueba"}


def number(value: float, decimals: int = 4) -> str:
    """Cifra con coma decimal y espacio de millares: ``number(34375, 0)`` es «34 375»."""
    if not np.isfinite(value):
        return "no definido" if np.isnan(value) else ("−∞" if value < 0 else "∞")
    return f"{value:,.{decimals}f}".replace(",", "\N{NO-BREAK SPACE}").replace(".", ",").replace("-", "−")


def percent(fraction: float, decimals: int = 2) -> str:
    """Fracción como porcentaje: ``percent(0.9752)`` es «97,52 %»."""
    return f"{number(100 * fraction, decimals)}\N{NO-BREAK SPACE}%"


def scientific(value: float) -> str:
    """Alfa como potencia de diez: ``scientific(7e-14)`` es «7·10⁻¹⁴»; ``scientific(1e-4)``, «10⁻⁴»; el cero, «0»."""
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.2e}".split("e")
    power = "10" + str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    mantissa = number(float(mantissa), 2).rstrip("0").rstrip(",")
    return power if mantissa == "1" else f"{mantissa}·{power}"


def p_value(p: float) -> str:
    """Valor p de una prueba: «p = 0,0312»; si es menor que lo que cuatro decimales dicen, «p < 0,0001»."""
    return "p < 0,0001" if p < 1e-4 else f"p = {number(p)}"


def layers(hidden_sizes: Sequence[int]) -> str:
    """Tamaños de las capas ocultas: «40-50-15»."""
    return "-".join(map(str, hidden_sizes))


def plural(n: int, singular: str, plural_form: str | None = None) -> str:
    """Cantidad con su nombre: «1 semilla», «5 semillas»."""
    return f"{number(n, 0)} {singular if n == 1 else plural_form or singular + 's'}"


def mean_and_spread(values: Sequence[float], decimals: int = 4, scale: float = 1) -> str:
    """Media y desviación típica: «0,0812 ± 0,0031»; con un solo valor, el valor."""
    values = scale * np.asarray(values, dtype=float)
    spread = f" ±\N{NO-BREAK SPACE}{number(values.std(ddof=1), decimals)}" if len(values) > 1 else ""
    return number(values.mean(), decimals) + spread


def interval(bounds: Interval | Comparison, decimals: int = 4, scale: float = 1) -> str:
    """Extremos de un intervalo: «[0,0012; 0,0048]»."""
    return f"[{number(scale * bounds.low, decimals)}; {number(scale * bounds.high, decimals)}]"


def outcome(comparison: Comparison, *, lower_is_better: bool = False) -> Outcome:
    """Qué prueba una comparación: mejor o peor si el intervalo excluye el cero; si no, que no se distinguen."""
    if comparison.low <= 0 <= comparison.high or np.isnan(comparison.low):
        return "sin diferencia"
    return "mejor" if (comparison.low > 0) != lower_is_better else "peor"


def verdict(name: str, other: str, metric: Literal["loss", "accuracy"], comparison: Comparison, where: str) -> str:
    """Frase que dice lo que una comparación emparejada permite decir, y nada más.

    Parameters
    ----------
    name, other : str
        Los dos modelos, con artículo: la diferencia es la del primero menos la del segundo.
    metric : {"loss", "accuracy"}
        Qué se compara: la pérdida, en nats, o la exactitud, en puntos porcentuales.
    comparison : Comparison
        Resultado de `tarea4.evaluation.paired_difference`.
    where : str
        Sobre qué imágenes: «en validación».
    """
    if comparison.n < 2:
        return f"Con una sola semilla no hay intervalo, y nada prueba que {name} y {other} difieran {where}."
    scale, unit, decimals = (1, "", 4) if metric == "loss" else (100, " puntos", 2)
    difference = f"diferencia de {number(scale * comparison.mean_difference, decimals)}{unit}"
    level = percent(comparison.confidence, 0)
    seeds = plural(comparison.n, "semilla")
    support = f"{difference}, intervalo del {level} {interval(comparison, decimals, scale)}, {seeds}"
    what, better, worse = ("pérdida", "menor", "mayor") if metric == "loss" else ("exactitud", "mayor", "menor")
    size = {"mejor": better, "peor": worse}.get(outcome(comparison, lower_is_better=metric == "loss"))
    if not size:
        pair = f"de {name} y {other}".replace("de el ", "del ")
        return f"Estas semillas no distinguen la {what} {where} {pair} ({support})."
    return f"{name[0].upper()}{name[1:]} tiene {size} {what} {where} que {other} ({support})."


def epochs_reaching(epochs: Sequence[int]) -> str:
    """En qué épocas se alcanzó un umbral, NA si no: «llega con 3 de 5 semillas, entre las épocas 12 y 15»."""
    reached = [epoch for epoch in epochs if pd.notna(epoch)]
    if not reached:
        return f"no llega con ninguna de {plural(len(epochs), 'semilla')}"
    first, last = min(reached), max(reached)
    when = f"en la época {first}" if first == last else f"entre las épocas {first} y {last}"
    return f"llega con {len(reached)} de {plural(len(epochs), 'semilla')}, {when}"


def table(frame: pd.DataFrame, caption: str, *, index: bool = False) -> HTML:
    """Tabla de HTML con título; los textos se escapan."""
    body = frame.to_html(index=index, border=0, classes="tarea4", escape=True, na_rep="—")
    body = body.replace("<thead>", f"<caption>{html.escape(caption)}</caption>\n<thead>", 1)
    return HTML(f'<div class="tabla">{body}</div>')


def figure(fig: ReportFigure, caption: str, alt: str, numbers: pd.DataFrame | None = None) -> HTML:
    """Figura en SVG con pie, texto alternativo y, plegados, los números que dibuja.

    Parameters
    ----------
    fig : ReportFigure
        Como la devuelve `tarea4.plots`.
    caption : str
        Qué mirar en ella.
    alt : str
        Lo mismo, para quien no la ve.
    numbers : DataFrame, optional
        Lo dibujado, como tabla.
    """
    source = f"data:image/svg+xml;base64,{base64.b64encode(fig._repr_svg_().encode()).decode()}"
    data = "" if numbers is None else (
        f"<details><summary>Los números de la figura</summary>{table(numbers, caption).data}</details>"
    )  # fmt: skip
    return HTML(
        f'<figure class="tarea4"><img src="{source}" alt="{html.escape(alt)}">'
        f"<figcaption>{html.escape(caption)}</figcaption>{data}</figure>"
    )


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


def seeds_table(measured: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Una métrica por modelo (columnas) y semilla (filas)."""
    by_seed = measured.pivot(index="seed", columns="model", values=metric).map(number)
    return by_seed.rename_axis(index="Semilla", columns=None).reset_index()


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


def in_test(measured: pd.DataFrame, name: str) -> str:
    """Pérdida y exactitud de un modelo en prueba, en una frase corta."""
    group = measured[measured["model"] == name]
    loss, accuracy = mean_and_spread(group["test_loss"]), mean_and_spread(group["test_accuracy"], 2, 100)
    return f"pérdida {loss} y exactitud {accuracy} % en prueba ({plural(len(group), 'semilla')})"
