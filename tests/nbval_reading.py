"""Lee las salidas de un cuaderno como las mira quien lee el libro: textos, celdas de tablas y cifras españolas."""

import ast
import contextlib
import json
import re
from collections.abc import Iterator
from itertools import zip_longest
from typing import NamedTuple

from bs4 import BeautifulSoup

RAISED = "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"
# Una cifra no está pegada a letras ni a más cifras: «40-50-15», «Q4», «3.15.1», «28×28» y «05:41» son palabras.
TOKEN = re.compile(
    rf"(?P<number>(?:10[{RAISED}]+|[−+-]?(?:\d{{1,3}}(?:\xa0\d{{3}})+|\d+)(?:[.,]\d+)?"
    rf"(?:·10[{RAISED}]+|[eE][+-]?\d+)?)(?![\w×]|[-.,:/]\d))|\w+(?:[-.,:/×·’]\w+)*|no definido|\n|\S"
)
WEIGHTS = {"kernel", "bias", "scale", "shift"}  # del JSON de «Prueba el modelo»: de ellos solo cuenta cuántos son


class Table(NamedTuple):
    """Una tabla de HTML: título, cabecera y filas, como textos."""

    caption: str
    header: list[str]
    rows: list[list[str]]


class Piece(NamedTuple):
    """Lo que se compara de una vez, un texto o una celda de una tabla, y dónde está, que ha de ser lo mismo."""

    where: str
    text: str
    header: str = ""
    row: str = ""
    caption: str = ""
    one_seed: bool = False


def to_float(text: str) -> float:
    """El valor de una cifra española o de Python: «34 375», «−0,02», «2,36·10⁻⁸», «10⁻⁴», «1e-05»."""
    text = re.sub(rf"(?:^|·)10(?=[{RAISED}])", "e", text.replace("\xa0", "").replace("−", "-").replace(",", "."))
    return float(("1" if text[0] == "e" else "") + text.translate(str.maketrans(RAISED, "-0123456789")))


def tables(html: str | BeautifulSoup) -> Iterator[Table]:
    """Las tablas de un documento."""
    for table in (BeautifulSoup(html, "html.parser") if isinstance(html, str) else html)("table"):
        caption = table.caption.get_text(" ", strip=True) if table.caption else ""
        rows = [[cell.get_text(" ", strip=True) for cell in row(["th", "td"])] for row in table("tr")] or [[]]
        yield Table(caption, rows[0], rows[1:])


def read(mime: str, value) -> list[Piece]:
    """Los trozos de una salida, que son los mismos en otra con la misma forma."""
    if mime == "text/html":
        return [*_html(BeautifulSoup(value, "html.parser"))]
    with contextlib.suppress(ValueError, SyntaxError):  # `glue` guarda la representación de un texto, o de un JSON
        value = ast.literal_eval(value) if str(value)[:1] in {"'", '"'} else value
        value = json.loads(value) if str(value)[:1] == "{" else value
    return [Piece("texto", value)] if isinstance(value, str) else [*_json(value)]


def _html(soup: BeautifulSoup) -> Iterator[Piece]:
    for image in soup("img"):
        yield Piece("texto alternativo", image.get("alt", ""))
    for caption, header, rows in tables(soup):
        where, one_seed = f"tabla «{caption}»", header[:1] == ["Semilla"] or "con la semilla" in caption
        for i, cells in enumerate(rows, 1):
            row = ", ".join(cells[: 2 if header[1:2] == ["Clase"] else 1])
            for title, text in zip_longest(header, cells, fillvalue=""):
                extreme = one_seed or title.endswith(("mín.", "máx."))  # el de una semilla, sea cual sea
                yield Piece(f"{where}, fila {i} («{row}»), columna «{title}»", text, title, row, caption, extreme)
    for table in soup("table"):
        table.extract()
    yield Piece("texto", soup.get_text(" "))


def _json(node, key: str = "", path: str = "JSON") -> Iterator[Piece]:
    if isinstance(node, dict | list):
        for inner, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from _json(value, str(inner), f"{path}, {inner}")
    elif key in WEIGHTS:
        yield Piece(path, f"{len(node)} letras")
    else:
        yield Piece(path, f"{node:.8f}" if isinstance(node, float) else str(node), key)
