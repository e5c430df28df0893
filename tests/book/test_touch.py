"""Lo que se toca en Q1, Q2 y Q4, y las tres redes de «Prueba el modelo»: dicen la verdad, y las usa cualquiera."""

import base64
import copy
import itertools
import json

import numpy as np
import pytest
from bs4 import BeautifulSoup
from scipy.special import softmax

WIDGETS = {"q1": "dropout", "q2": "softmax", "q4": "alfas"}


# Los sorteos de la página, siempre los mismos, con el generador mínimo de Park y Miller (1988): al azar, dos máscaras
# seguidas dan a veces la misma frase.
SEEDED = "{ let state = 1; Math.random = () => (state = (48271 * state) % 2147483647) / 2147483647; }"


@pytest.fixture
def touch(site, page):
    """Abre un capítulo, con su aparato a la vista y sin azar."""
    page.add_init_script(SEEDED)

    def opened(name):
        page.goto((site / f"{name}.html").as_uri())
        page.wait_for_selector(".tocar .aparato:not([hidden])")
        return page

    return opened


def figure(text):
    """Un número como los escribe el libro: «−0,166», «2·10⁻⁴»."""
    mantissa, _, power = text.replace("−", "-").replace(",", ".").partition("·10")
    digits = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    return float(mantissa) * 10.0 ** int(power.translate(digits) or 0)


def losses(z, temperature, truth):
    """La entropía cruzada y el error cuadrático de unos logits."""
    p = softmax(np.array(z) / temperature)
    return np.array([-np.log(p[truth]), ((p - np.eye(len(z))[truth]) ** 2).sum()])


SETTINGS = [
    ((4.0, 1.0, 0.0), 1.0, 1, "La red se equivoca"),
    ((10.0, 0.0, -5.0), 1.0, 1, "se ha apagado"),
    ((10.0, 0.0, -5.0), 10.0, 1, "La red se equivoca"),  # templada, despierta
    ((-2.5, 3.0, 1.5), 0.5, 2, "La red se equivoca"),
    ((-1.0, 0.5, 6.0), 4.0, 2, "acierta sin estar segura"),
    ((0.0, 10.0, -5.0), 1.0, 1, "está segura"),
    ((3.0, 3.0, 0.0), 4.0, 0, "duda"),
]


@pytest.mark.parametrize(("z", "temperature", "truth", "words"), SETTINGS)
def test_softmax_by_hand(z, temperature, truth, words, touch):
    """Probabilidades, pérdidas y gradientes son los de NumPy y los de una derivada numérica, y se ven en su sitio."""
    page = touch("q2")
    found = page.evaluate("([z, t, truth]) => compute(z, t, truth)", [z, temperature, truth])
    step = 1e-5 * np.eye(3)
    derivative = np.array([losses(z + d, temperature, truth) - losses(z - d, temperature, truth) for d in step]) / 2e-5
    gradients = np.array([found["entropy"]["gradient"], found["squared"]["gradient"]])
    np.testing.assert_allclose(found["p"], softmax(np.array(z) / temperature), rtol=1e-9)
    np.testing.assert_allclose([found[k]["loss"] for k in ("entropy", "squared")], losses(z, temperature, truth))
    np.testing.assert_allclose(gradients, derivative.T, atol=1e-8)
    for i, value in enumerate(z):
        page.locator(f"#logit-{i}").fill(str(value))
    page.locator("#temperatura").fill(str(temperature))
    page.locator("#verdadera").select_option(str(truth))
    box = page.locator("#tocar-softmax")
    shown = np.array(
        [[figure(cell) for cell in row.locator("td").all_inner_texts()] for row in box.locator("tbody tr").all()]
    )
    expected = np.stack([np.eye(3)[truth], found["p"], *gradients], axis=1)
    np.testing.assert_allclose(shown, expected, atol=5.1e-4)
    tiny = (np.abs(expected) < 5e-4) & (expected != 0)  # lo que no llega a la milésima no se vuelve un cero
    np.testing.assert_allclose(shown[tiny], expected[tiny], rtol=0.5)
    footer = [figure(text) for text in box.locator("tfoot td").all_inner_texts()]
    np.testing.assert_allclose(footer, losses(z, temperature, truth), atol=5.1e-4)
    assert words in box.locator(".frase").inner_text()
    assert box.locator("[aria-live=polite]").text_content() == box.locator(".frase").text_content()


@pytest.mark.parametrize("rate", [0, 0.2, 0.5, 0.9])
def test_dropout_on_a_digit(rate, touch, mnist):
    """De una imagen de prueba quedan x / (1 − p) o ceros, cerca de p; otra máscara cambia cuáles, no el dígito."""
    page = touch("q1")
    page.locator("#tasa").fill(str(rate))
    masks = []
    for label in (3, 8, 8):
        page.locator("#cifra").select_option(str(label))
        page.get_by_role("button", name="Otra máscara").click()
        expected = mnist.x_test[np.flatnonzero(mnist.y_test == label)[0]]
        image, after, chances = (np.array(each) for each in page.evaluate(
            "[images[select.value], drop(images[select.value], Number(range.value), chances), chances]"
        ))  # fmt: skip
        np.testing.assert_allclose(image, expected.ravel(), atol=1e-6)
        kept = chances >= rate
        np.testing.assert_array_equal(after, np.where(kept, image / (1 - rate), 0))
        assert abs(1 - kept.mean() - rate) <= 4 * np.sqrt(rate * (1 - rate) / kept.size)
        masks.append(kept)
        # lo pintado, píxel a píxel, y lo dicho
        ink = page.locator(".tocar canvas").evaluate_all(
            "(all) => all.map((each) => [...each.getContext('2d').getImageData(0, 0, 28, 28).data])"
        )
        alphas = np.array(ink).reshape(2, -1, 4)[:, :, 3]
        np.testing.assert_allclose(alphas, 255 * np.minimum(1, [image, after]), atol=0.51)
        lit, lost = (image > 0).sum(), ((image > 0) & ~kept).sum()
        said = page.locator(".tocar .frase").inner_text()
        assert f"Se anulan {lost} de sus {lit} píxeles encendidos" in said
        for mean in (image.mean(), after.mean()):
            assert f"{mean:.3f}".replace(".", ",") in said
        assert f"El mismo {label}, con {lost} de sus {lit}" in page.locator("canvas").nth(1).get_attribute("aria-label")
    assert rate == 0 or (masks[1] != masks[2]).any()


def test_digits_are_light(site, touch):
    """Q1 lleva una imagen por clase, en un archivo pequeño, y no pide los pesos de las redes."""
    asked = []
    page = touch("q4")
    page.on("request", lambda request: asked.append(request.url))
    page = touch("q1")
    assert page.evaluate("EXAMPLES.labels") == list(range(10))
    assert (site / "tocar" / "digitos.js").stat().st_size <= 11_000
    assert not [url for url in asked if "pesos.js" in url]


def grids(html):
    """Las tablas de alfas de la página: sus filas de textos, la cabecera incluida."""
    tables = BeautifulSoup(html, "html.parser").select("figure.tarea4 table")
    rows = [[[cell.text for cell in row(["th", "td"])] for row in table("tr")] for table in tables]
    return [each for each in rows if each[0][0] == "Alfa" and "l1 sola" in each[0]]


def test_alphas_read_their_tables(touch, site):
    """Cada posición enseña la fila de su tabla, en orden, y la compara bien con la de la red sin penalización."""
    page, tables = touch("q4"), grids((site / "q4.html").read_text("utf-8"))
    assert len(tables) == page.locator("#rejilla option").count() == 2
    cells = page.locator("#tocar-alfas tbody tr")
    for network, (head, *rows) in enumerate(tables):
        page.locator("#rejilla").select_option(index=network)
        for penalty, name in enumerate(["l1 sola", "l2 sola", "las dos"]):
            page.locator("#penalizacion").select_option(label=name)
            column = head.index(name)
            assert penalty == (column - 1) / 3
            base = next(row for row in rows if row[0] == "0")[column : column + 3]
            for place, row in enumerate(rows):
                page.locator("#alfa").fill(str(place))
                mean, low, high = row[column : column + 3]
                assert page.locator("#alfa").get_attribute("aria-valuetext") == row[0]
                assert cells.nth(0).locator("td").all_inner_texts() == [base[0], f"{base[1]} a {base[2]}"]
                assert cells.nth(1).inner_text().split("\t") == [f"{name}, {row[0]}", mean, f"{low} a {high}"]
                said = page.locator("#tocar-alfas .frase").inner_text()
                assert f"alfa {row[0]}: {mean} de media, de {low} a {high}" in said
                if row[0] == "0":
                    assert "Es la red sin penalización" in said
                    continue
                change = figure(mean) - figure(base[0])
                assert f"{'Sube' if change >= 0 else 'Baja'} {abs(change):.4f}".replace(".", ",") in said
                apart = figure(low) > figure(base[2]) or figure(high) < figure(base[1])
                assert ("no se tocan" in said) == apart
                assert ("se solapan" in said) != apart
    assert page.locator("#alfa").get_attribute("max") == str(len(tables[-1]) - 2)


def test_alphas_follow_another_run(site, page):
    """Con otra rejilla, el aparato cambia con ella; sin tablas, se esconde."""
    soup = BeautifulSoup((site / "q4.html").read_text("utf-8"), "html.parser")
    tables = [table for table in soup.select("figure.tarea4 table") if table.th.text == "Alfa"]
    rows = tables[0].tbody("tr")
    rows[1].decompose()
    rows[-1]("td")[1].string = "0,4321"
    for table in tables[1:]:
        table.find_parent("figure").decompose()
    page.route("**/q4.html", lambda route: route.fulfill(body=str(soup), content_type="text/html"))
    page.goto((site / "q4.html").as_uri())
    assert page.locator("#rejilla option").count() == 1
    page.locator("#alfa").fill(str(len(rows) - 2))
    assert "0,4321 de media" in page.locator("#tocar-alfas .frase").inner_text()
    tables[0].find_parent("figure").decompose()
    page.goto((site / "q4.html").as_uri())
    page.wait_for_load_state()
    assert not page.locator("#tocar-alfas").is_visible()


@pytest.fixture
def weights(site):
    """Tres redes: las dos primeras publicadas y, en medio, otra que a veces ve un 9 donde no lo hay."""
    text = (site / "modelo" / "pesos.js").read_text("utf-8")
    published = json.loads(text.removeprefix("const PESOS = ").rstrip().removesuffix(";"))
    first, *_, last = published["networks"]
    partial = copy.deepcopy(first) | {"name": "regularizado de 2020"}
    high = np.frombuffer(base64.b64decode(partial["layers"][-1]["bias"]), "u1").reshape(-1, 3)
    bias = np.pad(high, ((0, 0), (1, 0))).ravel().view("<f4").copy()
    bias[9] += 12
    packed = base64.b64encode(bias.view("u1").reshape(-1, 4)[:, 1:].tobytes()).decode()
    partial["layers"][-1]["bias"] = packed
    return published | {"networks": [first, partial, last | {"name": "la mejor de Q5"}]}


def three(page, site, weights):
    """«Prueba el modelo» con esas tres redes."""
    body = f"const PESOS = {json.dumps(weights)};"
    page.route("**/pesos.js", lambda route: route.fulfill(body=body, content_type="text/javascript"))
    page.goto((site / "prueba.html").as_uri())
    page.wait_for_selector("#lector:not([hidden])")


def test_where_the_networks_disagree(site, page, weights):
    """Las imágenes marcadas y las contadas son aquellas en que `predict` da dígitos distintos, y al leerlas se dice."""
    three(page, site, weights)
    images = np.frombuffer(base64.b64decode(weights["examples"]["pixels"]), "u1").reshape(-1, 784) / 255
    read = "(images) => images.map((x) => NETWORKS.map((net) => { const p = [...predict(net, x)];" \
        " return p.indexOf(Math.max(...p)); }))"  # fmt: skip
    digits = np.array(page.evaluate(read, images.tolist()))
    apart = (digits != digits[:, :1]).any(axis=1)
    assert 0 < apart.sum() < len(apart)
    options = page.locator("#lector option").all_inner_texts()[1:]
    assert [option.endswith(": no coinciden") for option in options] == apart.tolist()
    assert f"De estas {len(apart)} imágenes, las redes no coinciden en {apart.sum()};" in page.inner_text(".discrepan")
    for i in (int(np.flatnonzero(apart)[-1]), int(np.flatnonzero(~apart)[0])):
        page.locator("#lector select").select_option(str(i))
        a, b, c = digits[i]
        assert page.locator("#lector caption b").all_inner_texts() == [f"lee un {digit}" for digit in (a, b, c)]
        said = f"Las redes no coinciden: leen un {a}, un {b} y un {c}." if apart[i] else ""
        assert page.inner_text(".acuerdo") == said
        assert page.locator("#lector [aria-live]").inner_text().endswith(said or f"lee un {c}")
    weights["networks"] = [weights["networks"][0]] * 3
    three(page, site, weights)
    assert "coinciden siempre" in page.inner_text(".discrepan")
    assert page.inner_text(".acuerdo") == ""


@pytest.mark.parametrize("width", [360, 390, 768, 1280])
def test_three_tables_side_by_side(width, site, page, weights):
    """Las tres lecturas van una al lado de otra, con las filas a la misma altura, y nada se sale."""
    page.set_viewport_size({"width": width, "height": 900})
    three(page, site, weights)
    boxes = [table.bounding_box() for table in page.locator("#lector tbody").all()]
    assert len({round(box["y"]) for box in boxes}) == 1
    assert all(a["x"] + a["width"] <= b["x"] for a, b in itertools.pairwise(boxes))
    cells = page.locator("#lector :is(table, caption, td)")
    assert cells.evaluate_all("(all) => all.every((one) => one.scrollWidth <= one.clientWidth + 1)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_touched_pages_are_accessible(screen, audit, site, weights):
    """Con axe no se encuentra nada, tampoco después de tocar; los mandos se aciertan con el dedo y nada se sale."""
    for name in [*WIDGETS, "prueba"]:
        if name == "prueba":
            three(screen, site, weights)
            screen.locator("#lector select").select_option(index=1)
        else:
            screen.goto((site / f"{name}.html").as_uri())
            screen.locator(".tocar input").first.fill("0.5" if name == "q1" else "3")
        audit(screen, name, ".tocar, #lector")  # la página entera, en test_site
        for control in screen.locator(":is(.tocar, #lector) :is(input, select, button)").all():
            assert control.bounding_box()["height"] >= 44


def test_by_keyboard(touch):
    """Con el tabulador se llega a cada mando, en el orden en que se ven, y las flechas y la barra los mueven."""
    for name, key in WIDGETS.items():
        page = touch(name)
        controls = page.locator(f"#tocar-{key} :is(input, select, button)")
        controls.first.focus()
        for i in range(controls.count()):
            assert controls.nth(i).evaluate("(one) => one === document.activeElement"), name
            before = page.locator(f"#tocar-{key} .frase").inner_text()
            kind = controls.nth(i).evaluate("(one) => one.type")
            value = controls.nth(i).input_value() if kind != "button" else None
            page.keyboard.press("Space" if kind == "button" else "ArrowRight" if kind == "range" else "ArrowDown")
            if kind == "button":
                assert page.locator(f"#tocar-{key} .frase").inner_text() != before, name
            else:
                assert controls.nth(i).input_value() != value, name
            assert page.locator(f"#tocar-{key} [aria-live=polite]").text_content()
            page.keyboard.press("Tab")


def test_without_javascript(site, chromium):
    """Sin JavaScript no hay mandos muertos, sino una frase que lo dice."""
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    for name, key in WIDGETS.items():
        page.goto((site / f"{name}.html").as_uri())
        assert "hace falta JavaScript" in page.inner_text(f"#tocar-{key}")
        assert not page.locator(f"#tocar-{key} .aparato").is_visible()
    context.close()
