"""Pone en español lo que se ha medido: cifras, intervalos, veredictos y fechas."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Literal

import numpy as np
import pandas as pd

from tarea4.statistics import Comparison, Interval

Outcome = Literal["mejor", "peor", "sin diferencia"]
SPLITS = {"val": "validación", "test": "prueba"}
SURE = 1e-4  # con un valor p mayor, otras semillas, u otro procesador, podrían no ver la diferencia: se dice «parece»
MONTHS = "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre".split()  # noqa: SIM905


def number(value: float, decimals: int = 4) -> str:
    """Cifra con coma decimal y espacio de millares: ``number(34375, 0)`` es «34 375»."""
    if not np.isfinite(value):
        return "no definido" if np.isnan(value) else ("−∞" if value < 0 else "∞")
    return f"{value:,.{decimals}f}".replace(",", "\N{NO-BREAK SPACE}").replace(".", ",").replace("-", "−")


def percent(fraction: float, decimals: int = 2) -> str:
    return f"{number(100 * fraction, decimals)}\xa0%"


def p_text(value: float) -> str:
    return "p < 0,0001" if value < 1e-4 else f"p = {number(value)}"


def scientific(value: float, *, exact: bool = False) -> str:
    """Como potencia de diez, «7·10⁻¹⁴», con tres cifras o, si es `exact`, con todas las que distinguen el valor."""
    if value == 0:
        return "0"
    text = np.format_float_scientific(value, trim="-") if exact else f"{value:.2e}"
    mantissa, exponent = text.replace(".", ",").split("e")
    mantissa = mantissa.rstrip("0").rstrip(",")
    power = "10" + str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return power if mantissa == "1" else f"{mantissa}·{power}"


def layers(hidden_sizes: Sequence[int]) -> str:
    return "-".join(map(str, hidden_sizes))


def plural(n: int, singular: str, plural_form: str | None = None) -> str:
    return f"{number(n, 0)} {singular if n == 1 else plural_form or singular + 's'}"


def mean_and_spread(values: Sequence[float], decimals: int = 4, scale: float = 1) -> str:
    """Media y desviación típica: «0,0812 ± 0,0031»; con un solo valor, el valor."""
    values = scale * np.asarray(values, dtype=float)
    spread = f" ±\N{NO-BREAK SPACE}{number(values.std(ddof=1), decimals)}" if len(values) > 1 else ""
    return number(values.mean(), decimals) + spread


def interval(ends: Interval | Comparison, decimals: int = 4, scale: float = 1) -> str:
    return f"[{number(scale * ends.low, decimals)}; {number(scale * ends.high, decimals)}]"


def bounds(paired: Comparison, decimals: int = 4, scale: float = 1) -> str:
    return f"intervalo del {percent(paired.confidence, 0)} {interval(paired, decimals, scale)}"


def outcome(comparison: Comparison, *, lower_is_better: bool = False) -> Outcome:
    """Qué prueba una comparación: mejor o peor si el intervalo excluye el cero; si no, que no se distinguen."""
    if comparison.low <= 0 <= comparison.high or np.isnan(comparison.low):
        return "sin diferencia"
    return "mejor" if (comparison.low > 0) != lower_is_better else "peor"


def verdict(name: str, other: str, metric: Literal["loss", "accuracy"], comparison: Comparison, where: str) -> str:
    """Lo que permite decir la diferencia de `name` menos `other`, con artículo: en nats o, la exactitud, en puntos."""
    if comparison.n < 2:
        return f"Con una sola semilla no hay intervalo, y nada prueba que {name} y {other} difieran {where}."
    loss = metric == "loss"
    what, better, worse = ("pérdida", "menor", "mayor") if loss else ("exactitud", "mayor", "menor")
    scale, unit, decimals = (1, "", 4) if loss else (100, " puntos", 2)
    difference = number(scale * comparison.mean_difference, decimals) + unit
    within = bounds(comparison, decimals, scale)
    support = f"(diferencia de {difference}, {within}, {plural(comparison.n, 'semilla')})"
    found = outcome(comparison, lower_is_better=loss)
    if found == "sin diferencia":
        both = f"{name} de {other}".replace(" de el ", " del ")
        return f"Estas semillas no distinguen {both} por la {what} {where.rstrip(',')} {support}."
    has, size = settled(comparison.p_value, "tiene", "parece tener"), better if found == "mejor" else worse
    return f"{name[0].upper()}{name[1:]} {has} {size} {what} {where} que {other} {support}."


def epochs_reaching(epochs: Sequence[int], *, brief: bool = False) -> str:
    """En qué épocas se alcanzó un umbral, NA si no: «llega con 3 de 5 semillas, entre las épocas 12 y 15».

    Con `brief`, como cabe en una celda: «3 de 5, entre las épocas 12 y 15».
    """
    reached, n = [epoch for epoch in epochs if pd.notna(epoch)], len(epochs)
    share = f"{len(reached) or 'ninguna'} de {n}{'' if brief else ' semillas'}" if n > 1 else "su única semilla"
    share = share if brief and n > 1 else f"{'' if reached else 'no '}llega con {share}"
    if not reached:
        return share
    first, last = min(reached), max(reached)
    when = f"en la época {first}" if first == last else f"entre las épocas {first} y {last}"
    return f"{share}, {when}"


def days(dates: Iterable[date]) -> str:
    """Cuándo empezó y cuándo acabó algo: «el 3 de mayo de 2026», o «entre el 3 de mayo de 2026 y el...»."""
    dates = list(dates)
    first, last = (f"el {day.day} de {MONTHS[day.month - 1]} de {day.year}" for day in (min(dates), max(dates)))
    return first if first == last else f"entre {first} y {last}"


def in_test(measured: pd.DataFrame, name: str) -> str:
    group = measured[measured["model"] == name]
    loss, accuracy = mean_and_spread(group["test_loss"]), mean_and_spread(group["test_accuracy"], 2, 100)
    return f"pérdida {loss} y exactitud {accuracy}\xa0% en prueba ({plural(len(group), 'semilla')})"


def means(measured: pd.DataFrame, metric: str) -> str:
    """La media de una fracción por modelo: «softmax, 97,32 %; lineal, 97,10 %»."""
    by_model = measured.groupby("model", sort=False)[metric].mean()
    return "; ".join(f"{name}, {percent(value)}" for name, value in by_model.items())


def at_the_end(measured: pd.DataFrame) -> str:
    """De cada modelo, con cuántas semillas elige una época del último décimo: con más, aún podría mejorar."""
    late = (measured["best_epoch"] > 0.9 * measured["epochs"]).groupby(measured["model"], sort=False)
    told = "; ".join(f"{name}, {n} de {of}" for name, n, of in late.agg(["sum", "size"]).itertuples())
    return f"Semillas cuya mejor época cae en el último décimo, y que con más épocas aún podrían mejorar: {told}."


def settled(p_value: float, said: str, hesitant: str) -> str:
    """Lo que se dice de una diferencia probada: `said`, o `hesitant` si otras semillas podrían no verla."""
    return said if p_value < SURE else hesitant


def phrased(found: Outcome, p_value: float, better: tuple[str, str], worse: tuple[str, str], same: str) -> str:
    """Lo que se dice de un desenlace: de mejor y de peor, lo que diga `settled`."""
    return settled(p_value, *{"mejor": better, "peor": worse, "sin diferencia": (same, same)}[found])
