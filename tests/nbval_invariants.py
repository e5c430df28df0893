"""Lo que se cumple exacto en un cuaderno, sea cual sea el procesador: se mira en sus salidas recién calculadas."""

import re
from collections.abc import Iterator, Sequence

from nbval_reading import Table, tables, to_float

MCNEMAR = re.compile(r"el modelo (.+?) acierta ([\d\xa0]+) im\w+ que el otro falla, y el (.+?), ([\d\xa0]+) im")
Matrix = list[list[float]]


def broken(stored: Sequence[dict], fresh: Sequence[dict]) -> Iterator[str]:
    """Los invariantes que no se cumplen, dadas las salidas guardadas y las nuevas de las mismas celdas."""
    before, shown = ([*map(_matrices, found)] for found in (_tables(stored), _tables(fresh)))
    for old, new in zip(filter(None, before), filter(None, shown), strict=False):
        for (model, was), (_, now) in zip(old, new, strict=False):
            if [*map(sum, was)] != [*map(sum, now)]:
                yield f"matriz de confusión de «{model}»: sus filas ya no suman las imágenes de cada clase"
    matrices = [matrix for table in shown for matrix in table]
    for table in _tables(fresh):
        for model, matrix in matrices:
            yield from _against_results(table, model, matrix)
        if table.header[:3] == ["Clase", "Predicha", "Imágenes"] and matrices:
            for true, predicted, count, *_ in table.rows:
                if matrices[-1][1][int(true)][int(predicted)] != to_float(count):
                    yield f"tabla «{table.caption}»: de {true} a {predicted} no son {count} en la matriz"
    hits = {model: _hits(matrix) for model, matrix in matrices}
    for name, b, other, c in MCNEMAR.findall(" ".join(_contents(fresh, "text/markdown"))):
        if {name, other} <= hits.keys() and hits[other] - hits[name] != to_float(c) - to_float(b):
            yield f"McNemar: {b} y {c} no cuadran con las matrices de «{name}» y «{other}»"


def _against_results(table: Table, model: str, matrix: Matrix) -> Iterator[str]:
    lines = [table.header, *table.rows]
    # Con muchas redes, la tabla lleva una por fila, y no una por columna.
    header, *found = zip(*lines, strict=False) if "Semillas" in table.header else lines
    rows = {row[0]: row for row in found if row}
    if model in header and {"Semillas", accuracy := "Exactitud (%), prueba"} <= rows.keys():
        stated = rows[accuracy][column := header.index(model)]
        mean, spread = (to_float(each.strip()) for each in [*stated.split("±"), "0"][:2])
        n, percent = to_float(rows["Semillas"][column]), 100 * _hits(matrix) / sum(map(sum, matrix))
        # Ningún valor se aparta de la media de n más de (n − 1)/√n desviaciones típicas; lo demás es redondeo.
        if not abs(percent - mean) <= (spread + 0.005) * (n - 1) / n**0.5 + 0.0051:
            shown = f"{percent:.2f}".replace(".", ",")
            yield f"«{model}»: su matriz acierta {shown} % y «{table.caption}» dice {stated}"


def _matrices(table: Table) -> list[tuple[str, Matrix]]:
    if table.header[:2] != ["Modelo", "Clase"]:
        return []
    counts = {}
    for model, _, *row in table.rows:
        counts.setdefault(model, []).append([*map(to_float, row)])
    return [*counts.items()]


def _hits(matrix: Matrix) -> float:
    return sum(row[i] for i, row in enumerate(matrix))


def _contents(outputs: Sequence[dict], mime: str) -> list[str]:
    return [output["data"][mime] for output in outputs if mime in output.get("data", {})]


def _tables(outputs: Sequence[dict]) -> list[Table]:
    return [table for html in _contents(outputs, "text/html") for table in tables(html)]
