"""«Prepara una repetición»: juzga como el cuaderno, la orden dice lo elegido, y la puede usar cualquiera."""

import itertools
import re
import shutil
import subprocess

import form
import pytest
from building import BOOK
from papermill.cli import _resolve_type, papermill
from papermill.translators import PythonTranslator
from test_ext import notebook

from tarea4.report.parameters import MAX_WEIGHTS, allowed, check_parameters

CHAPTERS = {name: form.chapter(BOOK / f"{name}.ipynb") for name in form.SCHEMAS}
# lo que se escribe de muchas maneras, o parece un valor sin serlo
ODD = """|None|null|(None)|True|False|true|nan|-inf|Infinity|1e999|tres|-0|+1|3|3.0| 3 |1_0|1__0|_1|0x10|007|00|- 0|--0
|+(3)|1.|.5|.|1.e0|1E-3|1e|(3)|(3,)|3,|,3|3,,4|3 4|'3'|1j|3.5|0.5|3\u00a0|\u00a0(3)|[3|3]|[|]|()|[]|[,]|[3,]|0, 1
|[3, 3.0]|[3.0, '4', " 5 ", (6), 0x7]|[3, '3']|[True]|[None]|[nan]|[3.5]|[007]|[3, [4]]|[[3]]|[[3], [3]]|[[3], (3.0,)]
|[[3], [4, 5],]|[[3], []]|[[3], 4]|'[3]'|['[3]', [4]]|[3](4)|{3}|{3: 4}|[0, 1]\u00a0""".replace("\n", "").split("|")
ODD += [" ", "9" * 400, "9" * 5000, "(" * 99 + "3" + ")" * 99]
PATHS = ["otros datos/números.npz", 'l\'otro "más".npz', "$HOME/`a`;b&c.npz", "a\\b\\", "-x", "~/a b", "!a #b", "'"]


def borders(sentence):
    """Textos alrededor de cada número de la frase que dice lo que se admite: de valores, de tamaños y de pesos."""
    for limit in {int(number) for number in re.findall(r"\d+", sentence)}:
        near = [limit - 1, limit, limit + 1, float(limit), *(limit + tiny for tiny in (-1e-5, 1e-5, -1e-16, 1e-16))]
        lists = [[value] for value in near] if "lista" in sentence else []
        for n in (limit - 1, limit, limit + 1) if lists and limit < 1000 else ():
            lists += [list(range(1, n + 1)), [1] * n, [[each] for each in range(1, n + 1)]]
        lists += [[each] for each in lists] if "listas" in sentence else []
        yield from map(str, [*near, *lists])
    last = (MAX_WEIGHTS - 784 * 10_000) // 10_000  # la segunda capa que hace justo diez millones de pesos
    yield from map(str, [[10_000, last], [10_000, last + 1], [[10_000, last]], [[10_000, last + 1]]])


def typed(chapter, name):
    """Lo que se puede poner en el control de un parámetro."""
    kind = CHAPTERS[chapter]["parameters"][name]["kind"]
    if "options" in kind:
        return [str(option) for option in kind["options"]]
    return list(dict.fromkeys([*ODD, *PATHS, *borders(allowed(form.SCHEMAS[chapter].model_fields[name]))]))


def judged(chapter, texts):
    """Los parámetros que el cuaderno recibe de la orden con esos textos, o None si los rechaza."""
    cell = dict(CELLS[chapter])
    exec(PythonTranslator.codify({name: _resolve_type(text) for name, text in texts.items()}), cell)
    try:
        return check_parameters(cell, form.SCHEMAS[chapter]).model_dump(mode="json")
    except ValueError:
        return None


CELLS = {
    chapter: {name: _resolve_type(each["published"]) for name, each in found["parameters"].items()}
    for chapter, found in CHAPTERS.items()
}
PUBLISHED = {chapter: judged(chapter, {}) for chapter in CHAPTERS}
PUT = """(texts) => {
  const told = [];
  for (const [name, text] of texts) {
    const control = form[name];
    if (control.type === "checkbox") control.checked = text === "True";
    else control.value = text;
    control.dispatchEvent(new Event("change", { bubbles: true }));
    const ids = control.getAttribute("aria-describedby").split(" ");
    const { kind } = CHAPTERS[form.chapter.value].parameters[name];
    told.push({ described: ids.map((id) => document.getElementById(id).textContent),
      invalid: control.getAttribute("aria-invalid"), command: find(".orden code").textContent,
      shown: find(".orden pre").checkVisibility(), state: find(".estado").textContent, address: location.hash,
      value: check(resolve(text), kind) ?? null });
  }
  return told;
}"""


@pytest.fixture
def opened(site, page):
    """Abre el formulario en una dirección, desde cero."""

    def go(address=""):
        page.goto("about:blank")
        page.goto(f"{(site / 'formulario.html').as_uri()}{address}")
        page.wait_for_selector("#formulario:not([hidden])")
        return page

    return go


def received(command):
    """Lo que la orden da a papermill, leída por un intérprete de órdenes y por la propia papermill."""
    line, _, rest = command.rpartition("\n")
    assert rest == "make html"
    assert line.startswith(".venv/bin/papermill ")
    echo = ["sh", "-c", line.replace(".venv/bin/papermill", r"printf '%s\0'", 1)]
    words = subprocess.run(echo, capture_output=True, text=True, check=True).stdout.split("\0")[:-1]
    return papermill.make_context("papermill", words).params


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_judged_as_the_notebook_does(chapter, opened):
    """Todo lo escrito en cada campo se admite o se rechaza igual que en el cuaderno, con su frase y con su valor."""
    page, verdicts = opened(f"#{chapter}"), set()
    assert [each["published"] for each in CHAPTERS[chapter]["parameters"].values()] == page.evaluate(
        "Object.keys(CHAPTERS[form.chapter.value].parameters).map((name) => textOf(form[name]))"
    )
    for name, published in PUBLISHED[chapter].items():
        field = form.SCHEMAS[chapter].model_fields[name]
        same = [other for other, schema in form.SCHEMAS.items() if repr(schema.model_fields.get(name)) == repr(field)]
        texts = typed(chapter, name)[:: 1 if same[0] == chapter else 12]  # todo, en el primer capítulo que lo pide así
        for text, told in zip(texts, page.evaluate(PUT, [[name, text] for text in texts]), strict=True):
            expected = judged(chapter, {name: text})
            refusal = f"se admite {allowed(field)}."
            place = f"{name}: {text!r:.60}"
            verdicts.add(expected is None)
            assert told["invalid"] == str(expected is None).lower(), place
            assert told["described"][1] == (refusal if expected is None else ""), place
            if expected is None:
                assert told["state"] == f"No hay orden. {name}: {refusal}", place
                assert not told["command"], place
                assert not told["shown"], place
                continue
            assert told["value"] == expected[name], place
            assert bool(told["command"]) == told["shown"] == (expected[name] != published), place
            assert told["state"].startswith("Cambia" if told["shown"] else "No has cambiado nada"), place
        page.evaluate(PUT, [[name, CHAPTERS[chapter]["parameters"][name]["published"]]])
    assert verdicts == {True, False}


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_command_gives_what_was_chosen(chapter, opened):
    """Leída por sh y por papermill, la orden da lo elegido y nada más, solo o junto; y va en la dirección."""
    page, chosen = opened(f"#{chapter}"), {}
    for name, published in PUBLISHED[chapter].items():
        accepted = [text for text in typed(chapter, name) if (found := judged(chapter, {name: text}))
                    and found[name] != published]  # fmt: skip
        short = sorted((text for text in accepted if len(text) < 100), key=len)
        texts = [text for text in PATHS if text in accepted] if name in ("data_path", "storage") else short[-3:]
        chosen[name] = texts[0]
        back = CHAPTERS[chapter]["parameters"][name]["published"]
        for told, text in zip(page.evaluate(PUT, [[name, text] for text in texts]), texts, strict=True):
            assert received(told["command"])["parameters"] == ((name, text),)
        page.evaluate(PUT, [[name, back]])
    told = page.evaluate(PUT, list(chosen.items()))[-1]
    given = received(told["command"])
    assert dict(given["parameters"]) == chosen
    assert given["notebook_path"] == f"book/{chapter}.ipynb"
    assert re.fullmatch(rf"book/corridas/{chapter}-[\w-]+\.ipynb", given["output_path"], re.ASCII)
    assert opened(told["address"]).locator(".orden code").inner_text() == told["command"]
    assert opened(told["address"]).evaluate("update()") == told["address"]


def test_what_the_address_cannot_say(opened):
    """Un capítulo, un parámetro o una opción que no existen no cuentan; un valor inadmisible se enseña y se dice."""
    page = opened("#q9&epochs=3")
    assert page.locator(".estado").inner_text().startswith("No has cambiado nada")
    page = opened("#q1&model=otro&verbose=quizás&toString=1&epochs=9999&dropout=0.5")
    assert page.evaluate("[form.model.value, form.verbose.checked, form.epochs.value]") == ["ambos", False, "9999"]
    assert page.locator(".estado").inner_text() == "No hay orden. epochs: se admite un entero entre 1 y 1000."
    page.evaluate("location.hash = '#q2&n_bins=5'")
    page.get_by_text("Cambia n_bins;").wait_for()
    page.evaluate("location.hash = '#donde-se-ejecuta'")
    page.wait_for_timeout(100)
    assert "-p n_bins 5" in page.locator(".orden code").inner_text()


def test_the_name_is_of_who_reads(opened):
    """El nombre sigue a lo que cambia salvo que se ponga otro; si no vale, no hay orden; vacío, vuelve el propuesto."""
    page = opened("#q4&dropout=0.3")
    name, code = page.get_by_label("Nombre de la repetición"), page.locator(".orden code")
    assert name.input_value() == "q4-dropout-0-3"
    name.fill("primera")
    page.wait_for_timeout(900)  # más de lo que espera la página a quien escribe
    assert name.input_value() == "primera"
    name.fill("mía/otra")
    name.blur()
    assert "No hay orden. nombre: se admiten letras sin tilde" in page.locator(".estado").inner_text()
    assert not code.is_visible()
    name.fill("otra")
    page.get_by_label("alpha_l1").fill("0.5")  # sin salir del campo
    page.wait_for_function("find('.orden code').textContent.includes('alpha_l1')")
    assert "book/corridas/otra.ipynb" in code.inner_text()
    name.fill("")
    name.blur()
    assert name.input_value() == "q4-dropout-0-3-alpha_l1-0-5"


def test_a_run_already_made_is_found(site, tmp_path, opened, page):
    """Solo se enlaza la repetición con esos mismos valores, escritos como sea, y de la que no se duda."""
    for path in BOOK.glob("q*.ipynb"):
        shutil.copy(path, tmp_path)
    made = PUBLISHED["q4"] | {"dropout": 0.3, "seeds": [0, 1]}
    notebook(tmp_path / "corridas" / "hecha.ipynb", parameters=made, chapter="q4")
    edited = notebook(tmp_path / "corridas" / "editada.ipynb", parameters=made | {"epochs": 7}, chapter="q4")
    edited.write_text(edited.read_text("utf-8").replace("b = 2", "b = 3"), "utf-8")
    old = {name: value for name, value in made.items() if name != "hidden_sizes"}
    notebook(tmp_path / "corridas" / "antigua.ipynb", parameters=old | {"epochs": 8}, chapter="q4")
    page.route(
        "**/esquemas.js", lambda route: route.fulfill(body=form.script(tmp_path), content_type="text/javascript")
    )
    state = opened("#q4&dropout=3e-1&seeds=(0, 1.0)").locator(".estado")
    assert state.inner_text() == "Ya está hecha, con los mismos valores: hecha."
    assert state.get_by_role("link").get_attribute("href") == "corridas/hecha.html"
    assert page.locator(".orden pre").is_visible()
    for other in ("dropout=0.3", "dropout=0.3&seeds=[1, 0]", "dropout=0.3&seeds=[0, 1]&epochs=7",
                  "dropout=0.3&seeds=[0, 1]&epochs=8"):  # fmt: skip
        assert opened(f"#q4&{other}").locator(".estado").inner_text().startswith("Cambia")
    notebook(tmp_path / "corridas" / "ajena.ipynb", parameters=PUBLISHED["q2"] | {"n_bins": 5}, chapter="q4")
    assert opened("#q2&n_bins=5").locator(".estado").inner_text().startswith("Cambia")
    page.get_by_label("Nombre de la repetición").fill("editada")
    page.get_by_text("Ojo: ya hay una repetición con ese nombre").wait_for()
    link = opened("#q4").locator(".estado a").get_attribute("href")
    assert (link, (site / link).is_file()) == ("q4.html", True)


def test_copied_also_without_a_clipboard(opened, page):
    """La orden se copia; si no hay portapapeles queda seleccionada, y se dice."""
    page.add_init_script("""
      Object.defineProperty(navigator, "clipboard", { value: { writeText: async (text) => (window.copied = text) } });
      document.execCommand = () => false;""")
    button = opened("#q2&n_bins=5").get_by_role("button", name="Copiar la orden")
    button.click()
    page.get_by_text("Copiada.").wait_for()
    command = page.locator(".orden code").text_content()
    assert page.evaluate("copied") == command
    page.evaluate("() => (navigator.clipboard.writeText = null)")
    button.click()
    page.get_by_text("Está seleccionada").wait_for()
    assert page.evaluate("getSelection().toString()") == command


def test_from_entrena_and_without_javascript(trainer, site, chromium):
    """«Entrena tú» abre el formulario con su red puesta y la misma orden; sin JavaScript, una frase dice qué hacer."""
    for text in ("capas=30-20&bn=1&dropout=0.15&l1=1e-7&l2=0.002", "capas=9&bn=0&dropout=0&l1=0&l2=0"):
        trainer.goto((site / "entrena.html").as_uri())
        trainer.evaluate("(text) => adopt(`${text}&epocas=9&semilla=4`)", text)
        options = trainer.locator(".orden code").inner_text().split("-p ")[1:]
        trainer.get_by_role("link", name="Cambia otros parámetros en el formulario").click()
        trainer.wait_for_selector("#formulario:not([hidden])")
        prepared = trainer.locator(".orden code").inner_text().removesuffix("\nmake html").split("-p ")[1:]
        assert {one.strip(" \\\n").replace('"', "'") for one in options} == {one.strip(" \\\n") for one in prepared}
    page = chromium.new_context(java_script_enabled=False).new_page()
    page.goto((site / "formulario.html").as_uri())
    assert not page.locator("#formulario").is_visible()
    page.locator("#sin-formulario a").click()
    assert page.get_by_role("heading", name="Cómo repetirlo").is_visible()
    page.context.close()


def test_accessible(screen, audit, site):
    """Con errores y con la orden a la vista, axe no encuentra nada, todo cabe y cada control mide 44 píxeles."""
    changes = ("epochs=0&seeds=[0, 0]&hidden_sizes=[0]", "data_path=/l'otro más")
    for chapter, change in itertools.product(("q1", "q5"), changes):
        screen.goto("about:blank")
        screen.goto(f"{(site / 'formulario.html').as_uri()}#{chapter}&{change}")
        screen.wait_for_selector("#formulario:not([hidden])")
        assert screen.locator("[aria-invalid=true]").count() == 3 * ("epochs" in change)
        audit(screen, chapter)
        controls = screen.locator("#formulario :is(input, select, button)")
        boxes = [box for control in controls.all() if (box := control.bounding_box())]
        assert len(boxes) > 8
        assert not [box for box in boxes if min(box["width"], box["height"]) < 44]
