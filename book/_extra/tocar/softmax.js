// «Softmax a mano» (Q2): tres logits, una temperatura y lo que tira de cada logit con dos pérdidas.

// Los gradientes son respecto a los logits, antes de dividirlos entre la temperatura: por eso se dividen también.
function compute(logits, temperature, truth) {
  const scaled = logits.map((z) => z / temperature), top = Math.max(...scaled); // restar el mayor evita desbordar
  const powers = scaled.map((s) => Math.exp(s - top)), total = powers.reduce((sum, power) => sum + power);
  const p = powers.map((power) => power / total), error = p.map((value, i) => value - (i === truth ? 1 : 0));
  const mean = error.reduce((sum, each, i) => sum + each * p[i], 0);
  return {
    p,
    entropy: { loss: top + Math.log(total) - scaled[truth], gradient: error.map((each) => each / temperature) },
    squared: {
      loss: error.reduce((sum, each) => sum + each ** 2, 0),
      gradient: p.map((value, j) => (2 * value * (error[j] - mean)) / temperature), // el jacobiano de softmax
    },
  };
}

// Tres decimales; lo que no llega a la milésima, en potencias de diez, que se vea cuánto le falta.
function write(value, decimals = 3) {
  if (value && Math.abs(value) < 0.0005) {
    const [digit, power] = value.toExponential(0).split("e");
    return `${digit}·10${power.replace("-", "⁻").replace(/\d/g, (each) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[each])}`.replace("-", "−");
  }
  const fixed = { minimumFractionDigits: decimals, maximumFractionDigits: decimals, signDisplay: "negative" };
  return value.toLocaleString("es", fixed).replace("-", "−");
}

// Lo que hay que ver, dicho con palabras.
function tell({ p, entropy, squared }, truth) {
  const top = Math.max(...p), chosen = p.indexOf(top), pulls = [entropy, squared].map(({ gradient }) => Math.abs(gradient[truth]));
  const times = pulls[0] / pulls[1], less = times > 1e4 ? "más de diez mil" : write(times, times < 10 ? 1 : 0);
  if (p.lastIndexOf(top) !== chosen) return "La red duda: da lo mismo a más de una clase, y los dos gradientes la sacan de la duda.";
  if (chosen === truth && top > 0.9) return `La red acierta, y está segura (p\u00a0=\u00a0${write(top)}): queda poco que corregir, y los dos gradientes son pequeños.`;
  if (chosen === truth) return `La red acierta sin estar segura (p\u00a0=\u00a0${write(top)}): los dos gradientes suben aún el logit de la clase ${truth}.`;
  if (top > 0.9 && times >= 20) {
    return `La red está segura de la clase ${chosen} (p\u00a0=\u00a0${write(top)}) y se equivoca, porque es la ${truth}. `
      + `El gradiente del error cuadrático se ha apagado: en el logit de la verdadera es ${less} veces menor que el de la entropía cruzada, que sigue vivo.`;
  }
  return `La red se equivoca: cree más en la clase ${chosen} que en la ${truth}. En el logit de la verdadera, el gradiente del error cuadrático es `
    + `${less} veces menor que el de la entropía cruzada.`;
}

const box = document.getElementById("tocar-softmax"), ranges = [...box.querySelectorAll("input")];
const truthSelect = box.querySelector("select"), sentence = box.querySelector(".frase");

function show() {
  const values = ranges.map((range) => Number(range.value)), truth = Number(truthSelect.value);
  const found = compute(values.slice(0, -1), values.at(-1), truth);
  ranges.forEach((range, i) => {
    const text = write(values[i], 1);
    range.setAttribute("aria-valuetext", text);
    box.querySelector(`output[for="${range.id}"]`).textContent = text;
  });
  box.querySelectorAll("tbody tr").forEach((row, i) => {
    row.classList.toggle("verdadera", i === truth);
    row.cells[1].textContent = i === truth ? 1 : 0;
    [found.p, found.entropy.gradient, found.squared.gradient].forEach((column, j) => {
      row.cells[j + 2].textContent = write(column[i]);
      row.cells[j + 2].style.setProperty("--v", column[i]);
    });
  });
  [found.entropy, found.squared].forEach(({ loss }, j) => (box.querySelector("tfoot tr").cells[j + 1].textContent = write(loss)));
  sentence.textContent = tell(found, truth);
}

const announce = () => (box.querySelector("[aria-live=polite]").textContent = sentence.textContent); // al soltar, no en cada paso
box.addEventListener("input", show);
box.addEventListener("change", announce);
box.addEventListener("click", ({ target }) => {
  if (!target.dataset.preset) return;
  const values = target.dataset.preset.split(" ");
  truthSelect.value = values.pop();
  ranges.forEach((range, i) => (range.value = values[i]));
  show();
  announce();
});

box.querySelector(".sin-guion").remove();
box.querySelector(".aparato").hidden = false;
show();
