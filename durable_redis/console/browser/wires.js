/* The wires, and the messages that glide along them.
 *
 * The law of this file: what a wire or a message is comes from the still, where it stands from the routes.  Both are kept
 * from step to step and moved, so that they glide; what can be clicked can be focused.
 */

const GLIDE_MS = 320;
const STILL = matchMedia("(prefers-reduced-motion: reduce)");
const MOST_ON_A_WIRE = 3; // so many messages are drawn one by one

function place(group, [x, y]) { group.style.transform = `translate(${x}px, ${y}px)`; }
/** Words on a wire, which is interrupted for them. */
function tag(x, y, words, anchor, tone) {
  const wide = 8 + 7 * words.length, begin = { start: x - 4, middle: x - wide / 2, end: x - wide + 4 }[anchor];
  return [make("rect", { class: "dr-gap", x: begin, y: y - 8, width: wide, height: 16, rx: 8 }),
    text(x, y + 4, words, { class: `dr-words ${tone}`, "text-anchor": anchor })];
}

/** One node alone: the messages of each wire in a row, counted from the sender of the first, whichever way they go; where they
 * would lie upon one another, the oldest stands for all. */
function byWire(messages) {
  const wires = new Map();
  for (const message of messages) {
    const wire = [message.from, message.to].sort().join();
    wires.set(wire, [...(wires.get(wire) ?? []), message]);
  }
  return [...wires.values()].flatMap((all) => all.length > MOST_ON_A_WIRE ? [{ ...all[0], label: `${all.length} messages` }]
    : all.map((message, rank) => ({ ...message, rank: message.from === all[0].from ? rank : all.length - 1 - rank, among: all.length })));
}

class Wires {
  constructor(stage) {
    this.stage = stage;
    this.below = make("g");
    this.above = make("g");
    this.clear();
  }
  clear() {
    this.wires = new Map();
    this.messages = new Map();
    this.below.replaceChildren();
    this.above.replaceChildren();
  }

  // -- wires ----------------------------------------------------------------------------------------------------------

  paint({ film, wires, messages }, forward) {
    const busy = new Set(messages.flatMap(({ from, to }) => [`${from} ${to}`, `${to} ${from}`]));
    const now = new Set(wires.map(({ from, to }) => `${from} ${to}`));
    for (const [key, group] of this.wires) if (!now.has(key)) { this.wires.delete(key); group.remove(); }
    for (const wire of wires) this.paintWire(film, wire, busy.has(`${wire.from} ${wire.to}`));
    this.paintMessages(film, film.many ? messages : byWire(messages), now, forward);
  }
  paintWire(film, wire, busy) {
    const { from, to, kind, state, words } = wire, key = `${from} ${to}`, points = wayOf(film.room, from, to);
    if (!points.length) return;
    if (!this.wires.has(key)) this.wires.set(key, this.wire(film, wire, points));
    const group = this.wires.get(key), shown = [state, kind, words, busy].join();
    if (group.dataset.shown === shown) return;
    Object.assign(group.dataset, { shown, state, kind });
    group.setAttribute("aria-label", `the wire between ${from} and ${to}, ${words || state}. Press Enter to act on it.`);
    group.querySelectorAll(".dr-gap, .dr-words").forEach((part) => part.remove());
    if (!words) return;
    const { at: [x, y], where } = spotOn(points), tone = words.startsWith("+") ? "soft" : "wrong";
    if (busy && where !== "above") group.append(...tag(x + 26, y + (where === "right" ? 20 : 0), words, "start", tone));
    else if (busy) group.append(text(x, y + 21, words, { class: `dr-words ${tone}`, "text-anchor": "middle" }));
    else group.append(...tag(x, y, words, "middle", tone));
  }
  wire(film, { from, to }, points) {
    const d = pathOf(points), group = make("g", { class: "dr-wire-group", "data-wire": `${from} ${to}` }, make("path", { class: "dr-wire", d }));
    if (film.many && film.crowd !== from) {
      group.append(make("path", { class: "dr-finger", d })); // what a finger can hit
      this.stage.opens(group, () => ({ menu: "wire", name: from, other: to, title: `what happens between ${from} and ${to}?`, at: spotOn(points).at }));
    }
    this.below.append(group);
    return group;
  }

  // -- messages -------------------------------------------------------------------------------------------------------

  /** A new message glides from its sender to the middle of the wire, one that arrived on to its target. */
  paintMessages(film, messages, wires, forward) {
    const now = new Set(messages.map(({ number }) => number)), ways = new Set(messages.map(({ from, to }) => `${from} ${to}`));
    for (const [number, shown] of this.messages) {
      if (now.has(number)) continue;
      this.messages.delete(number);
      shown.way?.remove();
      if (!forward || STILL.matches) { shown.group.remove(); continue; }
      shown.group.classList.add("leaving");
      place(shown.group, shown.to);
      setTimeout(() => shown.group.remove(), GLIDE_MS);
    }
    messages.forEach(({ rank, among, ...message }) => {
      const points = wayOf(film.room, message.from, message.to);
      if (!points.length) return;
      const both = ways.has(`${message.to} ${message.from}`), spot = { ...spotOn(points), ...directions(points) };
      const at = film.many ? (both ? moved(spot) : spot.at) : along(points, 0.5 + (among > 1 ? (rank - (among - 1) / 2) * Math.min(0.24, 0.8 / among) : 0));
      const shown = this.messages.get(message.number) ?? this.appear(message, points, forward ? points[0] : at);
      place(shown.group, at);
      shown.way?.remove();
      shown.way = undefined;
      if (film.many && !wires.has(`${message.from} ${message.to}`) && !wires.has(`${message.to} ${message.from}`)) {
        shown.way = make("path", { class: "dr-way", d: pathOf(points) }); // a word between two without a wire
        this.below.append(shown.way);
      }
      if (film.many) labelMany(shown.group, message, spot, both);
      else labelOne(shown.group, message, points);
      this.holdMark(shown.group, message);
    });
  }
  appear(message, points, begin) {
    const shown = { group: this.message(message), to: points.at(-1) };
    this.messages.set(message.number, shown);
    place(shown.group, begin);
    this.above.append(shown.group);
    if (!STILL.matches) shown.group.getBoundingClientRect(); // so that the glide begins where the message is
    return shown;
  }
  message({ number }) {
    const [x, y] = this.stage.console.film.many ? [20, 14] : [34, 26]; // what a finger can hit; beside it, the wire
    const group = make("g", { class: "dr-message", "data-message": number, tabindex: 0, role: "button" },
      make("rect", { x: -x, y: -y, width: 2 * x, height: 2 * y, fill: "transparent" }),
      make("g", { class: "dr-beside" }), make("rect", { class: "dr-dot", x: -7, y: -7, width: 14, height: 14, rx: 7 }),
      text(0, -14, "", { class: "dr-label" }), text(0, 3.5, "", { class: "dr-count" }), text(0, 22, "", { class: "soft dr-held" }));
    pressable(group, () => this.stage.console.act(group.dataset.held === "true" ? "release" : "hold", [number]));
    return group;
  }
  holdMark(group, { number, label, held, count }) {
    group.dataset.held = held;
    group.querySelector(".dr-dot").setAttribute("rx", held ? 1 : 7); // held: a square
    const what = count > 1 ? `${count} messages, ${label}, the oldest of them number ${number}` : `message ${number}, ${label}`;
    group.setAttribute("aria-label", `${what}${held ? ", held" : ""}. Press Enter to ${held ? "release" : "hold"} it.`);
  }
}

function labelOne(group, { label, held }, points) {
  group.querySelector(".dr-label").textContent = points.at(-1)[0] < points[0][0] ? `← ${label}` : `${label} →`;
  group.querySelector(".dr-held").textContent = held ? "held" : "";
}
const directions = (points) => ({ rightwards: points.at(-1)[0] > points[0][0], downwards: points.at(-1)[1] > points[0][1] });
/** Of two messages that meet, each is nearer to its sender. */
function moved({ at: [x, y], where, rightwards, downwards }) {
  return where === "right" ? [x, downwards ? y - 10 : y + 10] : [rightwards ? x - 16 : x + 16, y];
}
/** The number of messages stands in the dot, if there are several; the words where there is room. */
function labelMany(group, { label: told, held, count }, { where, rightwards, downwards }, both) {
  const arrow = where === "right" ? (downwards ? "↓" : "↑") : rightwards ? "→" : "←";
  const inside = count > 1 ? `${grouped(count)} ${arrow}` : "", name = told.replace(" to ", "-") + (held ? " (held)" : "");
  const words = inside ? name : arrow === "→" ? `${name} ${arrow}` : `${arrow} ${name}`, wide = 14 + 6 * Math.max(0, inside.length - 1);
  const [dot, label, beside] = [".dr-dot", ".dr-label", ".dr-beside"].map((part) => group.querySelector(part));
  dot.setAttribute("x", -wide / 2);
  dot.setAttribute("width", wide);
  group.querySelector(".dr-count").textContent = inside;
  beside.replaceChildren(...(where === "beside" ? tag(-wide / 2 - 8, 0, words, "end", "") : []));
  label.textContent = where === "beside" ? "" : words;
  label.setAttribute("x", where === "right" ? wide / 2 + 6 : 0);
  label.setAttribute("y", where === "right" ? 4 : both && !rightwards ? 20 : -11);
  label.style.textAnchor = where === "right" ? "start" : "middle";
}
