/* The scene: zones, nodes with their lanes, clients, and messages that glide along the wires.
 *
 * The law of this file: the boxes come from layout.py, the numbers from the film.  What can be clicked can be focused,
 * and answers to Enter and Space; a menu is left with Escape, and gives the focus back.
 */

const SHAPES = ["●", "◌", "✕", "✕"]; // the shape that goes with each state of a node
const GLIDE_MS = 320;
const STILL = matchMedia("(prefers-reduced-motion: reduce)");

const LIFT = [8, 30]; // so far above the cards run the wires between nodes: of neighbouring zones, and of those further apart
const MOST_ON_A_WIRE = 3; // so many messages are drawn one by one

/** The messages of each wire.  Where they would lie upon one another, the oldest stands for all of them. */
function byWire(messages) {
  const wires = new Map();
  for (const message of messages) {
    const wire = [message.from, message.to].sort().join();
    wires.set(wire, [...(wires.get(wire) ?? []), message]);
  }
  return [...wires.values()].map((many) => many.length > MOST_ON_A_WIRE ? [{ ...many[0], label: `${many.length} messages` }] : many);
}

function place(group, [x, y]) { group.style.transform = `translate(${x}px, ${y}px)`; }

class Stage {
  constructor(console_) {
    this.console = console_;
    this.root = make("div", { class: "dr-stage" });
    this.messages = new Map();
  }

  /** Draw what does not move; called when the room itself has changed. */
  build(film) {
    const { room } = film, shape = JSON.stringify([room, film.tiers]);
    if (shape === this.shape) return;
    this.shape = shape;
    this.messages.clear();
    this.nodes = {}; this.clients = {}; this.wires = [];
    this.svg = make("svg", { viewBox: `0 0 ${room.width} ${room.height}`, class: "dr-room" });
    for (const [zone, [x, y, width, height]] of Object.entries(room.zones)) {
      this.svg.append(make("rect", { class: "dr-zone", x, y, width, height, rx: 8 }),
        text(x + 14, y + 21, `zone ${zone}`, { class: "dr-zone-name" }));
    }
    this.svg.append(text(room.width - 14, 21, "click a node to crash it, a message to hold it", { class: "dr-hint", "text-anchor": "end" }));
    for (const client of Object.keys(room.clients)) this.wire(film, client, film.names[0]);
    this.layer = make("g");
    for (const name of Object.keys(room.clients)) this.svg.append(this.client(name, room.clients[name]));
    for (const name of film.names) this.svg.append(this.node(film, name, room.nodes[name]));
    this.svg.append(this.layer);
    this.menu = new Menu(this);
    this.root.replaceChildren(this.svg, this.menu.root);
  }

  /** Where a wire leaves the box of `name` towards the box of `other`. */
  port(room, name, other) {
    const [x, y, width, height] = room.nodes[name] ?? room.clients[name] ?? [0, 0, 0, 0];
    const [ox, oy, owidth] = room.nodes[other] ?? room.clients[other] ?? [0, 0, 0, 0];
    if (room.nodes[name] && room.nodes[other] && x !== ox) return [x + width / 2, Math.min(y, oy) - LIFT[Number(Math.abs(x - ox) > 1.5 * width)]];
    if (ox >= x + width) return [x + width, y + Math.min(height, 140) / 2];
    if (ox + owidth <= x) return [x, y + Math.min(height, 140) / 2];
    return oy > y ? [x + width / 2, y + height] : [x + width / 2, y];
  }
  wire(film, one, other) {
    const [x1, y1] = this.port(film.room, one, other), [x2, y2] = this.port(film.room, other, one);
    const line = make("line", { class: "dr-wire", x1, y1, x2, y2 });
    this.wires.push([line, one]);
    this.svg.append(line);
  }
  client(name, [x, y, width, height]) {
    const label = text(x + width / 2, y + height / 2 + 4, name, { "text-anchor": "middle" });
    const pill = make("g", { class: "dr-client", "data-client": name, tabindex: 0, role: "button", "aria-haspopup": "menu" },
      make("rect", { class: "dr-pill", x, y, width, height, rx: height / 2 }), label);
    this.clients[name] = { pill, label };
    this.opens(pill, () => ["client", name, [x + 20, y + height + 6]]);
    return pill;
  }
  node(film, name, [x, y, width, height]) {
    const part = { lanes: [], width: width - 190 };
    part.role = text(x + 14 + 9 * name.length + 8, y + 25, "", { class: "dr-role" });
    part.note = text(x + width - 14, y + 25, "", { class: "soft", "text-anchor": "end" });
    part.group = make("g", { class: "dr-node", "data-node": name, tabindex: 0, role: "button", "aria-haspopup": "menu" },
      make("rect", { class: "dr-card", x, y, width, height, rx: 8 }), text(x + 14, y + 25, name, { class: "dr-name" }),
      part.role, part.note);
    film.tiers.forEach(([words, letter], place) => {
      const top = y + 40 + 20 * place;
      const bar = make("rect", { class: `dr-bar dr-${letter}`, x: x + 124, y: top, width: 0, height: 12, rx: 2.5 });
      const count = text(x + width - 14, top + 10, "", { "text-anchor": "end" });
      part.group.append(text(x + 14, top + 10, words, { class: "soft" }),
        make("rect", { class: "dr-track", x: x + 124, y: top, width: part.width, height: 12, rx: 2.5 }), bar, count);
      part.lanes.push({ bar, count });
    });
    this.nodes[name] = part;
    this.opens(part.group, () => [String(part.state), name, x > 220 ? [x - 12, y - 8, "left"] : [x + 120, y + 36]]);
    return part.group;
  }
  opens(element, what) {
    pressable(element, () => { const [menu, name, at] = what(); this.menu.open(menu, name, at, element); });
  }

  paint(film, step, forward) {
    for (const [line, client] of this.wires) line.dataset.open = film.client(client, step) !== "not connected";
    for (const [name, { pill, label }] of Object.entries(this.clients)) {
      const words = film.client(name, step);
      label.textContent = words ? `${name} · ${words}` : name;
      pill.setAttribute("aria-label", `${label.textContent}. Press Enter to let it write.`);
    }
    const rows = film.names.map((name) => film.row(name, step));
    const full = Math.max(1, ...rows.flatMap((row) => [row.acknowledged, ...film.tiers.map((tier) => film.amount(row, tier[2]))]));
    film.names.forEach((name, place) => this.paintNode(film, name, rows[place], full, step));
    this.paintMessages(film, step, forward);
  }
  paintNode(film, name, row, full, step) {
    const part = this.nodes[name];
    part.state = row.state;
    part.group.dataset.state = row.state;
    const down = row.state > STARTING;
    const role = film.texts[down ? row.note : row.role], note = film.note(name, step);
    part.role.textContent = `${SHAPES[row.state]} ${role}`;
    part.note.textContent = note;
    const told = film.tiers.map(([words, , mark], lane) => {
      const amount = film.amount(row, mark), { bar, count } = part.lanes[lane];
      bar.setAttribute("width", Math.round((part.width * amount) / full));
      count.textContent = amount ? grouped(amount) : film.holds(row, mark) ? "empty" : "—";
      count.setAttribute("class", amount ? "" : "soft");
      return `${words} ${amount}`;
    });
    part.group.setAttribute("aria-label", `${name}, ${role}, ${note}. Writes: ${told.join(", ")}. Press Enter to act on it.`);
  }

  /** Messages glide: a new one from its sender to the middle of the wire, one that arrived on to its target. */
  paintMessages(film, step, forward) {
    const wires = byWire(film.messages(step)), now = new Set(wires.flat().map((message) => message.number));
    for (const [number, shown] of this.messages) {
      if (now.has(number)) continue;
      this.messages.delete(number);
      if (!forward || STILL.matches) { shown.group.remove(); continue; }
      shown.group.classList.add("leaving");
      place(shown.group, shown.to);
      setTimeout(() => shown.group.remove(), GLIDE_MS);
    }
    for (const messages of wires) messages.forEach((message, rank) => this.paintMessage(film, message, rank, messages.length, forward));
  }
  paintMessage(film, message, rank, many, forward) {
    const from = this.port(film.room, message.from, message.to), to = this.port(film.room, message.to, message.from);
    const part = 0.5 + (many > 1 ? (rank - (many - 1) / 2) * Math.min(0.24, 0.8 / many) : 0);
    const at = [from[0] + (to[0] - from[0]) * part, from[1] + (to[1] - from[1]) * part];
    let shown = this.messages.get(message.number);
    if (!shown) {
      shown = { group: this.message(message), to };
      this.messages.set(message.number, shown);
      place(shown.group, forward ? from : at);
      this.layer.append(shown.group);
      shown.group.getBoundingClientRect(); // so that the glide begins where the message is
    }
    place(shown.group, at);
    shown.group.querySelector(".dr-label").textContent = to[0] < from[0] ? `← ${message.label}` : `${message.label} →`;
    this.holdMark(shown.group, message);
  }
  message({ number }) {
    const group = make("g", { class: "dr-message", "data-message": number, tabindex: 0, role: "button" },
      make("rect", { x: -34, y: -26, width: 68, height: 52, fill: "transparent" }), // what a finger can hit
      make("rect", { class: "dr-dot", x: -7, y: -7, width: 14, height: 14, rx: 7 }),
      text(0, -14, "", { class: "dr-label" }), text(0, 22, "", { class: "soft dr-held" }));
    pressable(group, () => this.console.act(group.dataset.held === "true" ? "release" : "hold", [number]));
    return group;
  }
  holdMark(group, { number, label, held }) {
    group.dataset.held = held;
    group.querySelector(".dr-dot").setAttribute("rx", held ? 1 : 7); // held: a square
    group.querySelector(".dr-held").textContent = held ? "held" : "";
    group.setAttribute("aria-label", `message ${number}, ${label}${held ? ", held" : ""}. Press Enter to ${held ? "release" : "hold"} it.`);
  }
}
class Menu {
  constructor(stage) {
    this.stage = stage;
    this.root = make("div", { class: "dr-menu", role: "menu", hidden: "" });
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.root.addEventListener("focusout", (event) => { if (!this.root.contains(event.relatedTarget)) this.close(); });
  }
  open(menu, name, [x, y, side], opener) {
    const entries = this.stage.console.model.get("menus")[menu] ?? [];
    this.opener = opener;
    const items = entries.map((act) => {
      const item = button(act.words, () => { this.close(true); this.stage.console.act(act.verb, bound(act, name)); },
        { role: "menuitem", tabindex: -1, "data-act": act.words, "data-harm": act.harm });
      item.addEventListener("pointerenter", () => item.focus({ preventScroll: true })); // one of them is marked, not two
      return item;
    });
    const first = entries.findIndex((act) => !act.harm && entries[0].harm);
    if (first > 0) items.splice(first, 0, make("hr"));
    this.root.replaceChildren(make("p", {}, menu === "client" ? `let ${name} …` : `what happens to ${name}?`), ...items);
    const scale = this.stage.svg.getBoundingClientRect().width / this.stage.svg.viewBox.baseVal.width;
    this.root.setAttribute("aria-label", `act on ${name}`);
    this.root.hidden = false;
    this.root.style.left = `${Math.max(0, x * scale - (side === "left" ? this.root.offsetWidth : 0))}px`;
    this.root.style.top = `${y * scale}px`;
    this.root.querySelector("button")?.focus({ preventScroll: true });
  }
  close(focus = false) {
    if (this.root.hidden) return;
    this.root.hidden = true;
    if (focus) this.opener?.focus({ preventScroll: true });
  }
  key(event) {
    const items = [...this.root.querySelectorAll("button")], at = items.indexOf(event.target);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
    if (event.key === "Escape") this.close(true);
    else if (to !== undefined) items[(to + items.length) % items.length].focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
