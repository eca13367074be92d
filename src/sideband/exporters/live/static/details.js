// One run: what the server has made of it, and while it goes on what its stream gives.
//
// The page's part comes from the server, escaped there; what is added here is text and nothing else.

import { element } from "./tree.js";
import { duration } from "./words.js";

const PAUSE = 200; // ms between two questions

export class Details {
  /** @type {string | undefined} */ #id;
  #asked = 0;
  #busy = false;
  #again = false;

  /** @param {HTMLElement} panel @param {string} root @param {{select: (id: string) => void, close: () => void}} tell */
  constructor(panel, root, tell) {
    this.panel = panel;
    this.root = root;
    panel.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || !(event.target instanceof Element)) return;
      const link = event.target.closest("a[data-run]");
      if (event.target.closest(".close")) tell.close();
      else if (link instanceof HTMLElement && link.dataset.run) {
        event.preventDefault();
        tell.select(link.dataset.run);
      }
    });
    panel.addEventListener("keydown", (event) => {
      if (event.key === "Escape") tell.close();
    });
  }

  get id() {
    return this.#id;
  }

  /** Show a run, or nothing. @param {string | undefined} id @param {boolean} [focus] */
  async show(id, focus = false) {
    this.#id = id;
    this.panel.hidden = id === undefined;
    if (id === undefined) {
      this.panel.replaceChildren();
      return;
    }
    await this.#load(id);
    if (focus && this.#id === id) this.panel.focus();
  }

  /** The run has changed. @param {boolean} ended */
  changed(ended) {
    if (this.#id === undefined) return;
    if (this.#busy) this.#again = true;
    else if (ended) void this.#load(this.#id);
    else void this.#follow(this.#id);
  }

  /** @param {string} id */
  async #load(id) {
    const asked = ++this.#asked;
    const response = await fetch(`${this.root}/runs/${id}?part=1`).catch(() => undefined);
    if (!response || asked !== this.#asked || this.#id !== id) return;
    const scrolled = this.panel.dataset.id === id ? this.panel.scrollTop : 0;
    const parts = response.ok ? new DOMParser().parseFromString(await response.text(), "text/html").body.childNodes : [gone()];
    const focused = this.panel.contains(document.activeElement) && this.panel.dataset.id === id;
    this.panel.dataset.id = id;
    this.panel.replaceChildren(closeButton(), ...parts);
    this.panel.scrollTop = scrolled;
    if (focused) this.panel.focus({ preventScroll: true });
  }

  /** Add what came since. @param {string} id */
  async #follow(id) {
    const stream = this.panel.querySelector("#stream");
    const events = this.panel.querySelector("#events");
    const head = this.panel.querySelector(".run-head");
    if (!(head instanceof HTMLElement) || head.dataset.id !== id) return;
    this.#busy = true;
    const place = (/** @type {Element | null} */ one) => (one instanceof HTMLElement ? one.dataset.next ?? "0" : "0");
    const address = `${this.root}/runs/${id}/chunks.json?chunk=${place(stream)}&event=${place(events)}`;
    const told = await fetch(address).then((response) => (response.ok ? response.json() : undefined)).catch(() => undefined);
    await new Promise((done) => setTimeout(done, PAUSE));
    this.#busy = false;
    if (!told || this.#id !== id || !head.isConnected) return;
    const lacks = (told.chunks.length && !stream) || (told.events.length && !events);
    if (told.ended || told.missed || lacks) {
      await this.#load(id);
    } else {
      if (stream instanceof HTMLElement) addChunks(stream, told);
      if (events instanceof HTMLElement) addEvents(events, told);
      /** @type {HTMLElement} */ (head.querySelector("[data-elapsed]")).textContent = duration(told.elapsed);
      const count = this.panel.querySelector("[data-chunks]");
      if (count) count.textContent = told.next.toLocaleString("en-GB");
    }
    if (this.#again) {
      this.#again = false;
      this.changed(false);
    }
  }
}

/** @param {HTMLElement} stream @param {any} told */
function addChunks(stream, told) {
  const atEnd = stream.scrollTop + stream.clientHeight >= stream.scrollHeight - 8;
  for (const [, text, written] of told.chunks) {
    if (text === null) continue;
    if (written) stream.append(text);
    else {
      const piece = element("span", "piece");
      piece.textContent = text;
      stream.append(piece);
    }
  }
  stream.dataset.next = String(told.next);
  if (atEnd) stream.scrollTop = stream.scrollHeight;
}

/** @param {HTMLElement} events @param {any} told */
function addEvents(events, told) {
  for (const [elapsed, name, payload] of told.events) {
    const item = element("li");
    const when = element("span", "quiet num");
    when.textContent = duration(elapsed);
    const what = element("strong");
    what.textContent = name;
    item.append(when, " ", what);
    if (payload) {
      const text = element("pre");
      text.textContent = payload;
      item.append(" ", text);
    }
    events.append(item);
  }
  events.dataset.next = String(told.next_event);
}

function closeButton() {
  const button = element("button", "icon close");
  button.setAttribute("type", "button");
  button.setAttribute("aria-label", "Close");
  button.textContent = "✕";
  return button;
}

function gone() {
  const note = element("p", "empty");
  note.textContent = "This run is no longer kept: it was dropped to make room for later ones.";
  return note;
}
