// Small images in rows: a listbox in which the arrow keys move, and one tile stands in the page's tab order.
import { draw } from './draw.js';

export class Tiles {
  // chosen(item): called for the tile that is selected
  constructor(box, chosen) {
    this.box = box;
    this.chosen = chosen;
    this.items = [];
    box.addEventListener('keydown', (event) => this.key(event));
  }

  clear() {
    this.items = [];
    this.box.replaceChildren();
  }

  // item: {name, ...}; returns the canvas, which may be drawn later
  add(item, shape) {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'tile';
    button.setAttribute('role', 'option');
    button.setAttribute('aria-label', item.name);
    button.setAttribute('aria-selected', 'false');
    button.title = item.name;
    button.tabIndex = this.items.length ? -1 : 0;
    const canvas = document.createElement('canvas');
    [canvas.height, canvas.width] = shape;
    button.append(canvas);
    button.addEventListener('click', () => this.select(item));
    button.addEventListener('focus', () => this.rove(item));
    this.items.push(Object.assign(item, { button, canvas }));
    this.box.append(button);
  }

  draw(item, pixels) {
    item.pixels = pixels;
    draw(item.canvas, pixels);
  }

  rove(item) {
    for (const other of this.items) other.button.tabIndex = other === item ? 0 : -1;
  }

  mark(item) {
    for (const other of this.items) other.button.setAttribute('aria-selected', String(other === item));
  }

  select(item) {
    this.mark(item);
    this.rove(item);
    this.chosen(item);
  }

  columns() {
    const top = this.items[0].button.offsetTop;
    const next = this.items.findIndex(({ button }) => button.offsetTop > top);
    return next < 0 ? this.items.length : next;
  }

  key(event) {
    const at = this.items.findIndex(({ button }) => button === document.activeElement);
    if (at < 0) return;
    const steps = {
      ArrowLeft: () => at - 1,
      ArrowRight: () => at + 1,
      ArrowUp: () => at - this.columns(),
      ArrowDown: () => at + this.columns(),
      Home: () => 0,
      End: () => this.items.length - 1,
    };
    const to = steps[event.key]?.();
    if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.items[to]?.button.focus();
  }
}
