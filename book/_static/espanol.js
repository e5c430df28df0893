// Textos que el tema trae en inglés, o mal traducidos, y que no pasan por ningún catálogo.
const SPANISH = {
  "Toggle primary sidebar": "Mostrar u ocultar el índice del libro",
  "Toggle secondary sidebar": "Mostrar u ocultar el contenido de la página",
  "Toggle hidden content": "Mostrar u ocultar el contenido",
  "Main": "Índice del libro",
  "Page": "Contenido de la página",
  "Descarga esta pagina": "Descargar esta página",
};

document.addEventListener("DOMContentLoaded", () => {
  // Bootstrap mueve `title` a `data-bs-original-title` antes o después de este momento
  for (const name of ["title", "aria-label", "data-bs-original-title"]) {
    for (const element of document.querySelectorAll(`[${name}]`)) {
      const spanish = SPANISH[element.getAttribute(name)];
      if (spanish) element.setAttribute(name, spanish);
    }
  }
});
