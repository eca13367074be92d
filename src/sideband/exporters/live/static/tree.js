// The tree of runs with its waterfall: a treegrid of which only the lines in sight are made.

import { running } from "./store.js";
import { clock, compact, duration } from "./words.js";

/** @typedef {import("./store.js").Line} Line */
/** @typedef {import("./store.js").Run} Run */

const BEYOND = 6; // lines made above and below those in sight
const quiet = matchMedia("(prefers-reduced-motion: reduce)");

/** @param {string} tag @param {string} [name] */
export function element(tag, name) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  return made;
}

export class Tree {
  /** @type {Line[]} */ #lines = [];
  /** @type {Map<number, number>} where a run's line is */ #places = new Map();
  /** @type {Map<number, Row>} */ #rows = new Map();
  /** @type {number | undefined} the run that the keyboard is on */ #active;
  /** @type {number | undefined} */ #selected;
  #elapsed = false;
  #first = 0;
  #last = 1;

  /**
   * @param {HTMLElement} place
   * @param {import("./store.js").Store} store
   * @param {{select: (run: Run, focus: boolean) => void, toggle: (run: Run, open: boolean) => void, moved: () => void}} tell
   */
  constructor(place, store, tell) {
    this.store = store;
    this.tell = tell;
    this.grid = element("div", "grid");
    this.grid.setAttribute("role", "treegrid");
    this.grid.setAttribute("aria-label", "Runs, with their times");
    this.grid.setAttribute("aria-colcount", "3");
    this.body = element("div", "grid-lines");
    this.body.setAttribute("role", "rowgroup");
    this.grid.append(this.#head(), this.body);
    place.replaceChildren(this.grid);
    this.grid.addEventListener("scroll", () => { this.draw(); tell.moved(); }, { passive: true });
    this.grid.addEventListener("click", (event) => this.#click(event));
    this.grid.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.draw()).observe(this.grid);
    this.#grow();
  }

  #head() {
    const group = element("div", "grid-head grid-row");
    group.setAttribute("role", "row");
    for (const label of ["Run", "Time", "Waterfall"]) {
      const cell = element("span", label === "Time" ? "took" : label === "Waterfall" ? "axis" : "");
      cell.setAttribute("role", "columnheader");
      if (label === "Waterfall") {
        cell.setAttribute("aria-label", label);
        this.axis = cell;
      } else cell.textContent = label;
      group.append(cell);
    }
    const head = element("div");
    head.setAttribute("role", "rowgroup");
    head.style.display = "contents";
    head.append(group);
    return head;
  }

  /** Whether every tree begins at the left, so that times can be compared. @param {boolean} elapsed */
  align(elapsed) {
    this.#elapsed = elapsed;
    this.draw();
  }

  /** @param {Line[]} lines @param {number | undefined} selected the number of the run whose details are shown */
  show(lines, selected) {
    const [anchor, before] = this.#anchor();
    this.#lines = lines;
    this.#selected = selected;
    this.#places = new Map(lines.map((line, index) => [line.run.number, index]));
    const moved = (this.#places.get(anchor) ?? before) - before;
    if (moved) {
      this.body.style.height = `${lines.length * this.height}px`;
      this.grid.scrollTop += moved * this.height;
    }
    this.grid.setAttribute("aria-rowcount", String(lines.length + 1));
    if (this.#active === undefined || !this.#places.has(this.#active)) this.#active = lines[0]?.run.number;
    this.draw();
  }

  /** The line that stays where it is, and its place: the keyboard's if it is in sight, else the first; none at the top. */
  #anchor() {
    if (this.atTop) return [-1, 0];
    const first = Math.ceil(this.grid.scrollTop / this.height);
    const active = this.#places.get(this.#active ?? -1) ?? -1;
    const place = active >= first && active < first + this.grid.clientHeight / this.height ? active : first;
    return [this.#lines[place]?.run.number ?? -1, place];
  }

  /** Let the keyboard go on from a run, and bring its line into sight. @param {number} number */
  goTo(number) {
    this.#active = number;
    this.reveal(number);
    this.draw();
  }

  get atTop() {
    return this.grid.scrollTop < this.height;
  }

  get focused() {
    return this.grid.contains(document.activeElement);
  }

  get height() {
    return parseFloat(getComputedStyle(this.grid).getPropertyValue("--row")) || 30;
  }

  // -- drawing ------------------------------------------------------------------------------------

  draw() {
    const height = this.height;
    const from = Math.max(0, Math.floor(this.grid.scrollTop / height) - BEYOND);
    const until = Math.min(this.#lines.length, Math.ceil((this.grid.scrollTop + this.grid.clientHeight) / height) + BEYOND);
    this.body.style.height = `${this.#lines.length * height}px`;
    const wanted = new Set(this.#lines.slice(from, until).map((line) => line.run.number));
    if (this.#active !== undefined && this.#places.has(this.#active)) wanted.add(this.#active);
    for (const [number, row] of this.#rows) {
      if (!wanted.has(number)) {
        row.element.remove();
        this.#rows.delete(number);
      }
    }
    this.#measure(from + (from ? BEYOND : 0), Math.max(from + 1, until - BEYOND));
    for (const number of wanted) this.#drawLine(number, height);
    this.#drawAxis();
  }

  /** @param {number} number @param {number} height */
  #drawLine(number, height) {
    const place = /** @type {number} */ (this.#places.get(number));
    const line = this.#lines[place];
    let row = this.#rows.get(number);
    if (!row) {
      row = new Row();
      this.#rows.set(number, row);
      row.element.dataset.number = String(number);
      this.body.append(row.element);
    }
    row.draw(line, place, height, number === this.#selected, number === this.#active);
    this.#place(row, line);
  }

  /** Find the time that is in sight. @param {number} from @param {number} until */
  #measure(from, until) {
    let first = Infinity;
    let last = -Infinity;
    for (let place = from; place < until; place++) {
      const line = this.#lines[place];
      if (!line) break;
      const zero = this.#zero(line.run);
      first = Math.min(first, line.run.started - zero);
      last = Math.max(last, this.store.end(line.run) - zero);
    }
    if (first > last) [first, last] = [0, 1];
    const width = Math.max(last - first, 1e-4);
    this.#first = this.#elapsed ? 0 : first;
    this.#last = (this.#elapsed ? last : first + width) + width * 0.02;
  }

  /** @param {Run} run */
  #zero(run) {
    return this.#elapsed ? this.store.root(run).started : 0;
  }

  /** @param {Row} row @param {Line} line */
  #place(row, line) {
    const { run } = line;
    const width = this.#last - this.#first;
    const zero = this.#zero(run);
    const left = (run.started - zero - this.#first) / width;
    const length = (this.store.end(run) - run.started) / width;
    row.bar.style.left = `${(100 * Math.min(Math.max(left, 0), 0.998)).toFixed(3)}%`;
    row.bar.style.width = `${(100 * Math.max(0, Math.min(length, 1 - Math.max(left, 0)))).toFixed(3)}%`;
    if (running(run)) row.took.textContent = duration(Math.max(0, this.store.end(run) - run.started));
  }

  #drawAxis() {
    if (!this.axis) return;
    const width = this.#last - this.#first;
    const marks = this.axis.querySelectorAll("span");
    for (let place = 0; place < 4; place++) {
      let mark = /** @type {HTMLElement | undefined} */ (marks[place]);
      if (!mark) {
        mark = element("span");
        mark.style.left = `${place * 25}%`;
        this.axis.append(mark);
      }
      const at = this.#first + (width * place) / 4;
      const text = this.#elapsed ? (place ? duration(at) : "0") : place ? `+${duration(at - this.#first)}` : clock(at, width < 10);
      if (mark.textContent !== text) mark.textContent = text;
    }
  }

  /** Let what goes on grow, ten times a second at most. */
  #grow() {
    let before = 0;
    const step = (/** @type {number} */ time) => {
      if (time - before > (quiet.matches ? 1000 : 100)) {
        before = time;
        const lines = [...this.#rows.keys()].map((number) => this.#lines[this.#places.get(number) ?? -1]);
        if (lines.some((line) => line && running(line.run))) this.draw();
      }
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  // -- pointer and keyboard -------------------------------------------------------------------------

  /** @param {Event} event */
  #line(event) {
    const row = event.target instanceof Element ? event.target.closest("[data-number]") : null;
    const place = row instanceof HTMLElement ? this.#places.get(Number(row.dataset.number)) : undefined;
    return place === undefined ? undefined : this.#lines[place];
  }

  /** @param {MouseEvent} event */
  #click(event) {
    const line = this.#line(event);
    if (!line) return;
    this.#active = line.run.number;
    if (event.target instanceof Element && event.target.closest(".twist") && line.inside) this.tell.toggle(line.run, !line.open);
    else this.tell.select(line.run, false);
    this.#rows.get(line.run.number)?.element.focus({ preventScroll: true });
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const line = this.#line(event);
    if (!line || event.altKey || event.ctrlKey || event.metaKey) return;
    const place = /** @type {number} */ (this.#places.get(line.run.number));
    const page = Math.max(1, Math.floor(this.grid.clientHeight / this.height) - 2);
    const steps = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: this.#lines.length - 1, PageDown: place + page, PageUp: place - page };
    if (event.key in steps) this.focus(steps[/** @type {keyof typeof steps} */ (event.key)]);
    else if (event.key === "ArrowRight" && line.inside && !line.open) this.tell.toggle(line.run, true);
    else if (event.key === "ArrowRight" && line.inside) this.focus(place + 1);
    else if (event.key === "ArrowLeft" && line.open) this.tell.toggle(line.run, false);
    else if (event.key === "ArrowLeft" && line.run.parent) this.focus(this.#places.get(line.run.parent) ?? place);
    else if (event.key === "Enter" || event.key === " ") this.tell.select(line.run, event.key === "Enter");
    else if (!event.key.startsWith("Arrow")) return;
    event.preventDefault();
  }

  /** Go to a line, and show it. @param {number} [place] */
  focus(place = this.#places.get(this.#active ?? -1) ?? 0) {
    const line = this.#lines[Math.max(0, Math.min(place, this.#lines.length - 1))];
    if (!line) return;
    this.#active = line.run.number;
    this.reveal(line.run.number);
    this.draw();
    this.#rows.get(line.run.number)?.element.focus({ preventScroll: true });
  }

  /** @param {number} number */
  reveal(number) {
    const place = this.#places.get(number);
    if (place === undefined) return;
    const height = this.height;
    const top = place * height;
    const room = this.grid.clientHeight - 28 - height;
    if (top < this.grid.scrollTop) this.grid.scrollTop = top;
    else if (top > this.grid.scrollTop + room) this.grid.scrollTop = top - room;
  }
}

/** One line's elements; only what differs is written. */
class Row {
  #shown = "";

  constructor() {
    this.element = element("div", "grid-line grid-row");
    this.element.setAttribute("role", "row");
    this.name = element("span", "name");
    this.name.setAttribute("role", "gridcell");
    this.took = element("span", "took");
    this.took.setAttribute("role", "gridcell");
    this.track = element("span", "track");
    this.track.setAttribute("role", "gridcell");
    this.bar = element("span", "time-bar");
    this.track.append(this.bar);
    this.element.append(this.name, this.took, this.track);
  }

  /** @param {Line} line @param {number} place @param {number} height @param {boolean} selected @param {boolean} active */
  draw(line, place, height, selected, active) {
    const { run } = line;
    this.element.style.transform = `translateY(${place * height}px)`;
    this.element.tabIndex = active ? 0 : -1;
    const key = JSON.stringify([run, line.depth, line.inside, line.open, line.around, line.place, line.of, place, selected]);
    if (key === this.#shown) return;
    this.#shown = key;
    const outcome = run.outcome ?? "running";
    this.element.className = `grid-line grid-row${line.depth ? "" : " root"}${line.around ? " around" : ""}${run.outcome === "error" ? " failed" : ""}`;
    const told = { "aria-level": line.depth + 1, "aria-posinset": line.place, "aria-setsize": line.of, "aria-rowindex": place + 2, "aria-selected": selected };
    for (const [name, value] of Object.entries(told)) this.element.setAttribute(name, String(value));
    if (line.inside) this.element.setAttribute("aria-expanded", String(line.open));
    else this.element.removeAttribute("aria-expanded");
    this.#drawName(line, outcome);
    if (run.duration !== undefined) this.took.textContent = duration(run.duration);
    this.bar.className = `time-bar k-${run.kind} ${outcome === "error" ? "failed" : outcome}`;
    this.#drawLead(run);
  }

  /** @param {Line} line @param {string} outcome */
  #drawName(line, outcome) {
    const { run } = line;
    const indent = element("span", "indent");
    indent.style.width = `${Math.min(line.depth, 12) * 16}px`;
    const twist = element("span", "twist");
    const dot = element("i", `dot k-${run.kind}`);
    const name = element("b");
    name.textContent = run.path?.length && run.path[run.path.length - 1] !== run.name ? `${run.path[run.path.length - 1]} · ${run.name}` : run.name;
    const what = element("span", "what");
    what.textContent = about(run);
    this.name.replaceChildren(indent, twist, dot, name);
    if (outcome === "running") this.name.append(element("span", "pulse"));
    this.name.append(what);
    const spoken = element("span", "hidden-text");
    spoken.textContent = `${run.kind}, ${outcome}`;
    this.name.append(spoken);
  }

  /** Show what the time before the first chunk, or in a queue, was of it. @param {Run} run */
  #drawLead(run) {
    const lead = run.kind === "Serving" ? run.attributes?.queue_time : run.time_to_first_chunk;
    const part = typeof lead === "number" && run.duration ? lead / run.duration : 0;
    if (part > 0.01 && part < 1) {
      this.bar.dataset.lead = "";
      this.bar.style.setProperty("--lead", `${(100 * part).toFixed(1)}%`);
    } else delete this.bar.dataset.lead;
  }
}

/** @param {Run} run */
function about(run) {
  const said = [];
  if (run.error) said.push(run.error);
  else if (run.outcome && run.outcome !== "ok") said.push(run.outcome);
  if (run.output_tokens) said.push(`${compact(run.output_tokens)} tokens`);
  else if (run.chunks) said.push(`${compact(run.chunks)} chunks`);
  if (run.waiting) said.push(`${compact(run.waiting)} waiting`);
  if (run.kind === "Batch" && run.attributes?.batch_size) said.push(run.attributes.batch_size === 1 ? "1 item" : `${run.attributes.batch_size} items`);
  if (run.type && run.type !== run.name) said.push(run.type);
  for (const [key, value] of Object.entries(run.parent ? {} : run.metadata ?? {})) said.push(`${key}=${value}`);
  if (run.dropped_children) said.push(`${compact(run.dropped_children)} inside dropped`);
  return said.join(" · ");
}
