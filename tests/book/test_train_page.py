"""«Entrena tú», la página: se entrena, se repite, se para, se guarda, se comparte, y la puede usar cualquiera."""

import json
import re
import shlex

import numpy as np
import pytest
from test_site import served  # noqa: F401

from tarea4.report import parameters, q1


def run(page, **changes):
    """Pone unos ajustes breves, con estos cambios, y entrena hasta el final."""
    settings = {"epocas": 2, "imagenes": 500, "capas": "8-6"} | changes
    page.evaluate("(text) => adopt(text)", "&".join(f"{name}={value}" for name, value in settings.items()))
    page.get_by_role("button", name="Entrenar").click()
    page.wait_for_function("work === null")


def losses(page):
    """La pérdida de validación de cada época del último entrenamiento."""
    return page.evaluate("current.curves.val_loss")


@pytest.mark.parametrize("scheme", ["file", "http"])
def test_data_travel_only_when_asked(scheme, site, served, page):  # noqa: F811
    """Las imágenes no se piden hasta entrenar, ni dos veces; del disco y de un servidor, se entrena en un obrero."""
    base, asked = site.as_uri() + "/" if scheme == "file" else served, []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{base}entrena.html", wait_until="networkidle")
    packed = f"{base}entrenador/digitos.js"
    assert packed not in asked
    run(page)
    run(page)
    assert asked.count(packed) == 1
    assert page.evaluate("trainer.inWorker")
    assert page.locator(".resultado").is_visible()
    assert not [url for url in asked if not url.startswith((base, "data:", "blob:"))]


def test_same_seed_same_figures(trainer, site):
    """La misma semilla da las mismas cifras, también sin obrero; otra da otras; y el dropout no cambia el comienzo."""
    run(trainer, semilla=3, dropout=0.2)
    first = losses(trainer)
    run(trainer, semilla=4, dropout=0.2)
    assert losses(trainer) != first
    trainer.add_init_script("delete window.Worker")
    trainer.goto((site / "index.html").as_uri())
    trainer.goto((site / "entrena.html").as_uri())
    run(trainer, semilla=3, dropout=0.2)
    assert not trainer.evaluate("trainer.inWorker")
    assert "a tirones" in trainer.locator(".estado").inner_text()
    assert losses(trainer) == first


def test_settings_travel_in_the_address(trainer, site):
    """La dirección lleva los ajustes y los repone; lo que no se admite se corrige, y se dice."""
    trainer.get_by_role("textbox", name="Dropout, en la entrada").fill("0,35")
    trainer.get_by_role("textbox", name="Semilla").fill("12")
    trainer.get_by_role("textbox", name="Semilla").blur()
    address = trainer.url
    assert {"dropout=0.35", "semilla=12"} <= set(address.split("#")[1].split("&"))
    trainer.goto((site / "index.html").as_uri())
    trainer.goto(address)
    assert trainer.get_by_role("textbox", name="Dropout, en la entrada").input_value() == "0.35"
    trainer.get_by_role("textbox", name="Dropout, en la entrada").fill("1.5")
    trainer.get_by_role("textbox", name="Dropout, en la entrada").blur()
    assert "dropout: 0,95" in trainer.locator(".corregido").inner_text()
    trainer.get_by_role("textbox", name="Épocas").fill("nada")
    trainer.get_by_role("textbox", name="Épocas").blur()
    assert trainer.get_by_role("textbox", name="Dropout, en la entrada").input_value() == "0.95"
    assert "épocas: 20" in trainer.locator(".corregido").inner_text()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dropout=2&l1=-1&epocas=0&semilla=-3", {"dropout": 0.95, "l1": 0, "epochs": 1, "seed": 0}),
        ("capas=9999-3.4-0-x-7-5-4-3-2", {"sizes": [256, 3, 7, 5, 4]}),
        ("imagenes=1e9&tasa=1e99&l2=NaN&epocas=Infinity", {"images": 6000, "rate": 1, "l2": 3e-15, "epochs": 20}),
        ("bn=0&capas=&imagenes=700&<b>=1", {"normalise": False, "sizes": [40, 50, 15, 15], "images": 500}),
    ],
)
def test_address_is_clamped(text, expected, trainer):
    """Nada de lo que diga la dirección sale de lo que se admite, y lo que se escribe en ella se lee igual."""
    settings = trainer.evaluate("(text) => parseSettings(text)", text)
    assert {name: settings[name] for name in expected} == expected
    assert trainer.evaluate("(s) => parseSettings(formatSettings(s))", settings) == settings


def test_papermill_line(trainer):
    """La orden da a Q1 los parámetros de la página, y su esquema los admite; donde no hay orden, se dice por qué."""
    base = {
        "data_path": None, "seeds": [0], "epochs": 50, "batch_size": 128, "verbose": False, "model": "ambos",
        "hidden_sizes": [4], "hidden_sizes_regularised": [4], "dropout": 0.2, "alpha_l1": 0.0, "alpha_l2": 0.0,
        "loss_threshold": 0.08, "accuracy_threshold": 0.98,
    }  # fmt: skip
    base = {name: value for name, value in base.items() if name in q1.Parameters.model_fields}
    line = "(text) => papermillLine(parseSettings(text), [5, 6])"
    for text, expected in {
        "capas=30-20&bn=1&dropout=0.15&l1=1e-7&l2=0.002&epocas=9": {
            "model": "regularizado", "hidden_sizes_regularised": (30, 20), "dropout": 0.15,
            "alpha_l1": 1e-7, "alpha_l2": 0.002,
        },
        "capas=30-20&bn=0&dropout=0&l1=0&l2=0&epocas=9": {"model": "simple", "hidden_sizes": (30, 20)},
    }.items():  # fmt: skip
        words = shlex.split(trainer.evaluate(line, text)["line"].replace("\\\n", " "))
        assert words[:2] == [".venv/bin/papermill", "book/q1.ipynb"]
        given = {words[i + 1]: json.loads(value) if (value := words[i + 2])[0] in "[0123456789" else value
                 for i, word in enumerate(words) if word == "-p"}  # fmt: skip
        checked = parameters.check_parameters(base | given, q1.Parameters)
        for name, value in (expected | {"epochs": 9, "seeds": (5, 6)}).items():
            assert getattr(checked, name) == value
    assert "tasa" in trainer.evaluate(line, "tasa=0.01")["problem"]
    assert "normalización" in trainer.evaluate(line, "bn=0&dropout=0.2")["problem"]


def test_what_is_shown_is_what_was_measured(trainer, digits):
    """La matriz suma las imágenes de cada clase y sus aciertos dan la exactitud; los mal leídos son los que faltan."""
    run(trainer, epocas=4, capas="20-10")
    cells = trainer.locator(".matriz tbody tr").evaluate_all(
        "(rows) => rows.map((row) => [...row.querySelectorAll('td')].map((cell) => +cell.innerText))"
    )
    matrix = np.array(cells)
    np.testing.assert_array_equal(matrix.sum(axis=1), np.bincount(digits.y_test, minlength=10))
    accuracy = matrix.trace() / 1500
    row = trainer.locator(".cifras tr", has_text="Exactitud en prueba").locator("td").first.inner_text()
    assert row == f"{100 * accuracy:.1f} %".replace(".", ",")
    assert f"lee mal {1500 - matrix.trace()}." in trainer.locator(".cuantos").inner_text()
    counts = {(label, read): matrix[label, read] for label in range(10) for read in range(10) if label != read}
    shown = [
        re.match(r"es (\d), lee (\d) \((\d+) %\)", text) for text in trainer.locator(".mal-leidos li").all_inner_texts()
    ]
    assert len(shown) == 24
    assert all(counts[int(each[1]), int(each[2])] for each in shown)
    sure = [int(each[3]) for each in shown]
    assert sure == sorted(sure, reverse=True)
    losses = trainer.evaluate("current.curves.val_loss")
    best = int(np.argmin(losses))
    assert f"época {best + 1} de 4" in trainer.locator(".veredicto").inner_text()


def test_pause_go_on_and_stop(trainer):
    """En pausa no avanza; sigue donde estaba y acaba igual que sin pausa; parar deja lo hecho, con el teclado."""
    run(trainer, epocas=12)
    whole = losses(trainer)
    trainer.get_by_role("button", name="Entrenar").focus()
    trainer.keyboard.press("Enter")
    trainer.wait_for_function("work?.history.length >= 1")
    assert trainer.evaluate("document.activeElement.dataset.action") == "pause"
    trainer.keyboard.press("Enter")
    trainer.wait_for_timeout(150)
    paused = trainer.evaluate("work.history.length")
    trainer.wait_for_timeout(300)
    assert trainer.evaluate("work.history.length") == paused
    assert "en pausa" in trainer.locator(".estado").inner_text()
    trainer.keyboard.press("Enter")
    trainer.wait_for_function("work === null")
    assert losses(trainer) == whole
    assert trainer.evaluate("document.activeElement.dataset.action") == "train"
    trainer.evaluate("adopt('epocas=200')")
    trainer.keyboard.press("Enter")
    trainer.wait_for_function("work?.history.length >= 2")
    trainer.get_by_role("button", name="Parar").click()
    trainer.wait_for_function("work === null")
    assert 2 <= len(losses(trainer)) < 200


def test_five_seeds(trainer):
    """«Repite con 5 semillas» da la media y la desviación típica de cinco entrenamientos con semillas seguidas."""
    seeds = [3, 4, 5, 6, 7]
    singles = []
    for seed in seeds:
        run(trainer, semilla=seed)
        singles.append(losses(trainer))
    trainer.evaluate("adopt('semilla=3')")
    trainer.get_by_role("button", name="Repite").click()
    trainer.wait_for_function("work === null")
    assert trainer.evaluate("current.seeds") == seeds
    np.testing.assert_allclose(losses(trainer), np.mean(singles, axis=0))
    best = np.min(singles, axis=1)
    cell = trainer.locator(".hechos tbody tr").first.locator("td").nth(3).inner_text()
    assert cell == f"{best.mean():.3f} ± {best.std(ddof=1):.3f}".replace(".", ",")


def test_runs_are_kept_and_laid_over(trainer):
    """Lo entrenado sigue en la tabla al volver; se dibujan hasta dos a la vez, y se quitan."""
    for seed in (1, 2, 3):
        run(trainer, semilla=seed)
    trainer.reload()
    rows = trainer.locator(".hechos tbody tr")
    assert rows.count() == 3
    assert not trainer.locator("polyline.guardada-1").count()
    for k in range(3):
        rows.nth(k).get_by_role("checkbox").check()
    assert [row.get_by_role("checkbox").is_checked() for row in rows.all()] == [False, True, True]
    assert trainer.locator("figure polyline.guardada-1").count() == 4  # dos líneas en cada figura
    assert trainer.locator("figure polyline.guardada-2").count() == 4
    rows.nth(0).get_by_role("link").click()
    assert trainer.get_by_role("textbox", name="Semilla").first.input_value() == "3"
    rows.nth(1).get_by_role("button").click()
    assert trainer.locator(".hechos tbody tr").count() == 2
    assert not trainer.locator("polyline.guardada-2").count()


@pytest.mark.parametrize("stored", ["no es JSON", '[{"settings": {}}, 3, null]', '{"a": 1}'])
def test_strange_storage_is_ignored(stored, trainer):
    """Lo que haya guardado otro, o a medias, no estropea la página."""
    trainer.evaluate("(text) => localStorage.setItem(STORE, text)", stored)
    trainer.reload()
    run(trainer)
    assert trainer.locator(".hechos tbody tr").count() == 1


def test_without_storage(site, page):
    """Donde el navegador no deja guardar, se entrena igual y se avisa."""
    page.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new Error('prohibido'); } })")
    page.goto((site / "entrena.html").as_uri())
    run(page)
    assert "no deja guardarlo" in page.locator(".estado").inner_text()


def test_missing_data_is_told(site, page):
    """Si las imágenes no llegan, se dice, y se puede volver a probar."""
    page.route("**/digitos.js", lambda route: route.abort())
    page.goto((site / "entrena.html").as_uri())
    page.get_by_role("button", name="Entrenar").click()
    page.get_by_text("No se han podido cargar las imágenes").first.wait_for()
    page.unroute("**/digitos.js")
    run(page)
    assert page.locator(".resultado").is_visible()


def test_without_javascript(site, chromium):
    """Sin JavaScript, una frase lo dice y el resto se lee."""
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((site / "entrena.html").as_uri())
    assert "necesita JavaScript" in page.locator("#sin-entrena").inner_text()
    assert not page.locator("#entrena").is_visible()
    assert page.get_by_text("CC BY-SA 3.0").is_visible()
    context.close()


def test_without_decompression(site, page):
    """En un navegador antiguo, una frase dice qué le falta."""
    page.add_init_script("delete window.DecompressionStream")
    page.goto((site / "entrena.html").as_uri())
    assert "descomprimir" in page.locator("#sin-entrena").inner_text()
    assert not page.locator("#entrena").is_visible()


def test_accessible_after_training(screen, audit, site):
    """Con todo lo que aparece al entrenar a la vista, axe no encuentra nada, y nada se sale por el lado."""
    screen.goto((site / "entrena.html").as_uri())
    screen.wait_for_selector("#entrena:not([hidden])")
    run(screen)
    screen.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))")
    screen.wait_for_selector(".figuras details table")
    audit(screen, "entrena")
    rows = screen.locator("figure[data-metric=loss] details tbody tr")
    assert rows.count() == 50  # cada época de la figura, en números
    first = screen.evaluate("current.curves.train_loss[0].toFixed(3)").replace(".", ",")
    assert rows.first.locator("td").last.inner_text() == first


def test_progress_is_announced_sparingly(trainer):
    """En voz alta: que empieza, como mucho tres avisos y el final; la etiqueta de cada figura dice sus cifras."""
    trainer.evaluate("""() => {
      window.said = [];
      new MutationObserver(() => said.push(document.querySelector(".anuncio").textContent))
        .observe(document.querySelector(".anuncio"), { childList: true });
    }""")
    run(trainer, epocas=20)
    said = trainer.evaluate("said")
    assert said[0] == "Empieza el entrenamiento."
    assert 2 <= len(said) <= 5
    assert "pérdida de validación es menor" in said[-1]
    label = trainer.locator("figure[data-metric=loss] svg").get_attribute("aria-label")
    assert f"{losses(trainer)[-1]:.3f}".replace(".", ",") in label
