"""Hace que nbval compare las palabras una a una y las cifras dentro de una tolerancia.

Se activa con ``pytest -p nbval_numbers --nbval ...``. nbval recoge, ejecuta y marca las celdas como siempre: solo se
sustituyen sus dos clases por otras que heredan de ellas, para cambiar `compare_outputs`, que es todo lo que decide si
dos salidas son iguales. Limpiar antes las salidas (``--nbval-sanitize-with``) no valdría: borraría las cifras. Tras la
última celda se comprueban los invariantes de `nbval_invariants`.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, zip_longest
from statistics import NormalDist, fmean
from typing import NamedTuple

import pytest
from nbval.plugin import IPyNbCell, IPyNbFile, transform_streams_for_comparison
from nbval_invariants import broken
from nbval_reading import RAISED, TOKEN, Piece, read, to_float


class Kind(NamedTuple):
    """Una clase de cifra: cuánto puede moverse entre dos procesadores y en qué se la reconoce."""

    label: str
    mean: float  # tolerancia de lo que resume varias semillas: una media, su dispersión, una diferencia
    seed: float  # la de lo que sale de una sola semilla, o es la mayor o la menor de varias
    near: str = ""  # lo que lleva pegado, con ¤ en su lugar y # en el de las demás; manda sobre lo que sigue
    words: str = ""  # lo último que se nombra antes que ella, en su frase o en el rótulo de su fila
    titles: str = ""  # cómo empieza su columna o, si no dice nada, el título de su tabla
    curve: float = math.inf  # la de lo que se mueve, de media, una columna de `LONG` filas o más


# «Se movió» es lo medido al repetir Q1-Q5 con XLA y oneDNN limitados a SSE4; la tolerancia es más o menos el doble.
KINDS = {
    # Lo único que no se compara: depende de la máquina y de qué más haga. Segundos, minutos y horas son lo mismo.
    "duration": Kind("duración", math.inf, math.inf, r"¤ (?:s|min|horas?|h y #)\b", "", r"segundos"),
    # En desviaciones de la normal: se movió 1,8 entre un Intel y un AMD, de 0,012 a 0,45. Menos de 10⁻⁴ es 10⁻⁴.
    "p": Kind("valor p, en desviaciones", 2.5, 2.5, r"\bp [=<] ¤"),
    # En potencias de diez: lo que dan las alfas de 2020, que es lo que activan las redes, se movió 0,01.
    "penalty": Kind("pena, en potencias de diez", 0.1, 0.1, r"\bda l1 = ¤|da l1 = # y l2 = ¤|tendría que ser ¤"),
    # Una semilla junto al umbral cae a un lado o a otro: se movió 2. El desenlace va en palabras.
    "reaching": Kind("semillas que llegan", 2, 2, r"llega con ¤ de|^ ?¤ de # ,"),
    # Entre dos redes que no se distinguen, cuál gana con cada semilla es casi cara o cruz: se movió 3.
    "wins": Kind("semillas con que gana", 6, 6, r"gana con ¤ de", titles=r"gana$"),
    # De diez, cuántas eligen una de las últimas épocas de una curva casi plana: se movió 2.
    "late": Kind("semillas que acaban tarde", 4, 4, r"podrían mejorar :[^.]*, ¤ de #"),
    # Imágenes que solo acierta uno de dos modelos: se movió 29.
    "mcnemar": Kind("imágenes que solo acierta un modelo", 60, 60, r"acierta ¤ im|que el otro falla , y el \S+ , ¤ im"),
    # El que ocuparía una pérdida media entre las guardadas: se movió 1.
    "place": Kind("puesto", 3, 3, r"el puesto ¤"),
    # En puntos, lo que reúne un décimo de los píxeles: se movió 1,9 en una semilla (con AVX2).
    "share": Kind("reparto de los pesos, en puntos", 2, 4, "", r"reúne", r"los pesos de la primera"),
    # No varían: hiperparámetros, semillas, tamaños y, como todo «Más allá», las temperaturas, que están guardadas.
    "exact": Kind(
        "exacta", 0, 0, r"(?:dropout|=|semilla|intervalo del|ensayo) ¤|¤ (?:semillas?|parámetros)\b",
        r"^(?:parámetros|semillas)$", r"temperatura",
    ),
    # En puntos: se movió 0,25 en una media y 0,11 en la menor de cinco semillas.
    "accuracy": Kind(
        "exactitud, en puntos", 0.5, 1, r"¤ puntos", r"exactitud|equivoca", r"exactitud|accuracy|de su clase", 0.15
    ),
    # Se movió 0,013 en una media (la de validación, ya sobreajustada) y 0,007 en una semilla.
    "loss": Kind("pérdida", 0.02, 0.03, "", r"pérdida", r"pérdida", 0.006),
    # El mínimo de una curva casi plana: se movió 5,2 en una media; en la época de un umbral, 1.
    "epoch": Kind("época", 8, 12, "", r"mejor época|las? épocas?", r"mejor época|época en que"),
    # Se movió 0,0012, en el extremo de un intervalo.
    "ece": Kind("error de calibración", 0.003, 0.005, "", r"\bECE\b", r"ECE|error de calibración"),
    # En puntos: la confianza media de un intervalo con pocas imágenes se movió 0,5.
    "confidence": Kind("probabilidad, en puntos", 2, 2, "", "", r"confianza"),
    # Cuentas de una semilla: en una matriz de confusión se movió 21; sus filas, además, son un invariante.
    "images": Kind("imágenes", 40, 40, "", "", r"(?:la )?matri(?:z|ces) de confusión|imágenes$"),
}  # fmt: skip
# Pasado el sobreajuste, la curva de una semilla va a saltos, y su peor época se movió 0,04 entre un Intel y un AMD.
# Pero unas épocas suben lo que otras bajan: de media, una curva de 50 se movió 0,0024, y su exactitud, 0,04 puntos.
LONG, JUMPY = 20, 3  # filas desde las que una columna es una curva, y cuánto más puede moverse ahí un extremo
SCALES = {"p": lambda p: NormalDist().inv_cdf(1 - max(p, 1e-4) / 2), "penalty": math.log10}  # en qué se comparan
# Cerca de su límite, un veredicto puede cambiar de un procesador a otro: entonces el libro lo da por dudoso, y aquí se
# admite que otra vez salga más claro o no salga. De «mejora» a «no se distingue», o de «mejora» a «empeora», no.
DOUBT = re.compile(r"\b(?P<none>no (?:\w+ )?(?:disting|nota|ve |decid|dice))|(?P<seems>parece|por poco)")
OUTCOME = frozenset(re.findall(r"\S+", """
    a al de del e el en es estas la las lo no que red se si sí y semillas parece por tiene tener mayor menor mejor peor
    mejora empeora nota distingue distinguen distinguirse confirma confirmarse refuta refutarse deciden superado
    alcanzado dentro fuera poco además acierta acierte más ve , ; . : **
"""))  # fmt: skip
# Con más de dos decimales son fracciones, y la tolerancia, cien veces menor.
POINTS = {"accuracy", "confidence", "share"}
ONE_SEED = re.compile(r"\bde ¤ a #|\bde # a ¤|épocas? ¤|épocas # y ¤|semilla #")
WORDS, TITLES = (
    re.compile("|".join(f"(?P<{name}>{kind[i]})" for name, kind in KINDS.items() if kind[i]), re.IGNORECASE)
    for i in map(Kind._fields.index, ("words", "titles"))
)


def differences(stored: list[Piece], fresh: list[Piece], limits: Mapping[str, float]) -> Iterator[str]:
    """En qué difieren dos salidas ya leídas; `limits` cambia la tolerancia de algunas clases de `KINDS`."""
    rows, moved = Counter(_column(piece) for piece in stored), defaultdict(list)
    for old, new in zip_longest(stored, fresh, fillvalue=Piece("nada", "")):
        if old.where != new.where:
            yield f"donde había {old.where} hay {new.where}"
            return  # lo que sigue ya no se corresponde
        is_long = bool(old.header) and rows[_column(old)] >= LONG
        before, after = ([*TOKEN.finditer(piece.text)] for piece in (old, new))
        masked = ["#" if token["number"] else token[0] for token in before]
        for i, (a, b) in _aligned(before, after):
            around = f"{old.where}, en «{' '.join(token[0] for token in before[max(i - 4, 0) : i + 4]).strip()}»"
            was, now = (token[0] if token else "nada" for token in (a, b))
            if not (a and b and a["number"] and b["number"]):
                yield f"{around}: «{was}» guardado, «{now}» ahora"
                continue
            left, right = " ".join(masked[:i]), " ".join(masked[i + 1 :])
            name = _kind(old, left, right, was)
            in_curve = is_long and KINDS[name].curve < math.inf
            one_seed = old.one_seed or ONE_SEED.search(f"{left} ¤ {right}")
            limit = limits.get(name, KINDS[name].seed if one_seed else KINDS[name].mean)
            limit *= JUMPY if in_curve and one_seed else 1
            scale = 100 if name in POINTS and len(re.split("[.,]", was)[-1]) > 2 else 1
            if in_curve:
                moved[old.caption, old.header, name].append(scale * (to_float(now) - to_float(was)))
            if not _close(*map(SCALES.get(name, float), map(to_float, (was, now))), limit / scale):
                yield f"{around}: {was} guardado, {now} ahora; {_tolerance(limit / scale, name)}"
    for (caption, header, name), changes in moved.items():
        whole = limits.get("curve", KINDS[name].curve)
        if abs(mean := fmean(changes)) > whole:
            said = f"{mean:+.4f}".replace(".", ",")
            yield f"tabla «{caption}», columna «{header}»: de media, {said}; {_tolerance(whole, name)}"


def _aligned(before: list[re.Match], after: list[re.Match]) -> Iterator[tuple[int, tuple]]:
    """Las cifras que se corresponden, frase a frase, y la primera palabra de cada frase que no debía cambiar."""
    sentences = [_sentences(tokens) for tokens in (before, after)]
    if len(sentences[0]) != len(sentences[1]):
        sentences = [[[*enumerate(tokens)]] for tokens in (before, after)]
    for old, new in zip(*sentences, strict=True):
        words = [["#" if token["number"] else token[0].replace("<", "=") for _, token in each] for each in (old, new)]
        numbers = [[(i, token) for i, token in each if token["number"]] for each in (old, new)]
        if words[0] != words[1] and not _doubtful(*words):
            at = next(k for k, pair in enumerate(zip_longest(*words)) if pair[0] != pair[1])
            i, a = old[at] if at < len(old) else ((old or [(0, None)])[-1][0], None)
            yield i, (a, new[at][1] if at < len(new) else None)
        else:
            yield from ((i, (a, b)) for (i, a), (_, b) in zip(*numbers, strict=True))


def _sentences(tokens: list[re.Match]) -> list[list[tuple[int, re.Match]]]:
    ends = [0, *accumulate(token[0] in {".", ";", ":"} for token in tokens)]
    found = [[] for _ in range(ends[-1] + 1)]
    for i, token in enumerate(tokens):
        found[ends[i]].append((i, token))
    return found


def _doubtful(old: Sequence[str], new: Sequence[str]) -> bool:
    """Si dos frases solo difieren en el desenlace, y es uno dudoso: «parece menor» y «no se distingue»."""
    levels = [min((k for k, kind in enumerate(("none", "seems")) if kind in found), default=2)
              for found in ({m.lastgroup for m in DOUBT.finditer(" ".join(each))} for each in (old, new))]  # fmt: skip
    rest = [Counter(word for word in each if word.lower() not in OUTCOME) for each in (old, new)]
    return rest[0] == rest[1] and min(levels) < 2 and abs(levels[0] - levels[1]) < 2


def _column(piece: Piece) -> tuple[str, str]:
    return piece.caption, piece.header


def _tolerance(limit: float, name: str) -> str:
    return f"tolerancia {limit:g} ({KINDS[name].label})".replace(".", ",")


def _kind(piece: Piece, left: str, right: str, number: str) -> str:
    around = f"{left} ¤ {right}".replace("¤ ± #", "¤")
    if found := [name for name, kind in KINDS.items() if kind.near and re.search(kind.near, around)]:
        return found[0]
    if re.search(rf"[{RAISED}e]", number):
        return "exact"  # una potencia de diez es un hiperparámetro
    for text in (re.split(r" \. |\n", left)[-1], piece.row):
        if named := [match.lastgroup for match in WORDS.finditer(text)]:
            return named[-1]
    titles = filter(None, map(TITLES.match, (piece.header, piece.caption)))
    return next((match.lastgroup for match in titles), "exact")


def _close(a: float, b: float, limit: float) -> bool:
    return abs(a - b) <= limit * (1 + 1e-9)


class NumbersCell(IPyNbCell):
    """Una celda cuyas salidas se comparan así; ``metadata["tarea4"]["tolerance"]`` cambia sus tolerancias.

    Van por su clase; «curve» es la de lo que se mueve de media una curva.
    Con ``may_differ``, que dice por qué, no se compara: solo cabe donde lo comprueban los invariantes.
    """

    def compare_outputs(self, test, ref, skip_compare=None):
        stored, fresh = (self._values(outputs, skip_compare or self.parent.skip_compare) for outputs in (ref, test))
        ours = self.cell.metadata.get("tarea4", {})
        if ours.get("may_differ"):  # por qué, en una frase: lo que muestra lo guardan los invariantes
            return True
        limits = ours.get("tolerance", {})
        found = [f"no hay tolerancia que se llame {name}" for name in limits.keys() - KINDS.keys() - {"curve"}]
        for mime in stored | fresh:
            old, new = stored.get(mime, []), fresh.get(mime, [])
            if len(old) != len(new):
                found.append(f"{len(old)} salidas {mime} guardadas, {len(new)} ahora")
            kind = mime.removeprefix("application/papermill.record/")
            for pair in zip(old, new, strict=False):
                found += differences(*(read(kind, value) for value in pair), limits)
        self.comparison_traceback = [f"{self.path.name}, celda {self.cell_num}: {each}" for each in found]
        return not found

    def _values(self, outputs, skipped):
        values = {}
        for output in transform_streams_for_comparison(outputs):
            for key, value in {**output, **output.get("data", {})}.items():
                if key != "data" and key not in skipped and "image/" not in key:
                    values.setdefault(key, []).append(self.sanitize(value))
        return values


class Invariants(pytest.Item):
    """La última prueba de un cuaderno: lo que se cumple exacto en las salidas de las celdas que se ejecutaron."""

    def runtest(self):
        cells = [cell for cell in self.parent.cells if cell.test_outputs is not None]
        stored = [output for cell in cells for output in cell.cell.outputs]
        fresh = [output for cell in cells for output in cell.test_outputs]
        if found := [*broken(stored, fresh)]:
            pytest.fail("\n".join(f"{self.path.name}: {each}" for each in found), pytrace=False)


class NumbersFile(IPyNbFile):
    """Un cuaderno recogido por nbval, con las celdas de aquí."""

    def collect(self):
        given = ("name", "cell_num", "cell", "options")
        self.cells = [
            NumbersCell.from_parent(self, **{each: getattr(cell, each) for each in given}) for cell in super().collect()
        ]
        return [*self.cells, Invariants.from_parent(self, name="Invariantes")]


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path, parent):
    """Sustituye los cuadernos que recoge nbval."""
    found = yield
    return [NumbersFile.from_parent(parent, path=file_path) if type(each) is IPyNbFile else each for each in found]
