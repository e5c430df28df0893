"""Las extensiones de Sphinx del libro: páginas corregidas, corridas comparadas y docstrings en español."""

import api
import corridas
import libro
import nbformat.v4 as nb
import pytest
from sphinx.errors import ExtensionError

THEIRS = (
    '<script defer src="_static/scripts/fontawesome.js"></script><script>DOCUMENTATION_OPTIONS.pagename = 1;</script>'
    '<script src="_static/doctools.js"></script><script defer="defer" src="mathjax/tex-svg.js"></script>'
    '<nav aria-label="Main"></nav><div class="tabla"><th></th></div>'
)


def notebook(path, **glued):
    """Cuaderno que guardó con `glue` los textos `glued`, con los parámetros que anota papermill."""
    outputs = [
        nb.new_output(
            "display_data",
            {"application/papermill.record/text/plain": repr(text)},
            metadata={"scrapbook": {"name": name, "mime_prefix": "application/papermill.record/"}},
        )
        for name, text in glued.items()
    ]
    cell = nb.new_code_cell("1", outputs=[nb.new_output("stream", text="otra cosa"), *outputs])
    parameters = {"papermill": {"parameters": {"data_path": "<b>"}}}
    path.parent.mkdir(exist_ok=True)
    path.write_text(nb.writes(nb.new_notebook(cells=[cell], metadata=parameters)), encoding="utf-8")
    return path


def test_mended_page():
    """Se quita lo que sobra, se traduce, el texto no espera a los guiones, y corregir dos veces no cambia nada."""
    ours = libro.mend(THEIRS)
    assert "fontawesome" not in ours
    assert "tex-svg" not in ours
    assert '<script defer src="_static/doctools.js">' in ours
    assert "<script>DOCUMENTATION_OPTIONS" in ours
    assert 'aria-label="Índice del libro"' in ours
    assert "<th></th>" not in ours
    assert libro.mend(ours) == ours
    assert "tex-svg" in libro.mend(THEIRS + '<span class="math notranslate">')


def test_unfinished_notebook_is_refused(tmp_path):
    """Un cuaderno que no llegó a su veredicto no entra en el libro, y se dice cuál es."""
    with pytest.raises(ExtensionError, match=r"q4-rota\.ipynb no llegó a su veredicto"):
        corridas.compare(notebook(tmp_path / "corridas" / "q4-rota.ipynb"))


def test_rerun_table(tmp_path):
    """La tabla de una corrida da cada cifra, la publicada y la diferencia con su signo; un parámetro no es HTML."""
    notebook(
        tmp_path / "q4.ipynb", q4_verdict="mejor", q4_today="pérdida 0,0811 ± 0,0010 y exactitud 97,52 % en prueba"
    )
    rerun = {"q4_verdict": "peor", "q4_today": "pérdida 0,1000 y exactitud 97,12 % en prueba"}
    table = corridas.compare(notebook(tmp_path / "corridas" / "otra.ipynb", **rerun))
    assert "<td>mejor</td><td>peor</td><td>cambia</td>" in table
    assert "<td>0,0811</td><td>0,1000</td><td>+0,0189</td>" in table
    assert "<td>97,52</td><td>97,12</td><td>−0,40</td>" in table
    assert "data_path = &lt;b&gt;" in table


def test_types_are_translated():
    """En una docstring se traducen los tipos y la sección de atributos, y no la prosa."""
    lines = [
        "Una frase of prueba.",
        "Attributes",
        "x, y : ndarray of float32, shape (n,)",
        "path : str or Path, optional",
    ]
    api.translate_types(None, "class", "X", None, None, lines)
    assert lines[:2] == ["Una frase of prueba.", "Atributos"]
    assert lines[2:] == ["x, y : ndarray de float32, forma (n,)", "path : str o Path, opcional"]
