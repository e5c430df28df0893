"""«Prueba el modelo»: la página calcula como Keras, prepara el dibujo como MNIST y va con ratón y con teclado."""

import json
import re

import numpy as np
import pytest

from tarea4.models import plain, regularised
from tarea4.report.web import web_model
from tarea4.search.recipes import Recipe
from tarea4.training import train


def read(page, images):
    """Probabilidades (red, imagen, clase) que calcula la página; las imágenes van en un texto, que llega antes."""
    compute = "(images) => NETWORKS.map((net) => images.map((x) => [...predict(net, x)]))"
    return np.array(page.evaluate(f"(text) => ({compute})(JSON.parse(text))", json.dumps(images)))


@pytest.fixture
def reader(site, page):
    """La página «Prueba el modelo», cargada."""
    page.goto((site / "prueba.html").as_uri())
    page.wait_for_function("document.querySelectorAll('#lector option').length > 1")
    return page


def test_browser_computes_like_keras(site, page, small):
    """Con redes recién entrenadas, las probabilidades de la página son las de Keras en 100 imágenes de prueba."""
    networks = {"simple": plain(), "regularizado": regularised(dropout=0.1)}
    networks |= {each: Recipe((12, 8), each, noise=0.1).build(small) for each in ("gelu", "silu", "tanh")}
    runs = {name: train(network, small, epochs=3, train_metrics=False) for name, network in networks.items()}
    weights = f"const PESOS = {web_model(runs, small)};"
    page.route("**/pesos.js", lambda route: route.fulfill(body=weights, content_type="text/javascript"))
    page.goto((site / "prueba.html").as_uri())
    computed = read(page, small.x_test[:100].tolist())
    expected = np.array([run.model(small.x_test[:100]) for run in runs.values()])
    assert np.abs(computed - expected).max() <= 1e-4


def test_published_weights(reader, mnist, site):
    """Los pesos publicados caben en 620 kB y aciertan en 1 000 imágenes lo que la página dice que aciertan en todas."""
    # tres redes de unos 34 000 parámetros, a cuatro letras cada uno, y 40 imágenes de ejemplo, más un tercio de margen
    assert (site / "modelo" / "pesos.js").stat().st_size <= 620_000
    promised = reader.evaluate("PESOS.networks.map((network) => network.accuracy)")
    labels = read(reader, mnist.x_test[:1000].tolist()).argmax(axis=2)
    # el error estándar de una exactitud del 97 % en 1 000 imágenes es de medio punto: se admiten cuatro
    np.testing.assert_allclose((labels == mnist.y_test[:1000]).mean(axis=1), promised, atol=0.02)


def test_drawing_becomes_an_mnist_image(reader, mnist):
    """Una cifra trazada en el lienzo, grande y descentrada, se lee como la imagen de MNIST de la que sale."""
    draw = """([image, zoom, left, top]) => {
      clear();
      image.forEach((value, i) => {
        const [x, y] = [left + zoom * (i % 28), top + zoom * Math.floor(i / 28)];
        for (let row = y; row < y + zoom; row++) ink.fill(value, row * WIDTH + x, row * WIDTH + x + zoom);
      });
      return [...normalise()];
    }"""
    originals = mnist.x_test[:60]
    drawn = np.array([reader.evaluate(draw, [x.tolist(), 7, 5 + i, 80 - i]) for i, x in enumerate(originals)])
    grid = np.indices((28, 28)).reshape(2, -1) + 0.5
    centres = drawn @ grid.T / drawn.sum(axis=1, keepdims=True)
    assert np.abs(centres - 14).max() < 0.75  # se centra al píxel entero más cercano, y reducir mueve algo la tinta
    for image in drawn.reshape(-1, 28, 28):
        rows, columns = (np.flatnonzero(image.max(axis=axis) > 0.05) for axis in (1, 0))
        assert 19 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 21
    same = read(reader, drawn.tolist()).argmax(axis=2) == read(reader, originals.tolist()).argmax(axis=2)
    assert same.mean() >= 0.95


def test_drawing_with_the_pointer(reader):
    """Un trazo vertical se lee como un 1 en todas las redes, con sus diez barras; «Borrar» vacía la lectura."""
    n = reader.evaluate("NETWORKS.length")
    box = reader.locator("#lector canvas").first.bounding_box()
    reader.mouse.move(box["x"] + 140, box["y"] + 40)
    reader.mouse.down()
    reader.mouse.move(box["x"] + 135, box["y"] + 240, steps=10)
    reader.mouse.up()
    captions = reader.locator("#lector caption b")
    assert captions.all_inner_texts() == ["lee un 1"] * n
    assert "lee un 1" in reader.locator("#lector [aria-live]").inner_text()
    bars = (
        reader.locator("#lector table")
        .first.locator("td")
        .evaluate_all("(all) => all.map((td) => td.style.getPropertyValue('--p'))")
    )
    assert len(bars) == 10
    assert sum(map(float, bars)) == pytest.approx(1)
    reader.get_by_role("button", name="Borrar").click()
    assert captions.all_inner_texts() == ["…"] * n


NOISE = """for (const kind of [CanvasRenderingContext2D, OffscreenCanvasRenderingContext2D]) {
  const read = kind.prototype.getImageData;
  kind.prototype.getImageData = function (...place) {
    const image = read.apply(this, place);
    image.data.forEach((_, i) => (image.data[i] = Math.random() * 256));
    return image;
  };
}"""


def test_pixels_are_never_read_back(site, page):
    """Con un navegador que pone ruido en los píxeles que devuelve, un trazo y una imagen se leen igual que sin él."""

    def readings():
        page.goto((site / "prueba.html").as_uri())
        page.wait_for_function("document.querySelectorAll('#lector option').length > 1")
        cells = page.locator("#lector td")
        chosen = cells.all_inner_texts()
        page.get_by_role("button", name="Borrar").click()
        box = page.locator("#lector canvas").first.bounding_box()
        page.mouse.move(box["x"] + 60, box["y"] + 50)
        page.mouse.down()
        for x, y in ((200, 60), (120, 230)):  # un 7
            page.mouse.move(box["x"] + x, box["y"] + y, steps=8)
        page.mouse.up()
        return chosen, cells.all_inner_texts(), page.locator("#lector caption b").all_inner_texts()

    plainly = readings()
    assert set(plainly[2]) == {"lee un 7"}
    page.add_init_script(NOISE)
    assert readings() == plainly


def test_reading_with_the_keyboard(reader):
    """Con el teclado se elige una imagen de prueba, y la red la lee en voz alta."""
    labels = reader.evaluate("PESOS.examples.labels")
    assert sorted(set(labels)) == list(range(10))
    reader.locator("#lector select").focus()
    reader.keyboard.press("Home")
    assert reader.locator("#lector caption b").first.inner_text() == "…"
    reader.keyboard.press("ArrowDown")
    each = "; ".join(rf"{re.escape(name)}: lee un \d" for name in reader.evaluate("NETWORKS.map((net) => net.name)"))
    assert re.match(each, reader.locator("#lector [aria-live]").inner_text())
