"""Prueba lo que cada cual trae: formatos de otros, nombres de clases, escalas y datos ordenados, leídos con `load`."""

import gzip
import shutil

import numpy as np
import pytest

from tarea4 import data

N, M = 1500, 500
IDX = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}


@pytest.fixture(scope="module")
def raw():
    """Las primeras imágenes de MNIST, con sus bytes y etiquetas como vienen."""
    with np.load(data.MNIST_PATH) as archive:
        return {name: archive[name][: N if "train" in name else M] for name in archive.files}


@pytest.fixture(scope="module")
def plain(raw, tmp_path_factory):
    """Esas imágenes, cargadas del formato del proyecto."""
    return load(tmp_path_factory.mktemp("raw"), **raw)


def load(folder, **arrays):
    np.savez(folder / "datos.npz", **arrays)
    return data.load(folder / "datos.npz")


def assert_same(loaded, expected):
    """Las mismas imágenes, las mismas etiquetas y el mismo reparto, número por número."""
    assert loaded.digest == expected.digest
    np.testing.assert_array_equal(loaded.x_test, expected.x_test)
    np.testing.assert_array_equal(loaded.y_test, expected.y_test)


def idx(array, code=8):
    """Un archivo IDX, escrito como lo describe quien lo inventó."""
    head = bytes([0, 0, code, array.ndim]) + b"".join(side.to_bytes(4, "big") for side in array.shape)
    return head + array.astype({8: ">u1", 12: ">i4", 13: ">f4"}[code]).tobytes()


def write_idx(folder, arrays, names=IDX):
    folder.mkdir(parents=True, exist_ok=True)
    for name, file in names.items():
        content = idx(arrays[name])
        (folder / file).write_bytes(gzip.compress(content, mtime=0) if file.endswith(".gz") else content)
    return folder


MNIST_DIGEST = "194e78a4e2c5c562bf1baa25135ed09de0963e3dbced93ab9a0d55c7378b7bd5"


def test_the_digest_of_mnist_never_changes(mnist):
    """Es el de los estudios guardados, y lo leído se dice en una línea, con las 6 000 últimas para validar."""
    assert mnist.digest == MNIST_DIGEST
    assert mnist.description == (
        "MNIST: 10 clases de imágenes de 28\xa0×\xa028; intensidades divididas entre 255; "
        "entrenan 54\xa0000, validan 6\xa0000 (las últimas) y prueban 10\xa0000."
    )
    assert mnist.class_names == tuple("0123456789")


def test_mnist_is_recognised_whoever_brings_it(mnist, tmp_path):
    """El archivo de Keras y la carpeta de torchvision son MNIST: mismo resumen, y así se llaman."""
    shutil.copy(data.MNIST_PATH, tmp_path / "el de keras.npz")
    with np.load(data.MNIST_PATH) as archive:
        folder = write_idx(tmp_path / "MNIST" / "raw", archive).parent
    for path in (tmp_path / "el de keras.npz", folder):
        loaded = data.load(path)
        assert_same(loaded, mnist)
        assert loaded.description == mnist.description


def test_almost_mnist_is_not_mnist(tmp_path):
    """Con una etiqueta de prueba cambiada ya no se llama MNIST, aunque entrene y valide con lo mismo."""
    with np.load(data.MNIST_PATH) as archive:
        arrays = dict(archive)
    arrays["y_test"][0] -= 1
    loaded = load(tmp_path, **arrays)
    assert loaded.digest == MNIST_DIGEST
    assert loaded.description.startswith("«datos.npz»: ")


def changed(raw, images=lambda x: x, labels=lambda y: y, names=lambda name: name):
    return {names(name): (images if name[0] == "x" else labels)(array) for name, array in raw.items()}


MEDMNIST = {"x_train": "train_images", "y_train": "train_labels", "x_test": "test_images", "y_test": "test_labels"}


@pytest.mark.parametrize(
    ("how", "notes"),
    [
        ({"images": lambda x: x[..., None]}, "imágenes dadas en uint8 de 28 × 28 × 1; "),
        ({"images": lambda x: x[:, None]}, "imágenes dadas en uint8 de 1 × 28 × 28; "),
        ({"images": lambda x: x.reshape(len(x), -1)}, "imágenes dadas en uint8 de 784; "),
        ({"images": lambda x: x.astype("float32")}, "imágenes dadas en float32 de 28 × 28; "),
        ({"images": lambda x: x.astype("int64")}, "imágenes dadas en int64 de 28 × 28; "),
        ({"labels": lambda y: y[:, None]}, "etiquetas en columna; "),
        ({"labels": lambda y: np.eye(10, dtype="float32")[y]}, "etiquetas one-hot; "),
        ({"labels": lambda y: np.eye(10, dtype=bool)[y]}, "etiquetas one-hot; "),
        ({"labels": lambda y: y.astype("float64")}, ""),
        ({"labels": lambda y: y.astype("uint64")}, ""),
        ({"names": str.upper}, ""),
        ({"names": MEDMNIST.get}, ""),
    ],
)
def test_other_shapes_types_and_names_are_the_same_data(raw, plain, tmp_path, how, notes):
    """Formas, tipos y nombres de otras herramientas dan los mismos números, y una línea dice cómo se entendieron."""
    loaded = load(tmp_path, **changed(raw, **how))
    assert_same(loaded, plain)
    assert loaded.description == plain.description.replace("intensidades", notes + "intensidades")
    assert loaded.class_names == plain.class_names


def test_a_validation_of_their_own_is_kept(raw, plain, tmp_path):
    """Los nombres de MedMNIST, con su validación: no se aparta otra de las que entrenan."""
    parts = {"train": slice(1200), "val": slice(1200, N)}
    cut = {f"{part}_images": raw["x_train"][rows] for part, rows in parts.items()}
    cut |= {f"{part}_labels": raw["y_train"][rows, None] for part, rows in parts.items()}
    loaded = load(tmp_path, **cut, test_images=raw["x_test"], test_labels=raw["y_test"][:, None])
    assert [len(loaded.y_train), len(loaded.y_val), len(loaded.y_test)] == [1200, 300, M]
    np.testing.assert_array_equal(loaded.x_train, plain.x_train[:1200])
    np.testing.assert_array_equal(loaded.x_val[150:], plain.x_val)
    np.testing.assert_array_equal(loaded.y_val, raw["y_train"][1200:])
    assert "entrenan 1\xa0200, validan 300 (las suyas) y prueban 500." in loaded.description


@pytest.mark.parametrize(
    "rename",
    [
        lambda name: name,
        lambda name: f"{name}.gz",
        lambda name: name.replace("-idx", ".idx"),
        lambda name: f"emnist-digits-{name}".replace("t10k", "test") + ".gz",
    ],
)
def test_a_folder_of_idx_files(raw, plain, tmp_path, rename):
    """Cuatro IDX, comprimidos o no, con los nombres de MNIST, de Kaggle o de EMNIST, que viene por columnas."""
    names = {name: rename(file) for name, file in IDX.items()}
    turned = changed(raw, images=lambda x: x.swapaxes(1, 2)) if "emnist" in names["x_train"] else raw
    loaded = data.load(write_idx(tmp_path / "cuatro", turned, names))
    assert_same(loaded, plain)
    assert ("traspuestas" in loaded.description) == ("emnist" in names["x_train"])
    assert loaded.description.startswith("«cuatro»: 10 clases de imágenes de 28\xa0×\xa028; ")


def test_the_same_idx_files_twice(raw, plain, tmp_path):
    """Con torchvision quedan juntos cada archivo y su comprimido: son los mismos cuatro; y lo de macOS no cuenta."""
    folder = write_idx(write_idx(tmp_path, raw), raw, {name: f"{file}.gz" for name, file in IDX.items()})
    (folder / "._train-images-idx3-ubyte").write_bytes(b"")
    (folder / "notas.txt").write_bytes(b"")
    assert_same(data.load(folder), plain)


def test_idx_of_other_types(raw, plain, tmp_path):
    """Los tipos de más de un byte se leen en el orden de los suyos, que no es el de esta máquina."""
    folder = write_idx(tmp_path, raw)
    (folder / IDX["y_train"]).write_bytes(idx(raw["y_train"], 12))
    (folder / IDX["x_train"]).write_bytes(idx(raw["x_train"], 13))
    assert_same(data.load(folder), plain)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda folder: shutil.rmtree(folder) or folder.mkdir(), "debe tener cuatro IDX, .* y tiene ninguno"),
        (
            lambda folder: (folder / IDX["y_test"]).unlink(),
            f"y tiene {IDX['x_test']}, {IDX['x_train']}, {IDX['y_train']}",
        ),
        (
            lambda folder: shutil.copy(folder / IDX["x_test"], folder / f"emnist-{IDX['x_test']}"),
            "debe tener cuatro IDX",
        ),
        (lambda folder: (folder / IDX["x_train"]).write_bytes(b"\0\0\x08\x03\0\0"), "no se puede leer .*cortado"),
        (lambda folder: (folder / IDX["x_train"]).write_bytes(b"\x1f\x8b\0"), "no se puede leer .*cortado"),
        (
            lambda folder: (folder / IDX["x_train"]).write_bytes(idx(np.zeros((9, 2, 2)))),
            r"y_train .* se espera \(9,\)",
        ),
    ],
)
def test_a_folder_without_the_four_files_is_refused(raw, tmp_path, spoil, sentence):
    """Vacía, con uno de menos, con dos colecciones o con uno cortado o de otro tamaño, la carpeta se rechaza."""
    spoil(write_idx(tmp_path / "cuatro", raw))
    with pytest.raises(ValueError, match=rf"^data_path: cuatro no sirve como datos: .*{sentence}.*\.$"):
        data.load(tmp_path / "cuatro")


def write_csv(path, labels, images, header="label"):
    """Una tabla como las de Kaggle: la clase y un píxel por columna."""
    lines = [",".join([header, *(f"pixel{i}" for i in range(images[0].size))])]
    lines += [",".join(map(str, [label, *image.ravel()])) for label, image in zip(labels, images, strict=True)]
    text = "\n".join(lines).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


@pytest.mark.parametrize(
    ("name", "header"), [("train.csv", "label"), ("TRAIN.CSV", " Label"), ("train.csv.gz", "label")]
)
def test_a_csv_is_shared_out_and_says_so(raw, tmp_path, name, header):
    """Cada fila va a una sola parte, una quinta parte prueba, y otra lectura reparte igual."""
    path = write_csv(tmp_path / name, raw["y_train"][:600], raw["x_train"][:600], header)
    loaded, again = data.load(path), data.load(path)
    assert_same(again, loaded)
    assert [len(loaded.y_train), len(loaded.y_val), len(loaded.y_test)] == [432, 48, 120]
    rows = [
        (image.tobytes(), label)
        for split in ("train", "val", "test")
        for image, label in zip(getattr(loaded, f"x_{split}"), getattr(loaded, f"y_{split}"), strict=True)
    ]
    pixels = raw["x_train"][:600].reshape(600, -1).astype("float32") / np.float32(255)
    assert sorted(rows) == sorted(
        (image.tobytes(), label) for image, label in zip(pixels, raw["y_train"], strict=False)
    )
    assert np.unique(loaded.y_test).size == 10  # no son las primeras ni las últimas, sino al azar
    assert "la prueba es una quinta parte de las filas, al azar, con semilla 0; " in loaded.description
    assert f"«{name}»: 10 clases" in loaded.description


@pytest.mark.parametrize(
    ("labels", "pixels", "header", "sentence"),
    [
        (range(30), range(30), "clase", "no tiene una columna label con la clase de cada fila"),
        ([*range(29), ""], range(30), "label", "no tiene una columna label con la clase de cada fila"),
        (range(30), ["negro", *range(29)], "label", "x_train es object|x_test es object|x_train es str"),
        (range(30), ["", *range(29)], "label", "va de nan a nan"),
    ],
)
def test_a_csv_with_gaps_is_refused(tmp_path, labels, pixels, header, sentence):
    """Sin la columna de las clases, o con celdas vacías o que no son números, se dice cuál es el problema."""
    images = [np.array([pixel, 0, 0, 255], dtype=object) for pixel in pixels]
    path = write_csv(tmp_path / "tabla.csv", labels, images, header)
    with pytest.raises(ValueError, match=rf"^data_path: tabla\.csv no sirve como datos: .*({sentence})"):
        data.load(path)


@pytest.mark.parametrize(
    ("labels", "names", "note"),
    [
        (
            lambda y: y + 1,
            [str(i + 1) for i in range(10)],
            "las clases 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 se numeran desde 0",
        ),
        (lambda y: 3 * y.astype(int) - 7, [str(3 * i - 7) for i in range(10)], "las clases -7, -4, -1, 2, 5, 8, 11, "),
        (lambda y: np.array(list("jklmnopqrs"))[y], list("jklmnopqrs"), "las clases j, k, l, m, n, o, p, q, r, s se "),
    ],
)
def test_classes_are_numbered_and_keep_their_names(raw, plain, tmp_path, labels, names, note):
    """Las etiquetas que no empiezan en 0, se saltan números o son textos se numeran, y los nombres se guardan."""
    loaded = load(tmp_path, **changed(raw, labels=labels))
    assert_same(loaded, plain)
    assert loaded.class_names == tuple(names)
    assert f"; {note}" in loaded.description


def test_a_class_nobody_has_is_skipped_with_its_name(raw, tmp_path):
    """Si falta el 3 en todas partes, quedan nueve clases y el 4 es la tercera, contando desde 0."""
    kept = {split: raw[f"y_{split}"] != 3 for split in ("train", "test")}
    loaded = load(tmp_path, **{name: array[kept[name[2:]]] for name, array in raw.items()})
    assert loaded.n_classes == 9
    assert loaded.class_names == tuple("012456789")
    np.testing.assert_array_equal(np.array(loaded.class_names, int)[loaded.y_test], raw["y_test"][kept["test"]])


def test_colour_is_refused(raw, tmp_path):
    """Las imágenes en color se rechazan diciendo que lo son y qué hacer, vengan los canales donde vengan."""
    for axis, shape in ((3, "1500, 28, 28, 3"), (1, "1500, 3, 28, 28")):
        with pytest.raises(
            ValueError, match=rf"x_train, en color \(promedia sus canales\), es uint8 de forma \({shape}\)"
        ):
            load(tmp_path, **changed(raw, images=lambda x, axis=axis: np.stack([x] * 3, axis)))
    with pytest.raises(ValueError, match=r"x_train, en color .*, es uint8 de forma \(1500, 2352\)"):
        load(tmp_path, **changed(raw, images=lambda x: np.repeat(x.reshape(len(x), -1), 3, 1)))
    with pytest.raises(ValueError, match=r"x_train es uint8 de forma \(1500, 28, 28, 2\)"):
        load(tmp_path, **changed(raw, images=lambda x: np.stack([x] * 2, 3)))
    with pytest.raises(ValueError, match=r"x_train es uint8 de forma \(1500, 783\)"):
        load(tmp_path, **changed(raw, images=lambda x: x.reshape(len(x), -1)[:, 1:]))


def per_split(raw, train, test):
    return {name: {"x_train": train, "x_test": test}.get(name, lambda y: y)(array) for name, array in raw.items()}


def levels(top, dtype="uint8"):
    """Redondea las intensidades a una escala de 0 a `top`."""
    return lambda x: (x.astype(int) * top // 255).astype(dtype)


def same(x):
    return x


@pytest.mark.parametrize(
    ("train", "test", "divisors", "note"),
    [
        (levels(16), levels(16), (16, 16), "entre 16;"),
        (levels(16, "float64"), levels(16, "float64"), (16, 16), "entre 16;"),
        (levels(1), levels(1), (1, 1), "entre 1; OJO, no hay más intensidades que 0 y 1;"),
        (lambda x: x > 127, lambda x: x > 127, (1, 1), "entre 1; OJO, no hay más intensidades que 0 y 1;"),
        (levels(127), levels(127), (127, 127), "entre 127;"),
        (levels(200), levels(200), (255, 255), "entre 255;"),
        (levels(65535, "uint16"), levels(65535, "uint16"), (65535, 65535), "entre 65535;"),
        (lambda x: x / 255, lambda x: x / 255, (1, 1), "entre 1;"),
        (lambda x: x * 0.999, lambda x: x * 0.999, (255, 255), "entre 255;"),
        (lambda x: x / 255, same, (1, 255), "entre 1 en x_train, 255 en x_test;"),
        (same, lambda x: x / 255, (255, 1), "entre 255 en x_train, 1 en x_test;"),
    ],
)
def test_known_scales_reach_one_by_a_stated_rule(raw, tmp_path, train, test, divisors, note):
    """Cada escala reconocida se divide entre lo que la descripción dice, y las dos partes llegan a lo mismo."""
    given = per_split(raw, train, test)
    loaded = load(tmp_path, **given)
    for split, n, divisor in (("train", 1350, divisors[0]), ("test", M, divisors[1])):
        expected = given[f"x_{split}"][:n].reshape(n, -1) / divisor
        np.testing.assert_allclose(getattr(loaded, f"x_{split}"), expected, atol=1e-7)
        assert 0.7 < getattr(loaded, f"x_{split}").max() <= 1
    assert f"{'; OJO, ' if len({*divisors}) > 1 else '; '}intensidades divididas {note}" in loaded.description


@pytest.mark.parametrize(
    ("train", "test", "found"),
    [
        (
            lambda x: x / 255 / 255,
            same,
            r"\(1500, 28, 28\) va de 0 a 0\.003922, x_test .* va de 0 a 255; lleva",
        ),
        (
            lambda x: x / 255 / 255,
            lambda x: x / 255 / 255,
            "a 0.003922; lleva todas, de la misma manera, a .*, sin dividirlas",
        ),
        (same, lambda x: x / 255 / 255, "x_test .* va de 0 a 0.003922; lleva"),
        (levels(16), same, "va de 0 a 16, x_test .* va de 0 a 255, y no parecen de la misma escala"),
        (same, levels(16), "va de 0 a 255, x_test .* va de 0 a 16, y no parecen de la misma escala"),
        (levels(1), same, "no parecen de la misma escala"),
        (same, levels(1), "no parecen de la misma escala"),
        (same, levels(65535, "uint16"), "no parecen de la misma escala"),
        (same, lambda x: 0 * x, "no parecen de la misma escala"),
        (lambda x: 0 * x, lambda x: 0 * x, "no parecen de la misma escala"),
        (lambda x: x / 127.5 - 1, lambda x: x / 127.5 - 1, "va de -1 a 1, .*; lleva"),
        (lambda x: x.astype("int8"), lambda x: x.astype("int8"), "va de -128 a 127, .*; lleva"),
        (lambda x: x / 100, lambda x: x / 100, "va de 0 a 2.55, .*; lleva"),
        (lambda x: x * 1.001, lambda x: x * 1.001, "va de 0 a 255.3, .*; lleva"),
        (lambda x: np.where(x > 250, np.nan, x / 255), same, "va de nan a nan, .*; lleva"),
        (same, lambda x: np.where(x > 250, np.inf, x / 255), "va de 0 a inf; lleva"),
    ],
)
def test_scales_that_disagree_or_are_unknown_are_refused(raw, tmp_path, train, test, found):
    """Lo que no se sabe en qué escala está, o la tiene distinta en cada parte, se rechaza con lo encontrado."""
    with pytest.raises(ValueError, match=rf"^data_path: datos\.npz no sirve como datos: x_train .*{found}"):
        load(tmp_path, **per_split(raw, train, test))


def pairs(loaded):
    """Las imágenes que entrenan o validan, con sus etiquetas, en un orden que no depende del reparto."""
    parts = [(loaded.x_train, loaded.y_train), (loaded.x_val, loaded.y_val)]
    return sorted((x.tobytes(), int(y)) for part in parts for x, y in zip(*part, strict=True))


DRAWN = "validan 150 (al azar y, si caben, por clases, con semilla 0, porque las últimas son distintas)"


def test_data_sorted_by_class_validate_with_all(raw, plain, tmp_path):
    """Ordenadas por clase, la validación se sortea como `stratified` con semilla 0, y se dice."""
    order = np.argsort(raw["y_train"], kind="stable")
    loaded = load(tmp_path, **raw | {"x_train": raw["x_train"][order], "y_train": raw["y_train"][order]})
    assert [len(loaded.y_train), len(loaded.y_val)] == [1350, 150]
    shares = [np.bincount(y, minlength=10) / len(y) for y in (loaded.y_train, loaded.y_val)]
    np.testing.assert_allclose(*shares, atol=1 / 150)
    assert DRAWN in loaded.description
    assert DRAWN not in plain.description
    assert pairs(loaded) == pairs(plain)  # cada imagen, con su etiqueta
    np.testing.assert_array_equal(data.stratified(loaded).x_test, plain.x_test)


@pytest.mark.parametrize(("extra", "drawn"), [(0, False), (10, False), (45, True)])
def test_shares_beyond_chance_are_drawn_again(raw, tmp_path, extra, drawn):
    """Con todas las clases en las dos partes, se sortea si sobran más ceros al final que los que da el azar."""
    zeros = np.flatnonzero(raw["y_train"][:1350] == 0)[:extra]
    rows = np.concatenate([np.setdiff1d(np.arange(N), zeros), zeros]).astype(int)
    loaded = load(tmp_path, **raw | {"x_train": raw["x_train"][rows], "y_train": raw["y_train"][rows]})
    assert ("al azar" in loaded.description) == drawn


def test_a_validation_with_a_class_of_its_own_is_drawn_again(raw, tmp_path):
    """Si las últimas son las únicas de una clase, se sortea, y esa clase también entrena."""
    order = np.argsort(raw["y_train"] == 9, kind="stable")[: N - 1]  # los nueves, al final
    loaded = load(tmp_path, **raw | {"x_train": raw["x_train"][order], "y_train": raw["y_train"][order]})
    assert (loaded.y_train == 9).any()
    assert (loaded.y_val != 9).any()
    assert "al azar" in loaded.description


def test_few_images_of_a_class_are_said(raw, tmp_path):
    """Menos de cinco para entrenar, o ninguna para validar o probar, es una advertencia con el nombre de la clase."""
    nines, tests = np.flatnonzero(raw["y_train"] == 9), raw["y_test"] != 4
    kept = np.setdiff1d(np.arange(N), nines[4:])
    loaded = load(
        tmp_path,
        **{"x_train": raw["x_train"][kept], "y_train": raw["y_train"][kept] + 10},
        **{"x_test": raw["x_test"][tests], "y_test": raw["y_test"][tests] + 10},
    )
    assert "; OJO, hay menos de 5 imágenes para entrenar de 19; " in loaded.description
    assert loaded.description.endswith("; OJO, hay menos de 5 imágenes para probar de 14.")
    assert "OJO" not in load(tmp_path, **raw).description


def test_a_single_image_of_a_class_trains_or_is_refused(raw, tmp_path):
    """Con una imagen de una clase no se puede entrenar y validar: se advierte de lo que falte, o se rechaza."""
    nines = np.flatnonzero(raw["y_train"] == 9)
    kept = np.setdiff1d(np.arange(N), nines[1:])
    alone = raw | {"x_train": raw["x_train"][kept], "y_train": raw["y_train"][kept]}
    try:
        loaded = load(tmp_path, **alone)
    except ValueError as error:
        assert str(error).endswith("no hay imágenes para entrenar de las clases 9.")  # noqa: PT017  # según el sorteo
    else:
        assert (loaded.y_train == 9).sum() == 1
        assert (
            "OJO, hay menos de 5 imágenes para entrenar de 9; OJO, hay menos de 5 imágenes para validar"
            in loaded.description
        )


def test_a_home_folder_is_understood(raw, plain, tmp_path, monkeypatch):
    """La virgulilla es la carpeta personal, también en un cuaderno, donde no hay intérprete que la cambie."""
    monkeypatch.setenv("HOME", str(tmp_path))
    np.savez(tmp_path / "datos.npz", **raw)
    assert_same(data.load("~/datos.npz"), plain)


def test_names_too_long_to_exist_do_not_exist():
    """Un nombre que el sistema de archivos no admite es uno que no existe, no un error del sistema."""
    with pytest.raises(
        FileNotFoundError, match=r"^data_path: no existe el archivo 'aaa.*'; se espera un \.npz, un \.csv"
    ):
        data.load("a" * 5000)
