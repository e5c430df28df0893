// «Entrena tú», las curvas: una figura por métrica, con sus números en una tabla.
const MARGIN = { left: 46, right: 10, top: 8, bottom: 34 }, HEIGHT = 260;
const LINES = { val: "validación", train: "entrenamiento" };

// Lo que se dibuja: `series` son { name, colour, curves, bands? }, con curvas por métrica: val_loss, train_loss...
function drawChart(figure, metric, series, epochs) {
  const box = figure.querySelector(".curva"), width = Math.max(240, box.clientWidth), shown = linesOf(series, metric, epochs);
  const [low, high] = metric === "loss" ? [0, ceiling(shown)] : [floor(shown), 1];
  const x = (epoch) => MARGIN.left + ((width - MARGIN.left - MARGIN.right) * (epoch - 1)) / Math.max(1, epochs - 1);
  const y = (value) => HEIGHT - MARGIN.bottom - ((HEIGHT - MARGIN.top - MARGIN.bottom) * (value - low)) / (high - low);
  const write = metric === "loss" ? (value) => decimal(value, high < 0.5 ? 2 : 1) : (value) => `${Math.round(100 * value)} %`;
  const points = (values) => values.map((value, i) => `${x(i + 1).toFixed(1)},${y(value).toFixed(1)}`);
  const paths = shown.map(({ values, band, colour, part }) => `
    ${band ? `<polygon class="banda ${colour}" points="${[...points(band.high), ...points(band.low).reverse()].join(" ")}"/>` : ""}
    <polyline class="${colour} ${part}" points="${points(values).join(" ")}"/>
    ${values.length === 1 ? `<circle class="${colour}" cx="${x(1)}" cy="${y(values[0])}" r="3"/>` : ""}`);
  const clip = `recorte-${metric}`;
  box.innerHTML = `<svg width="${width}" height="${HEIGHT}" viewBox="0 0 ${width} ${HEIGHT}" role="img">
    <clipPath id="${clip}"><rect x="${MARGIN.left}" y="0" width="${width - MARGIN.left}" height="${HEIGHT - MARGIN.bottom + 1}"/></clipPath>
    ${ticks(low, high, 4).map((value) => `<line class="guia" x1="${MARGIN.left}" x2="${width - MARGIN.right}" y1="${y(value)}" y2="${y(value)}"/>
      <text x="${MARGIN.left - 6}" y="${y(value) + 4}" text-anchor="end">${write(value)}</text>`).join("")}
    ${ticks(1, epochs, width < 420 ? 4 : 8).filter(Number.isInteger).map((epoch) =>
      `<text x="${x(epoch)}" y="${HEIGHT - MARGIN.bottom + 16}" text-anchor="middle">${epoch}</text>`).join("")}
    <text x="${width - MARGIN.right}" y="${HEIGHT - 3}" text-anchor="end">época</text>
    <g clip-path="url(#${clip})">${paths.join("")}</g></svg>`;
  box.firstChild.setAttribute("aria-label", sentence(figure, shown, metric));
  const details = figure.querySelector("details"), fill = () => details.open && tableOf(details, shown, metric, epochs);
  details.ontoggle = fill;
  fill();
}

const linesOf = (series, metric, epochs) => series.flatMap(({ name, colour, curves, bands }) =>
  Object.keys(LINES).filter((part) => curves[`${part}_${metric}`]?.length).map((part) => {
    const band = part === "val" && bands?.[`val_${metric}`], cut = (values) => values.slice(0, epochs);
    return {
      name: `${name}, ${LINES[part]}`, colour, part, values: cut(curves[`${part}_${metric}`]),
      band: band && { low: cut(band.low), high: cut(band.high) },
    };
  }));

// El eje llega hasta donde haga falta desde la tercera época: las dos primeras aplastarían las demás.
const settled = (shown) => shown.flatMap(({ values }) => (values.length > 3 ? values.slice(2) : values)).filter(Number.isFinite);
const ceiling = (shown) => 1.05 * Math.max(0.1, ...settled(shown));
const floor = (shown) => Math.max(0, Math.floor(20 * Math.min(0.95, ...settled(shown))) / 20);

function ticks(low, high, wanted) {
  const rough = (high - low) / wanted, power = 10 ** Math.floor(Math.log10(rough || 1));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= rough) || 1;
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9; k++) found.push(+(k * step).toPrecision(6));
  return low === 1 && found[0] !== 1 ? [1, ...found] : found; // la primera época se dice siempre
}

const writeMetric = (metric, value) => (metric === "loss" ? decimal(value, 3) : percent(value));

function sentence(figure, shown, metric) {
  const last = shown.map(({ name, values }) => `${name}, ${writeMetric(metric, values.at(-1))} en la época ${values.length}`);
  return `${figure.querySelector("figcaption").innerText} ${last.join("; ")}.`;
}

function tableOf(details, shown, metric, epochs) {
  const rows = Array.from({ length: epochs }, (_, i) => [i + 1, ...shown.map(({ values }) => (i in values ? writeMetric(metric, values[i]) : ""))]);
  details.querySelector(".tabla").replaceChildren(makeTable(["Época", ...shown.map(({ name }) => name)], rows, details.dataset.title));
}

// Una tabla con su título; la primera celda de cada fila la nombra. Una celda puede ser texto o un elemento.
function makeTable(headings, rows, title) {
  const table = document.createElement("table");
  table.className = "tarea4";
  table.createCaption().append(title);
  const add = (parent, cells, kinds) => {
    const row = parent.insertRow();
    cells.forEach((content, i) => {
      const [tag, scope] = kinds(i), cell = document.createElement(content === "" ? "td" : tag);
      if (cell.tagName === "TH") cell.scope = scope;
      cell.append(content);
      row.append(cell);
    });
  };
  add(table.createTHead(), headings, () => ["th", "col"]);
  const body = table.createTBody();
  for (const row of rows) add(body, row, (i) => (i ? ["td"] : ["th", "row"]));
  return table;
}
