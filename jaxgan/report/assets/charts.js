'use strict';
// Charts as inline SVG. Text is set as text, never as markup: labels come from files.

const HEIGHT = 190, TOP = 10, BOTTOM = 34, RIGHT = 12;
const MARKS = { nan: '×', inf: '▲', '-inf': '▼' };

const isNumber = (value) => typeof value === 'number';

function element(parent, name, attributes = {}, text = '') {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.textContent = text;
  parent.append(made);
  return made;
}

// A value as one reads it, to four significant digits.
function readable(value) {
  if (!isNumber(value)) return value;
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) return value.toExponential(2).replace('e+', 'e');
  return value.toLocaleString('en', { maximumSignificantDigits: Math.max(4, Math.ceil(Math.log10(size + 1))) });
}

// A tick: 20k, 1.5M, 0.25, 1e-5.
function tickText(value, step) {
  const size = Math.abs(value);
  if (size >= 1e15 || (size !== 0 && size < 1e-4)) return value.toExponential(1).replace('.0', '').replace('e+', 'e');
  if (size >= 1e4) return value.toLocaleString('en', { notation: 'compact', maximumSignificantDigits: 4 }).replace('K', 'k');
  const decimals = Math.min(6, Math.max(0, -Math.floor(Math.log10(step) + 1e-9)));
  return value.toLocaleString('en', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

function linearTicks(low, high, most) {
  const rough = high / most - low / most, unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * unit).find((candidate) => candidate >= rough * 0.999);
  const first = Math.ceil(low / step - 1e-9), ticks = [];
  for (let i = 0; i <= 2 * most; i++) { // counted: at 1e16 adding a small step changes nothing
    const value = (first + i) * step + 0; // no -0
    if (Number.isFinite(value) && value <= high + step * 1e-9 && value !== ticks[ticks.length - 1]) ticks.push(value);
  }
  return ticks.map((value) => ({ value, text: tickText(value, step) }));
}

function logTicks(low, high, most) {
  const first = Math.floor(Math.log10(low)), last = Math.ceil(Math.log10(high)), stride = Math.max(1, Math.ceil((last - first) / most));
  const ticks = [];
  for (let power = first; power <= last; power += stride) {
    for (const factor of last - first <= 2 ? [1, 2, 5] : [1]) {
      const value = factor * 10 ** power;
      if (value >= low * 0.999 && value <= high * 1.001) ticks.push({ value, text: tickText(value, 10 ** power) });
    }
  }
  return ticks;
}

// The range of the y axis. Values that are never negative get an axis from 0, unless that would flatten them.
function rangeOf(values, log) {
  if (!values.length) return [0, 1];
  let low = values[0], high = values[0];
  for (const value of values) { low = Math.min(low, value); high = Math.max(high, value); }
  if (log) return low === high ? [low / 2, high * 2] : [low / (high / low) ** 0.05, high * (high / low) ** 0.05];
  if (low === high) { const margin = Math.abs(low) * 0.1 || 1; return [low - margin, high + margin]; }
  const margin = (high / 2 - low / 2) * 0.12, most = Number.MAX_VALUE; // halves: a difference may be more than the largest number
  return [low >= 0 && low < 0.6 * high ? 0 : Math.max(-most, low - margin), Math.min(most, high + margin)];
}

class Chart {
  constructor(figure, data) {
    this.figure = figure;
    this.data = data;
    this.read = data.series.map(({ x, y, mean_x, mean_y }) => (mean_x.length ? { x: mean_x, y: mean_y } : { x, y }));
    this.thinned = data.series.some((series) => series.mean_x.length);
    this.numbers = data.series.flatMap((series) => series.y.filter(isNumber));
    this.xs = [...new Set(this.read.flatMap((series) => series.x))].sort((a, b) => a - b);
    this.cursor = null; // an index into xs; null: none, and the latest values are shown
    this.button = figure.querySelector('.log');
    this.plot = figure.querySelector('.plot');
    this.setUpScale();
    this.setUpLegend();
    new ResizeObserver(() => this.draw()).observe(this.plot);
  }

  setUpScale() {
    const low = Math.min(...this.numbers), high = Math.max(...this.numbers);
    this.log = low > 0 && high / low > 100;
    this.button.hidden = !(low > 0 && high / low > 10);
    this.button.setAttribute('aria-pressed', this.log);
    this.button.setAttribute('aria-label', `Logarithmic scale, ${this.data.title}`);
    this.button.addEventListener('click', () => {
      this.log = !this.log;
      this.button.setAttribute('aria-pressed', this.log);
      this.width = 0;
      this.draw();
    });
  }

  setUpLegend() {
    const legend = this.figure.querySelector('.legend');
    this.readouts = this.data.series.map((series, i) => {
      const item = document.createElement('span'), swatch = document.createElement('span'), value = document.createElement('b');
      swatch.className = `swatch s${i % 4}`;
      const alone = this.data.series.length === 1 && series.label === this.data.title;
      item.append(swatch, alone ? '' : `${series.label} `, value);
      legend.append(item);
      return value;
    });
    this.at = document.createElement('span');
    this.at.className = 'unseen'; // the same stands below the axis; here it is read aloud with the values
    legend.append(this.at);
  }

  summary() {
    const parts = this.data.series.map((series) => {
      const numbers = series.y.filter(isNumber), last = series.y[series.y.length - 1];
      if (!numbers.length) return `${series.label} has no finite value`;
      return `${series.label} ends at ${readable(last)}, lowest ${readable(Math.min(...numbers))}, highest ${readable(Math.max(...numbers))}`;
    });
    return `${this.data.title} over images seen: ${parts.join('; ')}`;
  }

  draw() {
    const width = Math.max(220, Math.floor(this.plot.clientWidth));
    if (width === this.width) return;
    this.width = width;
    const [low, high] = rangeOf(this.numbers, this.log);
    const yTicks = this.log ? logTicks(low, high, 5) : linearTicks(low, high, 5);
    this.left = 8 + 6.6 * Math.max(2, ...yTicks.map((tick) => tick.text.length));
    const last = Math.max(...this.data.series.map(({ x }) => x[x.length - 1]));
    const start = this.xs.length > 1 ? 0 : this.xs[0] * 0.9, end = Math.max(last, start + 1);
    const scale = this.log ? Math.log : (value) => value / 2;
    this.x = (value) => this.left + ((value - start) / (end - start)) * (width - this.left - RIGHT);
    this.y = (value) => TOP + (1 - (scale(value) - scale(low)) / (scale(high) - scale(low))) * (HEIGHT - TOP - BOTTOM);
    const focused = document.activeElement === this.svg;
    this.plot.replaceChildren();
    this.svg = element(this.plot, 'svg', { viewBox: `0 0 ${width} ${HEIGHT}`, role: 'img', tabindex: 0, 'aria-label': this.summary() });
    this.drawAxes(yTicks, linearTicks(start, end, Math.max(2, Math.floor(width / 90))));
    this.data.series.forEach((series, i) => this.drawCurve(series, i, series.mean_x.length ? 'faint' : 'line'));
    this.read.forEach((means, i) => { if (this.data.series[i].mean_x.length) this.drawCurve(means, i, 'line'); });
    this.overlay = element(this.svg, 'g');
    this.listen();
    this.show();
    if (focused) this.svg.focus();
  }

  drawAxes(yTicks, xTicks) {
    const bottom = HEIGHT - BOTTOM, right = this.width - RIGHT;
    for (const { value, text } of yTicks) {
      element(this.svg, 'line', { class: 'rule', x1: this.left, x2: right, y1: this.y(value), y2: this.y(value) });
      element(this.svg, 'text', { x: this.left - 6, y: this.y(value) + 4, 'text-anchor': 'end' }, text);
    }
    element(this.svg, 'line', { class: 'axis', x1: this.left, x2: right, y1: bottom, y2: bottom });
    for (const { value, text } of xTicks) {
      const x = this.x(value), half = text.length * 3.3;
      element(this.svg, 'line', { class: 'axis', x1: x, x2: x, y1: bottom, y2: bottom + 4 });
      element(this.svg, 'text', { x: Math.min(x, this.width - half), y: bottom + 16, 'text-anchor': 'middle' }, text);
    }
    element(this.svg, 'text', { x: right, y: HEIGHT - 3, 'text-anchor': 'end' }, 'images seen');
    this.where = element(this.svg, 'text', { x: this.left, y: HEIGHT - 3, 'aria-hidden': true });
  }

  // A value that is no finite number lifts the pen and leaves a mark; a point without neighbours is a dot.
  drawCurve({ x, y }, index, look) {
    let path = '', pen = false;
    const few = y.length <= 12, dots = [];
    y.forEach((value, i) => {
      if (!isNumber(value)) {
        pen = false;
        if (x === this.data.series[index].x) this.mark(this.x(x[i]), value);
        return;
      }
      const at = `${this.x(x[i]).toFixed(1)} ${this.y(value).toFixed(1)}`;
      path += `${pen ? 'L' : 'M'}${at}`;
      if (few || (!pen && !isNumber(y[i + 1]))) dots.push([x[i], value]);
      pen = true;
    });
    if (path) element(this.svg, 'path', { class: 'curve', d: path }).classList.add(`s${index % 4}`, look);
    for (const [at, value] of dots) element(this.svg, 'circle', { class: `s${index % 4}`, cx: this.x(at), cy: this.y(value), r: 2 });
  }

  mark(x, value) {
    const made = element(this.svg, 'text', { class: 'gap', x, y: value === 'inf' ? TOP + 8 : HEIGHT - BOTTOM - 2, 'text-anchor': 'middle' }, MARKS[value]);
    element(made, 'title', {}, value);
  }

  listen() {
    this.svg.addEventListener('pointermove', (event) => {
      const box = this.svg.getBoundingClientRect();
      this.moveTo(this.nearest((event.clientX - box.left) * (this.width / box.width)));
    });
    this.svg.addEventListener('pointerleave', () => this.moveTo(null));
    this.svg.addEventListener('blur', () => this.moveTo(null));
    this.svg.addEventListener('keydown', (event) => {
      const last = this.xs.length - 1, now = this.cursor ?? last;
      const moves = { ArrowLeft: now - 1, ArrowRight: now + 1, PageUp: now - 10, PageDown: now + 10, Home: 0, End: last, Escape: null };
      if (!(event.key in moves)) return;
      event.preventDefault();
      this.figure.querySelector('.legend').setAttribute('aria-live', 'polite');
      const target = moves[event.key];
      this.moveTo(target === null ? null : Math.max(0, Math.min(last, target)));
    });
  }

  nearest(pixel) {
    let best = 0;
    this.xs.forEach((x, i) => { if (Math.abs(this.x(x) - pixel) < Math.abs(this.x(this.xs[best]) - pixel)) best = i; });
    return best;
  }

  moveTo(index) {
    if (index === this.cursor) return;
    this.cursor = index;
    this.show();
  }

  show() {
    this.overlay.replaceChildren();
    const at = this.xs[this.cursor ?? this.xs.length - 1];
    this.where.textContent = `${this.thinned ? 'means near' : 'values at'} ${at.toLocaleString('en')}`;
    this.at.textContent = `at ${at.toLocaleString('en')} images seen`;
    if (this.cursor !== null) element(this.overlay, 'line', { class: 'cursor', x1: this.x(at), x2: this.x(at), y1: TOP, y2: HEIGHT - BOTTOM });
    this.read.forEach(({ x, y }, i) => {
      const value = y[closest(x, at)];
      this.readouts[i].textContent = readable(value);
      if (this.cursor !== null && isNumber(value)) {
        element(this.overlay, 'circle', { class: `s${i % 4}`, cx: this.x(x[closest(x, at)]), cy: this.y(value), r: 3.5 });
      }
    });
  }
}

// The index of the number that is closest, in an ascending list.
function closest(list, wanted) {
  let low = 0, high = list.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (list[middle] <= wanted) low = middle; else high = middle;
  }
  return Math.abs(list[high] - wanted) < Math.abs(list[low] - wanted) ? high : low;
}

for (const figure of document.querySelectorAll('.chart')) {
  const all = JSON.parse(document.getElementById(figure.dataset.source).textContent);
  new Chart(figure, all[Number(figure.dataset.index)]).draw();
}
