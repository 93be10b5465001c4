/* A small line chart of Series on a canvas, as many pixels as the screen has. */

const COLOURS = ["#2f81f7", "#e5534b", "#57ab5a", "#c69026", "#986ee2", "#39c5cf"];

/** @param {import("./data.js").Series} series */
function rangeOf(series) {
  let [least, most] = [Infinity, -Infinity];
  for (const points of series.lines.values()) {
    for (const { value } of points) {
      least = Math.min(least, value);
      most = Math.max(most, value);
    }
  }
  return least === most ? [least - 1, most + 1] : [least, most];
}

/** @param {number} value */
const short = (value) => String(Number(value.toPrecision(4)));

/**
 * @param {HTMLCanvasElement} canvas @param {import("./data.js").Series} series
 */
export function drawChart(canvas, series, now = Date.now()) {
  const scale = globalThis.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const context = canvas.getContext("2d");
  if (!context || width === 0 || height === 0) {
    return;
  }
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  context.scale(scale, scale);
  const [least, most] = rangeOf(series);
  const right = width - 48; /* the labels of the axis are beside the lines */
  const { color, fontFamily } = getComputedStyle(canvas);
  context.font = `11px ${fontFamily}`;
  context.lineJoin = "round";
  [...series.lines].forEach(([name, points], index) => {
    context.strokeStyle = context.fillStyle = COLOURS[index % COLOURS.length];
    context.lineWidth = 1.5;
    context.beginPath();
    for (const { at, value } of points) {
      const x = right - ((now - at) / series.lastsMs) * right;
      context.lineTo(x, height - 6 - ((value - least) / (most - least)) * (height - 26));
    }
    context.stroke();
    const newest = points[points.length - 1];
    context.fillText(`${name} ${short(newest.value)}`, 6 + (index % 4) * (width / 4),
      12 + Math.floor(index / 4) * 12);
  });
  if (series.lines.size > 0) {
    context.fillStyle = color;
    context.textAlign = "right";
    context.fillText(short(most), width - 2, 24);
    context.fillText(short(least), width - 2, height - 2);
  }
}
