/* The wires, and the messages that glide along them.
 *
 * The law of this file: what a wire or a message is comes from the still, where it stands from the routes.  Both are kept
 * from step to step and moved, so that they glide; what can be clicked can be focused.
 */

const GLIDE_MS = 320;
const STILL = matchMedia("(prefers-reduced-motion: reduce)");
const MOST_ON_A_WIRE = 3; // so many messages are drawn one by one
const BESIDE = 4; // a way with more corners runs through a channel: there is room for words beside, and none above

function place(group, [x, y]) { group.style.transform = `translate(${x}px, ${y}px)`; }
/** Words on a wire, which is interrupted for them. */
function tag(x, y, words, anchor, tone) {
  const wide = 8 + 7 * words.length, begin = { start: x - 4, middle: x - wide / 2, end: x - wide + 4 }[anchor];
  return [make("rect", { class: "dr-gap", x: begin, y: y - 8, width: wide, height: 16, rx: 8 }),
    text(x, y + 4, words, { class: `dr-words ${tone}`, "text-anchor": anchor })];
}

/** One node alone: the messages of each wire in a row; where they would lie upon one another, the oldest stands for all. */
function byWire(messages) {
  const wires = new Map();
  for (const message of messages) {
    const wire = [message.from, message.to].sort().join();
    wires.set(wire, [...(wires.get(wire) ?? []), message]);
  }
  return [...wires.values()].flatMap((all) => all.length > MOST_ON_A_WIRE ? [{ ...all[0], label: `${all.length} messages` }]
    : all.map((message, rank) => ({ ...message, rank, among: all.length })));
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
    const [x, y] = along(points, middleOf(points)), tone = words.startsWith("+") ? "soft" : "wrong";
    if (busy && points.length > 2) group.append(...tag(x + 26, y, words, "start", tone));
    else if (busy) group.append(text(x, y + 21, words, { class: `dr-words ${tone}`, "text-anchor": "middle" }));
    else group.append(...tag(x, y, words, "middle", tone));
  }
  wire(film, { from, to }, points) {
    const d = pathOf(points), group = make("g", { class: "dr-wire-group", "data-wire": `${from} ${to}` }, make("path", { class: "dr-wire", d }));
    if (film.many && film.crowd !== from) {
      group.append(make("path", { class: "dr-finger", d })); // what a finger can hit
      this.stage.opens(group, () => ({ menu: "wire", name: from, other: to, title: `what happens between ${from} and ${to}?`, at: along(points, middleOf(points)) }));
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
      const spread = among > 1 ? (rank - (among - 1) / 2) * Math.min(0.24, 0.8 / among) : 0;
      const both = ways.has(`${message.to} ${message.from}`);
      const part = film.many ? middleOf(points) - (both ? 0.12 : 0) : 0.5 + spread, at = along(points, part);
      const shown = this.messages.get(message.number) ?? this.appear(message, points, forward ? points[0] : at);
      place(shown.group, at);
      shown.way?.remove();
      shown.way = undefined;
      if (film.many && !wires.has(`${message.from} ${message.to}`) && !wires.has(`${message.to} ${message.from}`)) {
        shown.way = make("path", { class: "dr-way", d: pathOf(points) }); // a word between two without a wire
        this.below.append(shown.way);
      }
      if (film.many) labelMany(shown.group, message, points, both);
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
    const group = make("g", { class: "dr-message", "data-message": number, tabindex: 0, role: "button" },
      make("rect", { x: -34, y: -26, width: 68, height: 52, fill: "transparent" }), // what a finger can hit
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
/** The number of messages stands in the dot, if there are several; the words above it, or where there is more room. */
function labelMany(group, { label: told, held, count }, points, both) {
  const [x1, y1] = points[0], [x2, y2] = points.at(-1), upright = x1 === x2 && points.length === 2, leftwards = x2 < x1;
  const arrow = upright ? (y2 > y1 ? "↓" : "↑") : leftwards ? "←" : "→";
  const inside = count > 1 ? `${grouped(count)} ${arrow}` : "", name = told.replace(" to ", "-") + (held ? " (held)" : "");
  const words = inside ? name : upright || leftwards ? `${arrow} ${name}` : `${name} ${arrow}`;
  const wide = 14 + 6 * Math.max(0, inside.length - 1), label = group.querySelector(".dr-label"), beside = group.querySelector(".dr-beside");
  const dot = group.querySelector(".dr-dot");
  dot.setAttribute("x", -wide / 2);
  dot.setAttribute("width", wide);
  group.querySelector(".dr-count").textContent = inside;
  const inChannel = points.length > BESIDE;
  beside.replaceChildren(...(inChannel ? tag(-wide / 2 - 8, 0, words, "end", "") : []));
  label.textContent = inChannel ? "" : words;
  label.setAttribute("x", upright ? wide / 2 + 6 : 0);
  label.setAttribute("y", upright ? 4 : leftwards && both ? 20 : -11);
  label.style.textAnchor = upright ? "start" : "middle";
}
