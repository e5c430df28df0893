// «Prueba el modelo»: unas redes de Keras, calculadas en el navegador. Las entrena Q5, que deja sus pesos en PESOS.
const SIDE = 28, BOX = 20, PEN = 22;

// Los tres bytes altos de cada float32, como los deja tarea4/report/web.py.
function unpack(text) {
  const high = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const bytes = new Uint8Array((high.length / 3) * 4);
  high.forEach((byte, i) => (bytes[4 * Math.floor(i / 3) + (i % 3) + 1] = byte));
  return new Float32Array(bytes.buffer);
}

const NETWORKS = PESOS.networks.map((network) => ({
  ...network,
  layers: network.layers.map(({ activation, ...weights }) => ({
    activation,
    ...Object.fromEntries(Object.entries(weights).map(([name, text]) => [name, unpack(text)])),
  })),
}));

// La función de error, con la aproximación 7.1.26 de Abramowitz y Stegun: falla menos de 2e-7.
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const series = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return Math.sign(x) * (1 - series * Math.exp(-x * x));
}

const ACTIVATIONS = {
  linear: (x) => x,
  tanh: (x) => x.map(Math.tanh),
  silu: (x) => x.map((value) => value / (1 + Math.exp(-value))),
  gelu: (x) => x.map((value) => (value * (1 + erf(value / Math.SQRT2))) / 2),
  relu: (x) => x.map((value) => Math.max(value, 0)),
  softmax: (x) => {
    const powers = x.map((value) => Math.exp(value - Math.max(...x)));
    const total = powers.reduce((sum, power) => sum + power);
    return powers.map((power) => power / total);
  },
};

// Probabilidades que da una red a una imagen aplanada, de intensidades entre 0 y 1.
function predict(network, image) {
  let x = Float64Array.from(image);
  for (const { kernel, bias, scale, shift, activation } of network.layers) {
    if (kernel) {
      const sums = Float64Array.from(bias);
      x.forEach((value, i) => value && sums.forEach((_, j) => (sums[j] += value * kernel[i * sums.length + j])));
      x = sums;
    }
    if (scale) x = x.map((value, j) => value * scale[j] + shift[j]);
    if (activation) x = ACTIVATIONS[activation](x);
  }
  return x;
}

// La tinta de un dibujo, entre 0 y 1, se calcula de los trazos: para no dejarse rastrear, algunos navegadores ponen
// ruido en los píxeles que un lienzo devuelve, así que aquí no se lee ninguno.
const WIDTH = 280, ink = new Float64Array(WIDTH * WIDTH);

// Añade a la tinta un segmento de extremos redondos, del ancho del lápiz.
function addSegment([x0, y0], [x1, y1]) {
  const radius = PEN / 2, [dx, dy] = [x1 - x0, y1 - y0], square = dx * dx + dy * dy;
  const range = (a, b) => [Math.max(0, Math.floor(Math.min(a, b) - radius - 1)), Math.min(WIDTH, Math.ceil(Math.max(a, b) + radius + 1))];
  const [left, right] = range(x0, x1), [top, bottom] = range(y0, y1);
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const along = square && Math.min(1, Math.max(0, ((x + 0.5 - x0) * dx + (y + 0.5 - y0) * dy) / square));
      const distance = Math.hypot(x + 0.5 - x0 - along * dx, y + 0.5 - y0 - along * dy);
      ink[y * WIDTH + x] = Math.max(ink[y * WIDTH + x], Math.min(1, Math.max(0, radius + 0.5 - distance)));
    }
  }
}

// El dibujo como lo vería MNIST: dentro de 20 × 20, y con el centro de masas en el centro, al píxel más cercano.
function normalise() {
  const image = new Float64Array(SIDE * SIDE), low = [Infinity, Infinity], high = [-1, -1], moment = [0, 0];
  let mass = 0;
  ink.forEach((value, i) => {
    if (!value) return;
    mass += value;
    [i % WIDTH, Math.floor(i / WIDTH)].forEach((place, axis) => {
      low[axis] = Math.min(low[axis], place);
      high[axis] = Math.max(high[axis], place + 1);
      moment[axis] += value * (place + 0.5);
    });
  });
  if (!mass) return image;
  const sides = [0, 1].map((axis) => high[axis] - low[axis]), scale = BOX / Math.max(...sides);
  const corner = [0, 1].map((axis) => Math.round(SIDE / 2 - scale * (moment[axis] / mass - low[axis])));
  const [columns, rows] = sides.map((side) => Math.max(1, Math.round(scale * side)));
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const [x, y] = [corner[0] + column, corner[1] + row];
      if (x < 0 || y < 0 || x >= SIDE || y >= SIDE) continue;
      image[y * SIDE + x] = mean(low[0] + (column * sides[0]) / columns, low[1] + (row * sides[1]) / rows, sides[0] / columns, sides[1] / rows);
    }
  }
  return image;
}

// La tinta media de un rectángulo, que puede partir píxeles.
function mean(left, top, width, height) {
  const share = (i, start, length) => Math.min(i + 1, start + length) - Math.max(i, start);
  let total = 0;
  for (let y = Math.floor(top); y < top + height && y < WIDTH; y++) {
    for (let x = Math.floor(left); x < left + width && x < WIDTH; x++) {
      total += ink[y * WIDTH + x] * share(x, left, width) * share(y, top, height);
    }
  }
  return total / (width * height);
}

const page = document.getElementById("lector");
const [drawing, seen] = page.querySelectorAll("canvas");
const pen = drawing.getContext("2d"), preview = seen.getContext("2d");
const select = page.querySelector("select"), readings = page.querySelector(".lecturas");
const percent = new Intl.NumberFormat("es", { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });

for (const { name, parameters, accuracy, layers } of NETWORKS) {
  const row = (_, label) => `<tr><th scope="row">${label}</th><td></td></tr>`;
  const count = parameters.toLocaleString("es", { useGrouping: "always" }).replaceAll(".", "\u00a0"); // como en el libro
  const about = `${count} parámetros, acierta el ${percent.format(accuracy)} en prueba`;
  const caption = `<caption>${name}: <b></b> <small>${about}</small></caption>`;
  const rows = Array.from(layers.at(-1).bias, row).join("");
  readings.insertAdjacentHTML("beforeend", `<table data-network="${name.split(" ")[0]}">${caption}${rows}</table>`);
}

// El dígito que lee cada red, y si todas leen el mismo.
const mostLikely = (probabilities) => probabilities.indexOf(Math.max(...probabilities));
const read = (image) => NETWORKS.map((network) => mostLikely(predict(network, image)));
const agree = (digits) => digits.every((digit) => digit === digits[0]);

// Enseña una imagen de 28 × 28 y lo que lee en ella cada red.
function show(image) {
  const blank = !image.some(Boolean);
  const ink = Uint8ClampedArray.from({ length: 4 * image.length }, (_, i) => (i % 4 === 3 ? 255 * image[(i - 3) / 4] : 0));
  preview.putImageData(new ImageData(ink, SIDE), 0, 0);
  const digits = NETWORKS.map((network, i) => {
    const probabilities = blank ? [] : predict(network, image), best = mostLikely(probabilities);
    readings.children[i].querySelector("b").textContent = blank ? "…" : `lee un ${best}`;
    readings.children[i].querySelectorAll("td").forEach((cell, label) => {
      cell.textContent = blank ? "" : percent.format(probabilities[label]);
      cell.style.setProperty("--p", blank ? 0 : probabilities[label]);
    });
    return best;
  });
  page.querySelector(".acuerdo").textContent = agree(digits) ? "" : `Las redes no coinciden: leen ${list(digits)}.`;
}

// «un 4, un 9 y un 4», en el orden de las redes.
const list = (digits) => new Intl.ListFormat("es").format(digits.map((digit) => `un ${digit}`));

// Lo leído, en voz alta, cuando el dibujo está acabado.
function announce() {
  const captions = [...readings.querySelectorAll("caption")];
  const words = captions.map((caption) => caption.firstChild.data + caption.querySelector("b").textContent);
  const disagreement = page.querySelector(".acuerdo").textContent;
  page.querySelector("[aria-live]").textContent = [words.join("; "), disagreement].filter(Boolean).join(". ");
}

function clear() {
  pen.clearRect(0, 0, drawing.width, drawing.height);
  ink.fill(0);
  show(normalise());
}

let last;
drawing.addEventListener("pointerdown", (event) => {
  drawing.setPointerCapture(event.pointerId);
  if (select.value) select.value = "", clear();
  last = undefined;
  stroke(event);
});
drawing.addEventListener("pointermove", (event) => event.buttons && stroke(event));
drawing.addEventListener("pointerup", announce);

// Sigue el trazo hasta donde está el lápiz: en el lienzo, para quien dibuja, y en la tinta, para las redes.
function stroke({ offsetX, offsetY }) {
  const zoom = drawing.width / drawing.clientWidth, point = [offsetX * zoom, offsetY * zoom];
  Object.assign(pen, { lineWidth: PEN, lineCap: "round", lineJoin: "round" });
  pen.beginPath();
  pen.moveTo(...(last ?? point));
  pen.lineTo(...point);
  pen.stroke();
  addSegment(last ?? point, point);
  last = point;
  show(normalise());
}

page.querySelector("button").addEventListener("click", () => {
  select.value = "";
  clear();
  announce();
});

// Las imágenes de prueba, para quien no dibuja: un byte por píxel.
const pixels = Uint8Array.from(atob(PESOS.examples.pixels), (letter) => letter.charCodeAt(0));
const examples = PESOS.examples.labels.map((_, i) =>
  Float64Array.from(pixels.subarray(SIDE * SIDE * i, SIDE * SIDE * (i + 1)), (value) => value / 255));
const split = examples.map((image) => !agree(read(image))), howMany = split.filter(Boolean).length;
PESOS.examples.labels.forEach((label, i) =>
  select.add(new Option(`${label} (imagen ${i + 1})${split[i] ? ": no coinciden" : ""}`, i)));
page.querySelector(".discrepan").textContent = howMany
  ? `De estas ${examples.length} imágenes, las redes no coinciden en ${howMany}; la lista dice en cuáles.`
  : `En estas ${examples.length} imágenes, las redes coinciden siempre.`;
function choose() {
  clear();
  if (select.value) show(examples[select.value]);
}
select.addEventListener("change", () => (choose(), announce()));

document.getElementById("sin-lector").remove();
page.hidden = false;
select.value = PESOS.examples.labels.length - 1; // la página empieza con una imagen leída
choose();
