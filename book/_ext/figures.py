"""Numera con Sphinx las figuras que escriben los cuadernos, y el papel `figura` remite a una por su nombre."""

import re

from docutils import nodes
from sphinx.roles import XRefRole
from sphinx.transforms import SphinxTransform

FIGURE = re.compile(r'<figure class="tarea4[^>]*>.*?<figcaption>(?P<caption>.*?)</figcaption>', re.S)
NAME = re.compile(r' id="([^"]*)"')


class Figure(nodes.General, nodes.Element):
    """Una figura de `tarea4.report.html.figure`, con su HTML en `html`."""


def label(docname: str, name: str) -> str:
    """Cómo se llama en el libro la figura `name` de una página: la de una repetición no es la del capítulo."""
    return nodes.fully_normalize_name(f"{docname}-{name}")


class Number(SphinxTransform):
    """Pone cada figura donde Sphinx pueda contarla."""

    default_priority = 500  # antes de que el libro anote los nombres de la página, a los 850

    def apply(self, **_):
        for raw in [*self.document.findall(nodes.raw)]:
            if not (found := FIGURE.match(raw.astext())):
                continue
            figure, name = Figure(html=raw.astext(), caption=found["caption"]), NAME.search(found[0].split(">")[0])
            if name:
                figure["names"].append(label(self.env.docname, name[1]))
                self.document.note_explicit_target(figure)
            else:
                self.document.note_implicit_target(figure)
            raw.replace_self(figure)


def write(translator, node):
    """Escribe la figura, con su identificador, y su número al empezar el pie."""
    opening, rest = node["html"].split(">", 1)
    before, after = rest.split("<figcaption>", 1)
    translator.body.append(f'{NAME.sub("", opening)} id="{node["ids"][0]}">{before}<figcaption>')
    translator.add_fignumber(node)
    translator.body.append(after)


class Reference(XRefRole):
    """Remite a una figura de la misma página: «la {figura}`brecha`» se lee «la figura 3»."""

    def process_link(self, env, refnode, has_explicit_title, title, target):
        refnode.attributes |= {"refdomain": "std", "reftype": "numref", "refexplicit": True}
        return "figura %s", label(env.docname, target)


def missing(app, env, node, content):
    """Lo que se lee donde se cita una figura que no hay: una repetición puede no tener con qué dibujarla."""
    return nodes.inline("", "figura que falta aquí") if node["reftype"] == "numref" else None


def setup(app):
    """Registra el papel y lo que numera."""
    app.connect("missing-reference", missing)
    app.add_enumerable_node(Figure, "figure", lambda node: node["caption"], html=(write, lambda *_: None))
    app.add_transform(Number)
    app.add_role("figura", Reference())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
