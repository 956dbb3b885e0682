/* Do: a target, what happens to it, when, and one button; for the keyboard, and for whoever cannot see the scene.
 *
 * The law of this file: the same acts as in the menus of the scene, through the same `act`.  Below it stands what was done,
 * as the line of Python that it was, or what went wrong; a screen reader speaks it.
 */

const WHEN = { now: 0, "in 10 ms": 10, "in 100 ms": 100, "in 1 s": 1000 }; // from where one stands, in milliseconds

class Doing {
  constructor(console_) {
    this.console = console_;
    this.target = choice("target", () => this.refresh());
    this.verb = choice("what happens", () => this.preview());
    this.when = choice("when", () => this.preview(), Object.keys(WHEN));
    this.go = button("", () => this.do(), { class: "dr-go" });
    this.code = make("code", { class: "dr-code" });
    this.row = make("div", { class: "dr-do", role: "group", "aria-label": "do something" }, make("b", {}, "Do"),
      this.target, this.verb, this.when, this.go,
      button("undo", () => console_.act("undo", []), { class: "dr-undo", title: "go back to before the last act" }), this.code);
    this.said = make("div", { class: "dr-say", role: "status", "aria-live": "polite" });
    this.news = make("div", { class: "dr-news", role: "status", "aria-live": "polite" });
  }
  get chosen() { return this.acts?.find(({ words }) => words === this.verb.value); }

  /** Offer what can be done where one stands. */
  paint(still) {
    this.now_ms = still.now / 1000;
    this.targets = targetsOf(still);
    offer(this.target, Object.keys(this.targets), (name) => this.targets[name].kind);
    this.refresh();
  }
  get aim() { return this.targets[this.target.value]; }
  refresh() {
    const aim = this.aim, acts = this.console.model.get("menus")[aim.menu] ?? [];
    this.acts = acts.map((act) => ({ ...act, words: filled(act.words, aim), button: filled(act.button, aim), arguments: bound(act.arguments, aim) }));
    const changed = offer(this.verb, this.acts.map(({ words }) => words));
    if (changed && this.acts[0].verb === "restart") this.verb.value = this.acts[0].words;
    this.preview();
  }
  /** The words on the button, and the line of Python that it will call. */
  preview() {
    const act = this.chosen;
    if (!act) return;
    this.go.textContent = act.button;
    this.go.classList.toggle("calm", !act.harm);
    this.when.disabled = !act.timed;
    this.code.textContent = python(act.verb, act.arguments, this.atMs(act), act.options);
  }
  atMs(act) {
    const wait = WHEN[this.when.value];
    return act.timed && wait ? Number((this.now_ms + wait).toFixed(3)) : undefined;
  }
  do() {
    const act = this.chosen;
    if (act) this.console.act(act.verb, act.arguments, this.atMs(act), act.options);
  }

  /** What was said last: "did" a line of Python, "told" a sentence, an "error". */
  say({ text, tone }) {
    this.said.dataset.tone = tone;
    this.said.replaceChildren(...(tone === "did" ? ["did ", make("code", {}, text)] : [text]));
  }
  tell(news) { this.news.replaceChildren(...news.map((sentence) => make("p", {}, `✓ ${sentence}`))); }
}

/** What one can aim at, by the words in the list: {kind, menu, and the names that the acts speak of}. */
function targetsOf(still) {
  const { film, nodes, controls, wires } = still, targets = {};
  for (const [name, { state }] of Object.entries(nodes)) targets[name] = { kind: "servers", menu: String(state), name, group: [name] };
  for (const [name, { state }] of Object.entries(controls)) {
    targets[name] = { kind: "watchers", menu: menuOf(name, state), name, group: [name] };
  }
  const client = film.room.clients.client ? "client" : "clients";
  targets[client] = { kind: "clients", menu: "client", name: client };
  if (!film.many) return targets;
  for (const { from, to } of wires.filter((wire) => wire.from !== film.crowd)) {
    targets[`${from} ↔ ${to}`] = { kind: "wires", menu: "wire", name: from, other: to };
  }
  for (const zone of Object.keys(film.room.zones)) targets[`zone ${zone}`] = { kind: "zones", ...zoneTarget(film, zone) };
  return targets;
}
/** The line of Python: `run.crash('n1', 'power loss')`. */
function python(verb, parameters, at_ms, options = {}) {
  const words = [...parameters.map(inPython), ...Object.entries(options).map(([name, value]) => `${name}=${inPython(value)}`)];
  return `run.${verb}(${[...words, ...(at_ms === undefined ? [] : [`at_ms=${at_ms}`])].join(", ")})`;
}
function inPython(value) {
  if (Array.isArray(value)) return `[${value.map(inPython).join(", ")}]`;
  if (typeof value === "boolean") return value ? "True" : "False";
  return typeof value === "string" ? `'${value.replace(/['\\]/g, "\\$&")}'` : String(value);
}
function choice(label, changed, options = []) {
  const list = make("select", { "aria-label": label });
  offer(list, options);
  list.addEventListener("change", changed);
  return list;
}
/** Put other options into a list, if they are others; what was chosen stays chosen if it can.  Of several kinds, kind by kind. */
function offer(list, options, kindOf = () => "") {
  if (list.dataset.options === options.join("\n")) return false;
  const before = list.value;
  list.dataset.options = options.join("\n");
  const kinds = [...new Set(options.map(kindOf))], made = (option) => make("option", { value: option }, option);
  list.replaceChildren(...(kinds.length < 3 ? options.map(made) // servers and clients need no headings
    : kinds.map((kind) => make("optgroup", { label: kind }, ...options.filter((option) => kindOf(option) === kind).map(made)))));
  list.value = options.includes(before) ? before : options[0];
  return true;
}
