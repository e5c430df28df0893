// «Las alfas» (Q4): recorre las tablas plegadas de las figuras de la rejilla. Aquí no se escribe ninguna cifra.

// De una tabla de alfas: de dónde es, sus filas y, por penalización, la columna de la media, que va antes de mín. y máx.
function readSweep(table) {
  const [head, ...rows] = Array.from(table.rows, (row) => Array.from(row.cells, (cell) => cell.textContent.trim()));
  const columns = head.flatMap((name, i) => (head[i + 1] === `${name}, mín.` && head[i + 2] === `${name}, máx.` ? [i] : []));
  const base = rows.find(([alpha]) => alpha === "0");
  const where = /, ([^,]+(,\d+)?):/.exec(table.caption?.textContent)?.[1];
  return head[0] === "Alfa" && columns.length && base && where && { where, head, rows, columns, base };
}

const parse = (text) => Number(text.replace(",", ".").replace("−", "-"));
const sweeps = [...document.querySelectorAll("figure.tarea4 table")].map(readSweep).filter(Boolean);
const box = document.getElementById("tocar-alfas"), range = box.querySelector("input"), [network, penalty] = box.querySelectorAll("select");
const sentence = box.querySelector(".frase");

// Qué cambia la penalización, sin dar por mejora lo que puede ser de la semilla.
function compare([mean, low, high], [baseMean, baseLow, baseHigh]) {
  const change = parse(mean) - parse(baseMean), decimals = mean.split(",")[1]?.length ?? 0;
  const size = Math.abs(change).toFixed(decimals).replace(".", ",");
  const overlap = parse(low) <= parse(baseHigh) && parse(baseLow) <= parse(high);
  return `${change < 0 ? "Baja" : "Sube"} ${size}, y las dos franjas ${overlap ? "se solapan: puede ser cosa de las semillas" : "no se tocan"}.`;
}

function show() {
  const { where, head, rows, base } = sweeps[network.value], column = Number(penalty.value), row = rows[range.value];
  const chosen = row.slice(column, column + 3), without = base.slice(column, column + 3), [mean, low, high] = chosen;
  range.setAttribute("aria-valuetext", row[0]);
  box.querySelector("output").textContent = row[0];
  const all = rows.flatMap((each) => each.slice(1)).map(parse).filter(Number.isFinite), least = Math.min(...all);
  const place = (text) => (parse(text) - least) / (Math.max(...all) - least);
  [without, chosen].forEach((values, i) => {
    const cells = box.querySelector("tbody").rows[i].cells;
    cells[1].textContent = values[0];
    cells[2].textContent = `${values[1]} a ${values[2]}`;
    values.forEach((text, j) => cells[2].style.setProperty(["--media", "--desde", "--hasta"][j], place(text)));
  });
  box.querySelector("tbody").rows[1].cells[0].textContent = `${head[column]}, ${row[0]}`;
  const told = `Pérdida de validación ${where}, ${head[column]}, con alfa ${row[0]}: ${mean} de media, de ${low} a ${high} según la semilla.`;
  sentence.textContent = row === base ? `${told} Es la red sin penalización.` : `${told} Sin penalización, ${without[0]}. ${compare(chosen, without)}`;
}

// La rejilla elegida dice qué penalizaciones y cuántas alfas hay.
function choose() {
  const { head, rows, columns } = sweeps[network.value], kept = penalty.selectedIndex;
  penalty.replaceChildren(...columns.map((column) => new Option(head[column], column)));
  penalty.selectedIndex = Math.max(0, Math.min(kept, columns.length - 1));
  range.max = rows.length - 1;
  show();
}

box.querySelector(".sin-guion").remove();
box.hidden = !sweeps.length; // sin tabla no hay nada que recorrer
if (sweeps.length) {
  sweeps.forEach(({ where }, i) => network.add(new Option(where, i)));
  network.addEventListener("change", choose);
  box.addEventListener("input", show);
  // al soltar, no en cada paso
  box.addEventListener("change", () => (box.querySelector("[aria-live=polite]").textContent = sentence.textContent));
  box.querySelector(".aparato").hidden = false;
  choose();
}
