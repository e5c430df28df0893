// «Dropout sobre un dígito» (Q1): una imagen de prueba, entera y como llega a la primera capa mientras se entrena.
const SIDE = 28;
const bytes = Uint8Array.from(atob(EXAMPLES.pixels), (letter) => letter.charCodeAt(0)), size = SIDE * SIDE;
const images = EXAMPLES.labels.map((_, i) => Array.from(bytes.subarray(size * i, size * (i + 1)), (value) => value / 255));

// A cada píxel le toca un número al azar entre 0 y 1: si no llega a la tasa, se anula; si llega, crece.
const drop = (image, rate, chances) => image.map((value, i) => (chances[i] < rate ? 0 : value / (1 - rate)));
const draw = () => Array.from({ length: size }, Math.random);

// Como en papel, negro sobre blanco; lo que pasa de 1, que en una pantalla no cabe, tira a naranja.
function paint(canvas, image) {
  const data = image.flatMap((value) => {
    const excess = Math.min(1, Math.max(0, value - 1));
    return [213 * excess, 94 * excess, 0, 255 * Math.min(1, value)];
  });
  canvas.getContext("2d").putImageData(new ImageData(Uint8ClampedArray.from(data), SIDE), 0, 0);
}

const box = document.getElementById("tocar-dropout"), range = box.querySelector("input"), select = box.querySelector("select");
const sentence = box.querySelector(".frase"), [whole, seen] = box.querySelectorAll("canvas");
let chances = draw();

const write = (value, decimals) =>
  value.toLocaleString("es", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
const mean = (image) => image.reduce((sum, value) => sum + value) / image.length;

function show() {
  const image = images[select.value], rate = Number(range.value), after = drop(image, rate, chances);
  const lit = image.filter(Boolean).length, lost = lit - after.filter(Boolean).length;
  const text = write(rate, 2);
  range.setAttribute("aria-valuetext", text);
  box.querySelector("output").textContent = text;
  paint(whole, image);
  paint(seen, after);
  const digit = EXAMPLES.labels[select.value], dropped = `${lost} de sus ${lit} píxeles encendidos`;
  whole.setAttribute("aria-label", `Un ${digit}, entero`);
  seen.setAttribute("aria-label", `El mismo ${digit}, con ${dropped} anulados`);
  sentence.textContent = `Se anulan ${dropped} (el ${write((100 * lost) / lit, 0)} %), y los demás se multiplican por ${write(1 / (1 - rate), 2)}: `
    + `en naranja, lo que pasa de 1. Intensidad media de la imagen: ${write(mean(image), 3)} entera, y ${write(mean(after), 3)} con esta máscara.`;
}

const announce = () => (box.querySelector("[aria-live=polite]").textContent = sentence.textContent); // al soltar, no en cada paso
EXAMPLES.labels.forEach((label, i) => select.add(new Option(label, i)));
box.addEventListener("input", show);
box.addEventListener("change", announce);
box.querySelector("button").addEventListener("click", () => {
  chances = draw();
  show();
  announce();
});

box.querySelector(".sin-guion").remove();
box.querySelector(".aparato").hidden = false;
show();
