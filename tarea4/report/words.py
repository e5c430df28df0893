"""Pone en español lo que se ha medido: cifras, intervalos, veredictos y fechas."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Literal

import numpy as np
import pandas as pd

from tarea4.statistics import Comparison, Interval

Outcome = Literal["mejor", "peor", "sin diferencia"]
MONTHS = (
    "enero", "febrero", "marzo", "abril", "mayo", "junio",
    "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre",
)  # fmt: skip


def number(value: float, decimals: int = 4) -> str:
    """Cifra con coma decimal y espacio de millares: ``number(34375, 0)`` es «34 375»."""
    if not np.isfinite(value):
        return "no definido" if np.isnan(value) else ("−∞" if value < 0 else "∞")
    return f"{value:,.{decimals}f}".replace(",", "\N{NO-BREAK SPACE}").replace(".", ",").replace("-", "−")


def percent(fraction: float, decimals: int = 2) -> str:
    """Fracción como porcentaje: ``percent(0.9752)`` es «97,52 %»."""
    return f"{number(100 * fraction, decimals)}\N{NO-BREAK SPACE}%"


def scientific(value: float, *, exact: bool = False) -> str:
    """Como potencia de diez: ``scientific(7e-14)`` es «7·10⁻¹⁴»; el cero, «0».

    Con tres cifras o, si es `exact`, con todas las que distinguen el valor de cualquier otro.
    """
    if value == 0:
        return "0"
    text = np.format_float_scientific(value, trim="-") if exact else f"{value:.2e}"
    mantissa, exponent = text.replace(".", ",").split("e")
    power = "10" + str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    mantissa = mantissa.rstrip("0").rstrip(",") if "," in mantissa else mantissa
    return power if mantissa == "1" else f"{mantissa}·{power}"


def exact(value: float) -> str:
    """Con dos decimales o, si no bastan para distinguirlo de otro valor, con los que hagan falta: «0,20», «0,204»."""
    return number(value, 2) if round(value, 2) == value else np.format_float_positional(value).replace(".", ",")


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

    La diferencia es la de `name` menos la de `other`, los dos con artículo, en la pérdida (nats) o en la exactitud
    (puntos); `where` dice sobre qué imágenes: «en validación».
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


def days(dates: Iterable[date]) -> str:
    """Cuándo empezó y cuándo acabó algo: «el 3 de mayo de 2026», o «entre el 3 de mayo de 2026 y el...»."""
    dates = list(dates)
    first, last = (f"el {day.day} de {MONTHS[day.month - 1]} de {day.year}" for day in (min(dates), max(dates)))
    return first if first == last else f"entre {first} y {last}"


def in_test(measured: pd.DataFrame, name: str) -> str:
    """Pérdida y exactitud de un modelo en prueba, en una frase corta."""
    group = measured[measured["model"] == name]
    loss, accuracy = mean_and_spread(group["test_loss"]), mean_and_spread(group["test_accuracy"], 2, 100)
    return f"pérdida {loss} y exactitud {accuracy} % en prueba ({plural(len(group), 'semilla')})"


def means(measured: pd.DataFrame, metric: str) -> str:
    """La media de una fracción por modelo: «softmax, 97,32 %; lineal, 97,10 %»."""
    by_model = measured.groupby("model", sort=False)[metric].mean()
    return "; ".join(f"{name}, {percent(value)}" for name, value in by_model.items())
