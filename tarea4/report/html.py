"""La forma de lo que se muestra: tablas con título, y figuras con pie, texto alternativo y los números que dibujan."""

import base64
import html

import pandas as pd
from IPython.display import HTML
from matplotlib.figure import Figure


def table(frame: pd.DataFrame, caption: str, *, index: bool = False) -> HTML:
    """Tabla con título; los textos se escapan, y lo que falta es una raya."""
    # El Styler de pandas, que sabe de títulos, pierde la clase o llena de identificadores cada celda.
    body = frame.to_html(index=index, border=0, classes="tarea4", escape=True, na_rep="—")
    body = body.replace("<thead>", f"<caption>{html.escape(caption)}</caption>\n<thead>", 1)
    return HTML(f'<div class="tabla">{body}</div>')


def note(text: str) -> HTML:
    """Una línea de prosa, con lo que avisa, que empieza por «OJO», en negrita."""
    parts = [(html.escape(part), part.startswith("OJO")) for part in text.split("; ")]
    return HTML(f"<p>{'; '.join(f'<strong>{part}</strong>' if warns else part for part, warns in parts)}</p>")


def figure(fig: Figure, caption: str, alt: str, numbers: pd.DataFrame | None = None, name: str = "") -> HTML:
    """Figura en SVG con pie, texto alternativo y, plegados, los números que dibuja; `name`, por el que se la cita."""
    source = f"data:image/svg+xml;base64,{base64.b64encode(fig._repr_svg_().encode()).decode()}"
    picture = f'<img src="{source}" alt="{html.escape(alt)}"><figcaption>{html.escape(caption)}</figcaption>'
    if numbers is not None:
        picture += f"<details><summary>Los números de la figura</summary>{table(numbers, caption).data}</details>"
    tall = " alta" if fig.get_figheight() > 1.2 * fig.get_figwidth() else ""
    cited = f' id="{name}"' if name else ""
    return HTML(f'<figure class="tarea4{tall}"{cited}>{picture}</figure>')
