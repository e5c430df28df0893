"""Pone en español lo que se ha medido: cifras, veredictos, tablas y figuras con su texto alternativo."""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from typing import Literal

import keras
import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown
from matplotlib.figure import Figure

from tarea4.evaluation import Comparison, Interval

Outcome = Literal["mejor", "peor", "sin diferencia"]


def number(value: float, decimals: int = 4) -> str:
    """Cifra con coma decimal y espacio de millares: ``number(34375, 0)`` es «34 375»."""
    if not np.isfinite(value):
        return "no definido" if np.isnan(value) else ("−∞" if value < 0 else "∞")
    return f"{value:,.{decimals}f}".replace(",", "\N{NO-BREAK SPACE}").replace(".", ",").replace("-", "−")


def percent(fraction: float, decimals: int = 2) -> str:
    """Fracción como porcentaje: ``percent(0.9752)`` es «97,52 %»."""
    return f"{number(100 * fraction, decimals)}\N{NO-BREAK SPACE}%"


def scientific(value: float) -> str:
    """Alfa en notación científica: ``scientific(7e-14)`` es «7·10⁻¹⁴», y el cero, «0»."""
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.3g}e0".split("e")[:2] if 1e-3 <= abs(value) < 1e4 else f"{value:.1e}".split("e")
    mantissa = mantissa.removesuffix(".0").replace(".", ",")
    superscript = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return mantissa if int(exponent) == 0 else f"{mantissa}·10{superscript}"


def layers(hidden_sizes: Sequence[int]) -> str:
    """Tamaños de las capas ocultas: «40-50-15»."""
    return "-".join(map(str, hidden_sizes))


def plural(n: int, singular: str, plural_form: str | None = None) -> str:
    """Cantidad con su nombre: «1 semilla», «5 semillas»."""
    return f"{number(n, 0)} {singular if n == 1 else plural_form or singular + 's'}"


def mean_and_spread(values: Sequence[float], decimals: int = 4, scale: float = 1) -> str:
    """Media y desviación típica: «0,0812 ± 0,0031»; con un solo valor, el valor."""
    values = scale * np.asarray(values, dtype=float)
    spread = f" ± {number(values.std(ddof=1), decimals)}" if len(values) > 1 else ""
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
    if metric == "loss":
        amount, bounds = number(abs(comparison.mean_difference)), interval(comparison)
        forms = {"mejor": "pierde menos", "peor": "pierde más"}
    else:
        amount = f"{number(100 * abs(comparison.mean_difference), 2)} puntos"
        bounds, forms = interval(comparison, 2, 100), {"mejor": "acierta más", "peor": "acierta menos"}
    seeds = plural(comparison.n, "semilla")
    if comparison.n < 2:
        return f"Con una sola semilla no hay intervalo, y nada prueba que {name} y {other} difieran {where}."
    support = f"intervalo del {number(100 * comparison.confidence, 0)} % {bounds}, {seeds}"
    result = outcome(comparison, lower_is_better=metric == "loss")
    if result == "sin diferencia":
        return f"Estas {seeds} no distinguen {name} de {other} {where}: la diferencia media es {amount} ({support})."
    return f"{name[0].upper()}{name[1:]} {forms[result]} que {other} {where}: {amount} de diferencia ({support})."


def epochs_reaching(epochs: Sequence[int | None]) -> str:
    """En qué épocas se alcanzó un umbral: «en 3 de 5 semillas, entre las épocas 12 y 15»."""
    reached = [epoch for epoch in epochs if epoch is not None]
    if not reached:
        return f"en ninguna de {plural(len(epochs), 'semilla')}"
    first, last = min(reached), max(reached)
    when = f"en la época {first}" if first == last else f"entre las épocas {first} y {last}"
    return f"en {len(reached)} de {plural(len(epochs), 'semilla')}, {when}"


def table(frame: pd.DataFrame, caption: str, *, index: bool = False) -> HTML:
    """Tabla de HTML con título; los textos se escapan."""
    body = frame.to_html(index=index, border=0, classes="tarea4", escape=True, na_rep="—")
    body = body.replace("<thead>", f"<caption>{html.escape(caption)}</caption>\n<thead>", 1)
    return HTML(f'<div class="tabla">{body}</div>')


def figure(fig: Figure, caption: str, alt: str, numbers: pd.DataFrame | None = None) -> HTML:
    """Figura en SVG con pie, texto alternativo y, plegados, los números que dibuja.

    Parameters
    ----------
    fig : Figure
        Como la devuelve `tarea4.plots`.
    caption : str
        Qué mirar en ella.
    alt : str
        Lo mismo, para quien no la ve.
    numbers : DataFrame, optional
        Lo dibujado, como tabla.
    """
    buffer = io.BytesIO()
    fig.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    source = f"data:image/svg+xml;base64,{base64.b64encode(buffer.getvalue()).decode()}"
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


def bullets(sentences: Mapping[str, str] | Sequence[str]) -> Markdown:
    """Lista de Markdown; con un diccionario, cada clave en negrita delante de su frase."""
    lines = [f"**{k}:** {v}" for k, v in sentences.items()] if isinstance(sentences, Mapping) else sentences
    return Markdown("\n".join(f"- {line}" for line in lines))
