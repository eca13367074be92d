// The numbers at the top, and how often which time was taken.

import { compact, dollars, duration, short } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";

export class Figures {
  /** @type {[number, number][]} when there were how many runs */ #seen = [];

  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
  }

  /** @param {string} name @param {string} text */
  #say(name, text) {
    const place = this.root.querySelector(`[data-figure="${name}"]`);
    if (place && place.textContent !== text) place.textContent = text;
    return place;
  }

  /** @param {any} totals @param {number} now */
  draw(totals, now) {
    this.#seen.push([now, totals.runs]);
    while (this.#seen.length > 2 && now - this.#seen[0][0] > 5) this.#seen.shift();
    const [then, before] = this.#seen[0];
    const rate = now > then ? (totals.runs - before) / (now - then) : 0;
    this.#say("running", compact(totals.running));
    this.#say("runs", compact(totals.runs));
    this.#say("rate", rate > 0.05 ? `${short(rate)}/s` : "");
    this.#say("failed", compact(totals.ended.error))?.classList.toggle("failing", totals.ended.error > 0);
    this.#say("tokens", compact(totals.output_tokens));
    this.#say("cost", dollars(totals.cost));
    for (const [name, histogram] of Object.entries(totals.histograms)) this.#histogram(name, histogram);
  }

  /** @param {string} name @param {any} histogram */
  #histogram(name, histogram) {
    const figure = this.root.querySelector(`[data-histogram="${name}"]`);
    if (!(figure instanceof HTMLElement) || !histogram.count || figure.dataset.count === String(histogram.count)) return;
    figure.dataset.count = String(histogram.count);
    figure.hidden = false;
    const say = name === "tokens_per_second" ? short : duration;
    const label = figure.querySelector("figcaption span")?.textContent;
    const quantiles = `median ${say(histogram.p50)}, 95 % ${say(histogram.p95)}`;
    const words = { "[data-median]": `median ${say(histogram.p50)}`, "[data-p95]": `p95 ${say(histogram.p95)}`, "[data-low]": say(histogram.bins[0][0]), "[data-high]": say(histogram.bins.at(-1)[1]) };
    for (const [place, text] of Object.entries(words)) /** @type {Element} */ (figure.querySelector(place)).textContent = text;
    const svg = /** @type {SVGElement} */ (figure.querySelector("svg"));
    svg.setAttribute("aria-label", `${label}: ${compact(histogram.count)} counted, ${quantiles}`);
    this.#bars(svg, histogram.bins);
  }

  /** @param {SVGElement} svg @param {[number, number, number][]} bins */
  #bars(svg, bins) {
    const most = Math.max(...bins.map((bin) => bin[2]));
    const slots = Math.max(bins.length, 6);
    const width = 240 / slots;
    while (svg.childElementCount < bins.length) svg.append(document.createElementNS(SVG, "rect"));
    while (svg.childElementCount > bins.length) svg.lastElementChild?.remove();
    bins.forEach(([, , amount], place) => {
      const height = amount ? Math.max(2, (44 * amount) / most) : 0;
      const values = { x: (place + (slots - bins.length) / 2) * width + 0.75, y: 44 - height, width: width - 1.5, height };
      for (const [key, value] of Object.entries(values)) svg.children[place].setAttribute(key, value.toFixed(2));
    });
  }
}
