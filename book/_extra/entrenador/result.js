// «Entrena tú», lo que se mira al acabar: las cifras, la matriz de confusión, los pesos y los dígitos mal leídos.
const SIDE = 28, MISREAD = 24;

const argmax = (values) => values.indexOf(Math.max(...values));

// La clase que da la red a cada imagen de prueba, y con cuánta probabilidad.
function readings({ probabilities }, labels) {
  return Array.from(labels, (label, i) => {
    const row = probabilities.subarray(10 * i, 10 * (i + 1)), read = argmax(row);
    return { i, label, read, sure: row[read] };
  });
}

// Las dos redes que se podrían guardar: la de la mejor época de validación, como en los capítulos, y la última.
function scoresTable({ history, bestEpoch, test }) {
  const columns = [{ ...history[bestEpoch - 1], test: test.best }, { ...history.at(-1), test: test.last }];
  const row = (name, read, write) => [name, ...columns.map((one) => write(read(one)))];
  const loss = (value) => decimal(value, 3);
  return makeTable(["", `Mejor época (${bestEpoch})`, `Última (${history.length})`], [
    row("Pérdida en entrenamiento", (one) => one.train_loss, loss),
    row("Pérdida en validación", (one) => one.val_loss, loss),
    row("Pérdida en prueba", (one) => one.test.loss, loss),
    row("Exactitud en entrenamiento", (one) => one.train_accuracy, percent),
    row("Exactitud en validación", (one) => one.val_accuracy, percent),
    row("Exactitud en prueba", (one) => one.test.accuracy, percent),
  ], "Pérdida, en nats, y exactitud; mejor es la de menor pérdida de validación");
}

// Qué ha pasado con la pérdida de validación, dicho con palabras.
function verdict({ history, bestEpoch }) {
  const best = history[bestEpoch - 1].val_loss, last = history.at(-1), rise = last.val_loss / best - 1;
  const where = `La pérdida de validación es menor en la época ${bestEpoch} de ${history.length} (${decimal(best, 3)})`;
  if (bestEpoch === history.length) return `${where}: aún bajaba, y con más épocas bajaría quizá algo más.`;
  const end = `al final es ${decimal(last.val_loss, 3)}, un ${Math.round(100 * rise)} % más, y la de entrenamiento, ${decimal(last.train_loss, 3)}`;
  return rise > 0.1 ? `${where}; ${end}: la red se ha sobreajustado.` : `${where}; ${end}: apenas sube.`;
}

function confusionTable(read) {
  const counts = Array.from({ length: 10 }, () => new Array(10).fill(0));
  read.forEach((each) => counts[each.label][each.read]++);
  const rows = counts.map((row, label) => [String(label), ...row.map(String)]);
  const table = makeTable(["Es", ..."0123456789"], rows, "Matriz de confusión en prueba: filas, el dígito que es; columnas, el que lee la red");
  const worst = Math.max(1, ...counts.flatMap((row, label) => row.filter((_, j) => j !== label)));
  counts.forEach((row, label) => row.forEach((count, j) => {
    const cell = table.tBodies[0].rows[label].cells[j + 1];
    if (j === label) cell.className = "acierto";
    else cell.style.setProperty("--p", count / worst);
  }));
  table.classList.add("confusion");
  return table;
}

// Los pesos de cada unidad de la primera capa, como una imagen: azul lo que resta, naranja lo que suma.
function drawWeights(canvas, { kernel, units }) {
  const columns = Math.min(units, Math.max(4, Math.floor(canvas.parentElement.clientWidth / (2 * SIDE + 4)))), cell = SIDE + 2;
  canvas.width = columns * cell;
  canvas.height = Math.ceil(units / columns) * cell;
  canvas.style.width = `${2 * canvas.width}px`;
  const context = canvas.getContext("2d"), image = context.createImageData(SIDE, SIDE);
  const top = Math.max(...Array.from({ length: units }, (_, j) => Math.abs(extremes(kernel, units, j).strongest)));
  for (let unit = 0; unit < units; unit++) {
    for (let i = 0; i < SIDE * SIDE; i++) {
      const value = kernel[i * units + unit] / top, fade = 255 * (1 - Math.min(1, Math.abs(value)) ** 0.7);
      image.data.set(value < 0 ? [fade, fade + 0.45 * (255 - fade), fade + 0.7 * (255 - fade), 255]
        : [fade + 0.84 * (255 - fade), fade + 0.37 * (255 - fade), fade, 255], 4 * i);
    }
    context.putImageData(image, (unit % columns) * cell + 1, Math.floor(unit / columns) * cell + 1);
  }
  canvas.setAttribute("aria-label", `Los pesos de las ${units} unidades de la primera capa, una imagen de 28 × 28 por unidad`);
}

function extremes(kernel, units, unit) {
  let low = Infinity, high = -Infinity, sum = 0;
  for (let i = unit; i < kernel.length; i += units) {
    low = Math.min(low, kernel[i]);
    high = Math.max(high, kernel[i]);
    sum += kernel[i] ** 2;
  }
  return { low, high, strongest: Math.max(-low, high), norm: Math.sqrt(sum) };
}

function weightsTable({ kernel, units }) {
  const rows = Array.from({ length: units }, (_, unit) => {
    const { low, high, norm } = extremes(kernel, units, unit);
    return [String(unit + 1), decimal(low, 2), decimal(high, 2), decimal(norm, 2)];
  });
  return makeTable(["Unidad", "Peso menor", "Peso mayor", "Norma"], rows, "Los pesos de la primera capa, en números");
}

// Los dígitos mal leídos, del más seguro al menos.
function showMisread(list, read, images) {
  const wrong = read.filter((each) => each.read !== each.label).sort((a, b) => b.sure - a.sure);
  list.replaceChildren(...wrong.slice(0, MISREAD).map(({ i, label, read: said, sure }) => {
    const item = document.createElement("li"), canvas = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE });
    const context = canvas.getContext("2d"), image = context.createImageData(SIDE, SIDE);
    for (let k = 0; k < SIDE * SIDE; k++) image.data.set([0, 0, 0, 17 * images[i * SIDE * SIDE + k]], 4 * k);
    context.putImageData(image, 0, 0);
    canvas.setAttribute("aria-hidden", "true");
    item.append(canvas, `es ${label}, lee ${said} (${Math.round(100 * sure)} %)`);
    return item;
  }));
  return wrong.length;
}
