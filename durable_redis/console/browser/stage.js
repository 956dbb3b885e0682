/* The scene: zones, servers with their lanes, sentinels and an endpoint, clients; on it the wires.
 *
 * The law of this file: the boxes come from layout.py, everything else from the still.  What can be clicked can be focused,
 * and answers to Enter and Space.
 */

const HALO = 5;
const LONGEST_WORDS = 130;
const TONES = ["calm", "worried", "acting"];
const HINT = "click a node to crash it, a message to hold it";
const HINT_OF_MANY = "click a node to crash it, a wire to cut it, a message to hold it, a zone to darken it";

class Stage {
  constructor(console_) {
    this.console = console_;
    this.root = make("div", { class: "dr-stage" });
    this.wires = new Wires(this);
  }

  /** Draw what does not move; called when the room itself has changed. */
  build(film) {
    const { room } = film, shape = JSON.stringify([room, film.tiers]);
    if (shape === this.shape) return;
    this.shape = shape;
    this.troubled = undefined;
    this.room = room;
    this.boxes = { ...room.nodes, ...room.controls, ...room.clients };
    this.nodes = {}; this.clients = {}; this.controls = {}; this.zones = {};
    this.wires.clear();
    this.islands = make("g");
    this.svg = make("svg", { viewBox: `0 0 ${room.width} ${room.height}`, class: "dr-room" });
    for (const [zone, box] of Object.entries(room.zones)) this.svg.append(this.zone(film, zone, box));
    if (room.band.length) {
      const [words, [x, y, width, height]] = room.band;
      this.svg.append(make("rect", { class: "dr-pill", x, y, width, height, rx: 10 }), text(x + 14, y + 18, words, { class: "dr-short-name" }));
    }
    this.foot = text(...(film.many ? [0, room.height - 6] : [room.width - 14, 21]), HINT, { class: "dr-hint", "text-anchor": film.many ? "start" : "end" });
    this.svg.append(this.foot, this.islands, this.wires.below);
    for (const name of Object.keys(room.clients)) this.svg.append(this.client(name, room.clients[name]));
    for (const name of film.watchers) this.svg.append(this.control(name, room.controls[name]));
    for (const name of film.names) this.svg.append(this.node(film, name, room.nodes[name]));
    this.svg.append(this.wires.above);
    this.menu = new Menu(this);
    this.root.replaceChildren(this.svg, this.menu.root);
  }
  opens(element, target) {
    for (const [name, value] of Object.entries({ tabindex: 0, role: "button", "aria-haspopup": "menu" })) element.setAttribute(name, value);
    pressable(element, () => this.menu.open(target(), element));
  }

  // -- boxes ----------------------------------------------------------------------------------------------------------

  zone(film, zone, [x, y, width, height]) {
    const cut = make("tspan", { class: "dr-wrong", dx: 10 }), name = text(x + 14, y + 21, `zone ${zone}`, { class: "dr-zone-name" });
    name.append(cut);
    const group = make("g", { class: "dr-zone-group", "data-zone": zone }, make("rect", { class: "dr-zone", x, y, width, height, rx: 8 }), name);
    this.zones[zone] = { group, cut };
    if (film.many) {
      group.setAttribute("aria-label", `zone ${zone}. Press Enter to act on all of it.`);
      this.opens(group, () => ({ ...zoneTarget(film, zone), at: [x + 14, y + 28] }));
    }
    return group;
  }
  client(name, [x, y, width, height]) {
    const label = text(x + width / 2, y + height / 2 + 4, name, { "text-anchor": "middle" });
    const pill = make("g", { class: "dr-client", "data-client": name },
      make("rect", { class: "dr-pill", x, y, width, height, rx: height / 2 }), label);
    this.clients[name] = { pill, label };
    this.opens(pill, () => ({ menu: "client", name, title: `let ${name} …`, at: [x + 20, y + height + 6] }));
    return pill;
  }
  control(name, box) {
    const [x, y, width, height] = box, part = { title: make("tspan", { dx: 7 }), belief: text(x + 10, y + 31, "", { class: "dr-belief" }) };
    const words = text(x + 10, y + 16, name, { class: "dr-short-name" });
    words.append(part.title);
    part.group = make("g", { class: "dr-control", "data-control": name }, make("rect", { class: "dr-card", x, y, width, height, rx: 8 }), words, part.belief);
    this.controls[name] = part;
    this.opens(part.group, () => this.looked({ menu: menuOf(name, part.state), name, group: [name], title: `what happens to ${name}?`, box }));
    return part.group;
  }
  node(film, name, box) {
    const [x, y, width, height] = box, [begin, beside, first] = film.room.lane, part = { lanes: [], wide: width, width: width - begin - beside };
    part.role = text(x + 14 + 9 * name.length + 8, y + 25, "", { class: "dr-role" });
    part.note = text(x + width - 14, y + 25, "", { class: "soft", "text-anchor": "end" });
    part.detail = text(x + 14, y + 43, "", { class: "soft" });
    part.group = make("g", { class: "dr-node", "data-node": name }, make("rect", { class: "dr-card", x, y, width, height, rx: 8 }),
      text(x + 14, y + 25, name, { class: "dr-name" }), part.role, part.note, part.detail);
    film.tiers.forEach(([words, letter], lane) => {
      const top = y + first + 20 * lane;
      const bar = make("rect", { class: `dr-bar dr-${letter}`, x: x + begin, y: top, width: 0, height: 12, rx: 2.5 });
      const count = text(x + width - 14, top + 10, "", { "text-anchor": "end" });
      part.group.append(text(x + 14, top + 10, words, { class: "soft" }),
        make("rect", { class: "dr-track", x: x + begin, y: top, width: part.width, height: 12, rx: 2.5 }), bar, count);
      part.lanes.push({ bar, count });
    });
    this.nodes[name] = part;
    this.opens(part.group, () => this.looked({ menu: String(part.state), name, group: [name], title: `what happens to ${name}?`, box }));
    return part.group;
  }
  /** The Inspect tab follows what was clicked. */
  looked(target) {
    if (this.console.film.many) this.console.send("look", [target.name], this.console.place);
    return target;
  }

  // -- painting -------------------------------------------------------------------------------------------------------

  paint(still, forward) {
    for (const [name, words] of Object.entries(still.clients)) {
      const { pill, label } = this.clients[name];
      label.textContent = words ? `${name} · ${words}` : name;
      pill.setAttribute("aria-label", `${label.textContent}. Press Enter to let it write.`);
    }
    const nodes = Object.entries(still.nodes);
    const full = Math.max(1, ...nodes.flatMap(([name, { lanes }]) => [still.rows[name].acknowledged, ...lanes.map(([, , count]) => count)]));
    for (const [name, node] of nodes) this.paintNode(name, node, full, still.film.many);
    for (const [name, control] of Object.entries(still.controls)) this.paintControl(name, control);
    this.wires.paint(still, forward);
    if (still.film.many) this.paintTrouble(still.trouble);
  }
  paintNode(name, { state, shape, role, note, detail, lanes, dark }, full, many) {
    const part = this.nodes[name], alarming = note.endsWith("behind") || note === "link down";
    part.state = state;
    Object.assign(part.group.dataset, { state, quiet: many && state === UP && shape !== "●" });
    part.role.textContent = `${shape} ${role}`;
    part.note.textContent = note;
    part.note.setAttribute("class", alarming && many ? "dr-words wrong" : "soft");
    part.detail.textContent = fitting(detail, part.wide - 28);
    const told = lanes.map(([words, , amount], lane) => {
      const { bar, count } = part.lanes[lane];
      bar.setAttribute("width", Math.round((part.width * amount) / full));
      count.textContent = amount ? grouped(amount) : dark.includes(words) ? "—" : "empty";
      count.setAttribute("class", amount ? "" : "soft");
      return `${words} ${amount}`;
    });
    const all = [name, role, note, detail].filter(Boolean).join(", ");
    part.group.setAttribute("aria-label", `${all}. Writes: ${told.join(", ")}. Press Enter to act on it.`);
  }
  paintControl(name, { state, title, belief, tone }) {
    const part = this.controls[name], down = state > STARTING;
    part.state = state;
    Object.assign(part.group.dataset, { state, tone: down ? "down" : TONES[tone] });
    part.title.textContent = `${down ? "✕" : "◇"} ${title}`;
    part.title.setAttribute("class", down ? "dr-wrong" : "dr-title-of-watcher");
    part.belief.textContent = belief;
    part.group.setAttribute("aria-label", `${name}, ${title}, ${belief}. Press Enter to act on it.`);
  }
  /** What is cut off has a dashed line around it: whole zones, and single machines. */
  paintTrouble({ islands, cut, words }) {
    const shown = JSON.stringify([islands, words]);
    if (shown === this.troubled) return;
    this.troubled = shown;
    const alone = new Set(islands.flat());
    const halo = ([x, y, width, height], by) => make("rect", { class: "dr-island", x: x - by, y: y - by, width: width + 2 * by, height: height + 2 * by, rx: 11 });
    this.islands.replaceChildren();
    for (const [zone, { cut: sign }] of Object.entries(this.zones)) {
      const inside = machinesIn(this.room, zone), dark = inside.length > 0 && inside.every((name) => alone.has(name));
      sign.textContent = dark ? "✂ cut off" : "";
      if (!dark) continue;
      inside.forEach((name) => alone.delete(name));
      this.islands.append(halo(this.room.zones[zone], -2));
    }
    for (const name of alone) if (this.boxes[name]) this.islands.append(halo(this.boxes[name], HALO));
    this.foot.textContent = words.length > LONGEST_WORDS ? `${words.slice(0, LONGEST_WORDS - 1)}…` : words || HINT_OF_MANY;
    this.foot.setAttribute("class", cut.length ? "dr-words wrong" : "dr-hint");
  }
}

/** The servers and sentinels that stand in a zone. */
function machinesIn({ zones, nodes, controls }, zone) {
  const [left, top, width, height] = zones[zone];
  const inside = ([x, y]) => left <= x && x < left + width && top <= y && y < top + height;
  return Object.entries({ ...nodes, ...controls }).filter(([, box]) => inside(box)).map(([name]) => name);
}
/** What the acts on a zone speak of: its machines, and these together with the clients. */
function zoneTarget(film, zone) {
  const group = machinesIn(film.room, zone);
  return { menu: "zone", name: zone, group, party: [...group, ...film.workers], title: `what happens to zone ${zone}?` };
}
