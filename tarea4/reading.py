"""Los formatos en que cada cual trae sus imágenes: Keras, CSV, https://medmnist.com e https://yann.lecun.org/exdb/mnist."""

import gzip
import math
import re
from pathlib import Path
from textwrap import shorten

import numpy as np
import pandas as pd

ARRAYS = ("x_train", "y_train", "x_val", "y_val", "x_test", "y_test")
NAMES = {f"{name[2:]}_{'images' if name[0] == 'x' else 'labels'}": name for name in ARRAYS}
IDX_NAME = re.compile(r"([^.]*?)(train|t10k|test)-(images|labels)[-.]idx")
IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
EXPECTED = "un .npz, un .csv con una columna label o una carpeta con los cuatro archivos IDX"


class Unusable(ValueError):
    """Lo que impide usar unos datos, en media frase: quien los carga dice antes de qué archivo habla."""


def read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], tuple[str, ...], list[str]]:
    """Imágenes (n, alto, ancho) y clases (n,), desde 0, de cada parte; nombres de las clases y cómo se entendió."""
    reader = _read_folder if path.is_dir() else _read_csv if ".csv" in path.name.lower() else _read_npz
    try:
        arrays, notes = reader(path)
    except (Unusable, AttributeError, NameError):  # los dos últimos serían nuestros
        raise
    except Exception as error:  # un archivo dañado hace saltar a NumPy, a pandas, a zipfile y a gzip de muchas maneras
        raise Unusable(f"no se puede leer (vacío, cortado, enorme o con objetos) o no es {EXPECTED}") from error
    splits = [split for split in ("train", "val", "test") if split != "val" or {"x_val", "y_val"} & arrays.keys()]
    if missing := [name for name in ARRAYS if name[2:] in splits and name not in arrays]:
        raise Unusable(f"le falta {', '.join(missing)}, y se espera {EXPECTED}")
    images = {split: _images(f"x_{split}", arrays[f"x_{split}"], notes) for split in splits}
    labels = {split: _labels(f"y_{split}", arrays[f"y_{split}"], len(images[split]), notes) for split in splits}
    names, numbers = np.unique(np.concatenate([*labels.values()]), return_inverse=True)
    if not np.array_equal(names, np.arange(len(names))):
        notes.append(f"las clases {shorten(', '.join(map(str, names)), 90)} se numeran desde 0")
    parts = np.split(numbers.astype("int32"), np.cumsum([*map(len, labels.values())])[:-1])
    return images, dict(zip(splits, parts, strict=True)), tuple(map(str, names)), notes


def _read_npz(path):
    with np.load(path, allow_pickle=False) as archive:
        known = {NAMES.get(name.lower(), name.lower()): name for name in archive.files}
        return {name: np.asarray(archive[known[name]]) for name in ARRAYS if name in known}, []


def _read_csv(path):
    table = pd.read_csv(path).rename(columns=lambda name: name.strip().lower())
    if "label" not in table or table["label"].isna().any():
        raise Unusable("no tiene una columna label con la clase de cada fila")
    y, x, order = table.pop("label").to_numpy(), table.to_numpy(), np.random.default_rng(0).permutation(len(table))
    test, train = order[: len(order) // 5], np.sort(order[len(order) // 5 :])
    arrays = {"x_train": x[train], "y_train": y[train], "x_test": x[test], "y_test": y[test]}
    return arrays, ["la prueba es una quinta parte de las filas, al azar, con semilla 0"]


def _read_folder(path):
    files = {}
    for file in sorted(path.glob("*idx*")) or sorted(path.glob("*/*idx*")):  # torchvision los deja en raw/
        if (match := IDX_NAME.match(file.name.lower())) and file.is_file():
            files[file.parent, match[1], NAMES[f"{match[2].replace('t10k', 'test')}_{match[3]}"]] = file
    if len(files) != 4 or len({key[:2] for key in files}) > 1:
        found = ", ".join(file.name for file in files.values()) or "ninguno"
        raise Unusable(f"la carpeta debe tener cuatro IDX, train y t10k, images y labels, y tiene {found:.200}")
    emnist = "emnist" in min(files)[1]  # guarda las imágenes por columnas
    return {key[2]: _read_idx(file, emnist) for key, file in files.items()}, ["imágenes traspuestas (EMNIST)"] * emnist


def _read_idx(path, transposed):
    content = gzip.decompress(raw) if (raw := path.read_bytes())[:2] == b"\x1f\x8b" else raw
    shape = np.frombuffer(content, ">u4", content[3], 4)
    array = np.frombuffer(content, IDX_TYPES[content[2]], offset=4 + 4 * len(shape)).reshape(shape)
    return array.swapaxes(1, 2) if transposed and array.ndim == 3 else array


def _images(name, x, notes):
    given = x.shape
    x = x[..., 0] if x.ndim == 4 and given[3] == 1 else x[:, 0] if x.ndim == 4 and given[1] == 1 else x
    if x.ndim == 2 and (side := math.isqrt(given[1])) ** 2 == given[1]:
        x = x.reshape(len(x), side, side)
    if x.ndim != 3 or 0 in x.shape or x.dtype.kind not in "buif":
        flat = x.ndim == 2 and given[1] > 3 and 3 * math.isqrt(given[1] // 3) ** 2 == given[1]
        tint = ", en color (promedia sus canales)," if flat or (x.ndim == 4 and {3, 4} & {*given[1::2]}) else ""
        raise Unusable(f"{name}{tint} es {x.dtype} de forma {given}; se admite (n, alto, ancho) o (n, lado²) sin ceros")
    if (kept := _exact(x, "uint8")).dtype != x.dtype or x.shape != given:
        notes.append(f"imágenes dadas en {x.dtype} de {' × '.join(map(str, given[1:]))}")
    return kept


def _labels(name, y, n, notes):
    numbers, column = y.dtype.kind in "buif", y.shape == (n, 1)
    if column or (numbers and y.ndim == 2 and np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all()):
        notes.append(f"etiquetas {'en columna' if column else 'one-hot'}")
        y = y[:, 0] if column else y.argmax(axis=1)
    y = _exact(y, "int64") if numbers else y.astype(str) if y.dtype.kind == "O" else y
    if y.shape != (n,) or y.dtype.kind not in "iU":
        raise Unusable(f"{name} es {y.dtype} de forma {y.shape} y se espera ({n},), un entero o un nombre por imagen")
    return y


def _exact(array, dtype):
    with np.errstate(invalid="ignore"):
        converted = array.astype(dtype, copy=False)
    return converted if converted is array or np.array_equal(converted, array) else array
