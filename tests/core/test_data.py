"""Prueba `tarea4.data`: el reparto de MNIST y el rechazo de datos que no sirven."""

import dataclasses
import io
import re
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tarea4 import data, reading
from tarea4.reading import Unusable


def arrays(n_train=30, n_test=10, shape=(5, 4), n_classes=3):
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.integers(0, 256, (n_train, *shape), dtype=np.uint8),
        "y_train": np.arange(n_train) % n_classes,
        "x_test": rng.integers(0, 256, (n_test, *shape), dtype=np.uint8),
        "y_test": np.arange(n_test) % n_classes,
    }


def save(folder, **changes):
    path = folder / "datos.npz"
    np.savez(path, **{k: v for k, v in (arrays() | changes).items() if v is not None})
    return path


def test_mnist_is_split_as_in_2020(mnist):
    """MNIST se reparte en 54 000, 6 000 y 10 000 imágenes de 784 píxeles entre 0 y 1, sin desordenarlas."""
    assert mnist.x_train.shape == (54_000, 784)
    assert mnist.x_val.shape == (6_000, 784)
    assert mnist.x_test.shape == (10_000, 784)
    assert (mnist.image_shape, mnist.n_classes, mnist.input_size) == ((28, 28), 10, 784)
    assert mnist.x_train.dtype == np.float32
    assert (mnist.x_train.min(), mnist.x_train.max()) == (0, 1)
    with np.load(data.MNIST_PATH) as archive:
        np.testing.assert_array_equal(mnist.y_val, archive["y_train"][54_000:])
        np.testing.assert_allclose(mnist.x_val[0] * 255, archive["x_train"][54_000].ravel(), atol=1e-4)


@pytest.mark.parametrize("name", ["x_test", "y_train"])
def test_altered_mnist_is_rejected(tmp_path, monkeypatch, name):
    """Un solo píxel, o una sola etiqueta, que cambie en el MNIST incluido se detecta por su SHA-256."""
    with np.load(data.MNIST_PATH) as archive:
        altered = dict(archive)
    altered[name].flat[0] += 1
    np.savez(tmp_path / "mnist.npz", **altered)
    monkeypatch.setattr(data, "MNIST_PATH", tmp_path / "mnist.npz")
    with pytest.raises(ValueError, match="MNIST: el SHA-256"):
        data.load()


def test_other_data_set_its_own_sizes(tmp_path):
    """Otros datos fijan el tamaño de imagen y el número de clases, y la última décima parte valida."""
    loaded = data.load(save(tmp_path))
    assert (loaded.image_shape, loaded.n_classes) == ((5, 4), 3)
    assert [len(loaded.x_train), len(loaded.x_val), len(loaded.x_test)] == [27, 3, 10]


def test_the_digest_is_of_what_decides_a_training(tmp_path):
    """Cambia con cada imagen o etiqueta que entrena o valida, con la forma y con las clases; con la prueba, no."""
    loaded = data.load(save(tmp_path))
    changes = {name: getattr(loaded, name).copy() for name in ("x_train", "y_train", "x_val", "y_val")}
    for array in changes.values():
        array.flat[-1] += 1
    changes |= {"image_shape": (4, 5), "n_classes": 4}
    changed = [dataclasses.replace(loaded, **{name: value}).digest for name, value in changes.items()]
    assert len({loaded.digest, *changed}) == 1 + len(changes)
    same = dataclasses.replace(loaded, x_test=loaded.x_test[:1], y_test=loaded.y_test[:1])
    assert same.digest == data.load(save(tmp_path)).digest == loaded.digest


def test_real_valued_images_are_kept(tmp_path):
    """Las imágenes de reales entre 0 y 1 no se vuelven a escalar."""
    x = np.linspace(0, 1, 30 * 20).reshape(30, 5, 4)
    loaded = data.load(save(tmp_path, x_train=x))
    np.testing.assert_allclose(loaded.x_train, x[:27].reshape(27, 20), rtol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_test": None}, r"le falta y_test, y se espera un \.npz, .*\.$"),
        ({"x_test": None, "y_test": None}, "le falta x_test, y_test, y se espera"),
        ({"x_val": arrays()["x_test"]}, "le falta y_val, y se espera"),
        ({"x_train": arrays()["x_train"][0, :, :3]}, r"x_train es uint8 de forma \(5, 3\); se admite"),
        (
            {"x_train": np.zeros((0, 5, 4), np.uint8), "y_train": np.zeros(0, int)},
            r"x_train .* \(0, 5, 4\).* sin ceros",
        ),
        ({"x_test": np.zeros((0, 5, 4), np.uint8), "y_test": np.zeros(0, int)}, r"x_test .* \(0, 5, 4\).* sin ceros"),
        ({"x_test": np.zeros((10, 5, 5), np.uint8)}, r"x_test \(10, 5, 5\) va .* se espera el mismo alto y ancho"),
        ({"x_train": arrays()["x_train"] * 1j}, "x_train es complex128"),
        ({"x_train": np.full((30, 5, 4), "a")}, "x_train es <U1"),
        ({"y_train": np.arange(29) % 3}, r"y_train es int64 de forma \(29,\) y se espera \(30,\)"),
        ({"y_train": np.arange(30) % 3 + 0.5}, "y_train es float64 .* un entero o un nombre por imagen"),
        ({"y_train": np.where(np.arange(30) > 2, 1, np.nan)}, "y_train es float64"),
        ({"y_train": np.where(np.arange(30) > 2, 1, np.inf)}, "y_train es float64"),
        ({"y_test": np.zeros((10, 2), int)}, r"y_test es int64 de forma \(10, 2\)"),  # de ninguna clase
        ({"y_test": np.ones((10, 2), int)}, r"y_test es int64 de forma \(10, 2\)"),  # de varias
        ({"x_train": np.array([{}] * 30)}, "con objetos"),
        ({"y_train": np.zeros(30, int)}, r"no hay imágenes para entrenar de las clases 1, 2\.$"),
        ({"y_train": np.zeros(30, int), "y_test": np.zeros(10, int)}, r"de prueba son de la clase 0\.$"),
        ({"y_test": np.arange(10) % 4}, r"no hay imágenes para entrenar de las clases 3\.$"),
        ({"y_test": np.full(10, 2)}, r"todas las imágenes de prueba son de la clase 2\.$"),
    ],
)
def test_invalid_arrays_are_named(tmp_path, changes, message):
    """Cada arreglo que no sirve se rechaza con una frase que nombra el arreglo y lo que se espera."""
    with pytest.raises(ValueError, match=message):
        data.load(save(tmp_path, **changes))


def bytes_of(write, *given, **named):
    """Lo que `write` escribiría en un archivo."""
    write(file := io.BytesIO(), *given, **named)
    return file.getvalue()


def zipped(file):
    """Un zip con textos donde se esperan arreglos."""
    with zipfile.ZipFile(file, "w") as archive:
        for name in arrays():
            archive.writestr(f"{name}.npy", "no es un arreglo")


UNREADABLE = {
    "vacío": b"",
    "ajeno": b"esto no es un npz",
    "truncado": bytes_of(np.savez, **arrays())[:300],
    "un solo arreglo": bytes_of(np.save, np.zeros((9, 5, 4))),
    "con objetos": bytes_of(np.savez, **arrays() | {"y_test": np.array([{}] * 10)}),
}


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
def test_unreadable_files_are_rejected(tmp_path, content):
    """Un archivo vacío, ajeno, truncado, con un solo arreglo o con objetos de Python se rechaza como datos."""
    path = tmp_path / "datos.npz"
    path.write_bytes(content)
    with pytest.raises(
        ValueError, match=r"^data_path: datos\.npz no sirve como datos: no se puede leer .* no es un \.npz, .*\.$"
    ):
        data.load(path)


def test_a_zip_of_texts_is_rejected(tmp_path):
    """Un zip con los nombres esperados y otra cosa dentro se rechaza por lo que hay."""
    (tmp_path / "datos.npz").write_bytes(bytes_of(zipped))
    with pytest.raises(ValueError, match=r"x_train es \|S16 de forma \(\)"):
        data.load(tmp_path / "datos.npz")


@pytest.mark.parametrize("broken", ["_images", "_labels", "_exact"])
@pytest.mark.parametrize("error", [TypeError, ValueError, AttributeError, KeyError])
def test_an_error_of_ours_is_not_called_damage(tmp_path, monkeypatch, broken, error):
    """Si falla nuestro código, y no el archivo, el error sale como es."""

    def fail(*given):
        raise error("nuestro")

    monkeypatch.setattr(reading, broken, fail)
    with pytest.raises(error, match=r"^'?nuestro'?$"):
        data.load(save(tmp_path, **arrays() | {"x_train": arrays()["x_train"].astype(float)}))


def test_missing_file_is_named(tmp_path):
    """Un archivo que no existe se nombra."""
    with pytest.raises(FileNotFoundError, match=r"nada\.npz"):
        data.load(tmp_path / "nada.npz")


def test_too_few_images_to_validate(tmp_path):
    """Si la décima parte de las imágenes no llega a una, no hay con qué validar."""
    with pytest.raises(ValueError, match="no alcanzan"):
        data.load(save(tmp_path, **arrays(n_train=4)))


@pytest.mark.parametrize(("crop", "shape"), [(0, (3, 5)), (1, (2, 4)), (2, (1, 3))])
def test_pooled_averages_squares_of_four(tmp_path, crop, shape):
    """Cada píxel es la media de cuatro, contados desde el borde recortado; lo demás no cambia."""
    loaded = data.load(save(tmp_path, **arrays(shape=(6, 10))))
    small = data.pooled(loaded, crop)
    assert small.image_shape == shape
    assert type(small.input_size) is int
    assert small.input_size == shape[0] * shape[1]
    for split in ("train", "val", "test"):
        images = getattr(loaded, f"x_{split}").reshape(-1, 6, 10)
        means = [
            [image[crop + 2 * i : crop + 2 * i + 2, crop + 2 * j : crop + 2 * j + 2].mean()]
            for image in images
            for i in range(shape[0])
            for j in range(shape[1])
        ]
        # La media de cuatro float32 en otro orden.
        np.testing.assert_allclose(getattr(small, f"x_{split}"), np.reshape(means, (len(images), -1)), rtol=1e-6)
        np.testing.assert_array_equal(getattr(small, f"y_{split}"), getattr(loaded, f"y_{split}"))


def test_mnist_is_pooled_to_twelve(small):
    """Si no se dice otra cosa se quitan 2 píxeles de cada borde: MNIST queda en 12 x 12."""
    assert data.pooled(small).image_shape == (12, 12)
    np.testing.assert_array_equal(data.pooled(small).x_val, data.pooled(small, 2).x_val)


@pytest.mark.parametrize(("shape", "crop"), [((5, 6), 0), ((6, 5), 1), ((6, 6), 3), ((4, 4), 5), ((6, 6), -1)])
def test_pooled_needs_even_images(tmp_path, shape, crop):
    """Si tras el recorte no quedan cuadros de 2 x 2 enteros, se dice con el recorte recibido."""
    loaded = data.load(save(tmp_path, **arrays(shape=shape)))
    with pytest.raises(ValueError, match=f"crop: se recibió {crop}"):
        data.pooled(loaded, crop)


# siempre los mismos ejemplos y sin límite de tiempo: el resultado no depende del reloj ni de corridas anteriores
fixed = settings(derandomize=True, database=None, deadline=None, max_examples=150)
REFUSAL = r"^data_path: datos\.npz no sirve como datos: .*\.$"


@st.composite
def valid_arrays(draw):
    """Los cuatro arreglos de unos datos pequeños y válidos, de cualquier tamaño, tipo y número de clases."""
    height, width, n_classes = draw(st.integers(1, 5)), draw(st.integers(1, 5)), draw(st.integers(2, 4))
    sizes = {"train": draw(st.integers(4 * n_classes, 30)), "test": draw(st.integers(2, 9))}
    pixels = draw(st.sampled_from(["uint8", "float16", "float32", "float64"]))
    labels = draw(st.sampled_from(["uint8", "int8", "int32", "int64", "uint64"]))
    unit = None if pixels == "uint8" else st.floats(0, 1, width=int(pixels[5:]))
    given = {}
    for split, n in sizes.items():
        given[f"x_{split}"] = draw(hnp.arrays(pixels, (n, height, width), elements=unit))
        given[f"x_{split}"][:, 0, 0] = 255 if pixels == "uint8" else 1  # ninguna a oscuras
        given[f"y_{split}"] = np.array(draw(st.permutations([i % n_classes for i in range(n)])), labels)
    return given


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Un solo archivo, que cada ejemplo vuelve a escribir."""
    return tmp_path_factory.mktemp("datos") / "datos.npz"


def assert_usable(loaded):
    """Lo que promete `Dataset`: tamaños que cuadran, intensidades de [0, 1] y etiquetas de 0 a k - 1."""
    for split in ("train", "val", "test"):
        x, y = getattr(loaded, f"x_{split}"), getattr(loaded, f"y_{split}")
        assert x.shape == (len(y), loaded.input_size)
        assert len(y) >= 1
        assert (x.dtype, y.dtype) == (np.float32, np.int32)
        assert x.min() >= 0
        assert x.max() <= 1
        assert y.min() >= 0
        assert y.max() < loaded.n_classes
    assert loaded.n_classes >= 2


@fixed
@given(valid_arrays())
def test_any_valid_file_is_loaded_whole(path, given):
    """De cualquier archivo válido sale cada imagen una vez, con su etiqueta y sin cambiar su valor."""
    np.savez(path, **given)
    loaded = data.load(path)
    assert_usable(loaded)
    n_train = len(given["y_train"])
    assert len(loaded.y_val) == round(0.1 * n_train)
    assert loaded.n_classes == given["y_train"].max() + 1
    assert loaded.image_shape == given["x_train"].shape[1:]
    for split, kept in (("train", ["train", "val"]), ("test", ["test"])):
        images = given[f"x_{split}"].reshape(len(given[f"y_{split}"]), -1)
        expected = images / 255 if images.dtype == np.uint8 else images
        given_rows, rows = (
            sorted(zip(y.tolist(), x.astype("float32").tolist(), strict=True))
            for x, y in (
                (expected, given[f"y_{split}"]),
                [np.concatenate([getattr(loaded, f"{axis}_{part}") for part in kept]) for axis in "xy"],
            )
        )
        assert [y for y, _ in rows] == [y for y, _ in given_rows]
        # Un solo redondeo a float32 de números de [0, 1].
        np.testing.assert_allclose([x for _, x in rows], [x for _, x in given_rows], atol=1e-7)


anything = hnp.arrays(
    hnp.boolean_dtypes() | hnp.integer_dtypes() | hnp.floating_dtypes() | hnp.complex_number_dtypes(),
    hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=6),
)


def assert_usable_or_refused(path):
    try:
        loaded = data.load(path)
    except ValueError as error:
        assert re.match(REFUSAL, str(error)), error  # noqa: PT017  # también vale que no se rechace
        return error.__cause__
    else:
        assert_usable(loaded)


@fixed
@given(valid_arrays(), st.sampled_from(sorted(arrays())), st.none() | anything)
def test_any_array_is_either_usable_or_refused(path, given, name, other):
    """Con un arreglo de menos, o cualquier otro en su lugar, los datos sirven o se rechazan por lo que les pasa."""
    np.savez(path, **{k: v for k, v in (given | {name: other}).items() if v is not None})
    if cause := assert_usable_or_refused(path):
        assert isinstance(cause, Unusable), cause


@fixed
@given(st.integers(0, 2000), st.none() | st.integers(0, 2000), st.binary(max_size=8), st.booleans())
def test_any_damage_is_either_harmless_or_refused(path, start, removed, added, compressed):
    """Un archivo con unos bytes de menos, de más o cambiados, en cualquier sitio, sirve o se rechaza con una frase."""
    whole = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(whole, **arrays(n_train=6, n_test=2))
    content, end = whole.getvalue(), start + (len(added) if removed is None else removed)
    path.write_bytes(content[:start] + added + content[end:])
    assert_usable_or_refused(path)


def test_stratified_keeps_sizes_and_proportions(small):
    """Reparte las mismas imágenes, con los mismos tamaños y casi las mismas proporciones de cada clase."""
    other = data.stratified(small, seed=1)
    assert (len(other.x_train), len(other.x_val)) == (len(small.x_train), len(small.x_val))
    both = [
        sorted((image.tobytes(), label) for split in ("train", "val") for image, label in zip(
            getattr(each, f"x_{split}"), getattr(each, f"y_{split}"), strict=True))
        for each in (small, other)
    ]  # fmt: skip
    assert both[0] == both[1]  # cada imagen, con su etiqueta
    shares = [np.bincount(y, minlength=10) / len(y) for y in (other.y_train, other.y_val)]
    np.testing.assert_allclose(*shares, atol=1 / len(other.y_val))  # una imagen de más o de menos
    np.testing.assert_array_equal(other.x_test, small.x_test)
    assert not np.array_equal(other.y_val, data.stratified(small, seed=2).y_val)
    np.testing.assert_array_equal(other.y_val, data.stratified(small, seed=1).y_val)
    np.testing.assert_array_equal(data.stratified(small).y_val, data.stratified(small, seed=0).y_val)


def test_stratified_keeps_the_least_it_can(mnist):
    """Con dos imágenes de cada clase, y tantas en cada parte como clases, una de cada va a cada parte."""
    chosen = np.concatenate([np.flatnonzero(mnist.y_train == label)[:2] for label in range(10)])
    parts = {"train": chosen[:10], "val": chosen[10:]}  # las diez primeras son solo de cinco clases
    cut = {f"{axis}_{split}": getattr(mnist, f"{axis}_train")[rows] for split, rows in parts.items() for axis in "xy"}
    other = data.stratified(dataclasses.replace(mnist, **cut))
    assert sorted(other.y_train) == sorted(other.y_val) == list(range(10))


@pytest.mark.parametrize(("n_train", "n_val"), [(30, 3), (3, 30), (12, 10)])
def test_stratified_splits_at_random_what_is_too_few(mnist, n_train, n_val):
    """Si hay menos imágenes que clases en una parte, o una sola de una clase, reparte al azar."""
    sizes = {"train": n_train, "val": n_val}
    cut = {f"{axis}_{split}": getattr(mnist, f"{axis}_{split}")[:n] for split, n in sizes.items() for axis in "xy"}
    other = data.stratified(dataclasses.replace(mnist, **cut))
    assert (len(other.x_train), len(other.x_val)) == (n_train, n_val)
