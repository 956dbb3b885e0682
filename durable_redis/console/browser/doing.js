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
  paint(film, step) {
    this.now_ms = film.atUs(step) / 1000;
    this.states = Object.fromEntries(film.names.map((name) => [name, film.row(name, step).state]));
    offer(this.target, [...film.names, film.room.clients.client ? "client" : "clients"]);
    this.refresh();
  }
  refresh() {
    this.acts = this.console.model.get("menus")[this.states[this.target.value] ?? "client"] ?? [];
    const changed = offer(this.verb, this.acts.map(({ words }) => words));
    if (changed && this.acts[0].verb === "restart") this.verb.value = this.acts[0].words;
    this.preview();
  }
  /** The words on the button, and the line of Python that it will call. */
  preview() {
    const act = this.chosen;
    if (!act) return;
    this.go.textContent = act.button.replace("{node}", this.target.value);
    this.go.classList.toggle("calm", !act.harm);
    this.when.disabled = !act.timed;
    this.code.textContent = python(act.verb, bound(act, this.target.value), this.atMs(act));
  }
  atMs(act) {
    const wait = WHEN[this.when.value];
    return act.timed && wait ? Number((this.now_ms + wait).toFixed(3)) : undefined;
  }
  do() {
    const act = this.chosen;
    if (act) this.console.act(act.verb, bound(act, this.target.value), this.atMs(act));
  }

  /** What was said last: "did" a line of Python, "told" a sentence, an "error". */
  say({ text, tone }) {
    this.said.dataset.tone = tone;
    this.said.replaceChildren(...(tone === "did" ? ["did ", make("code", {}, text)] : [text]));
  }
  tell(news) { this.news.replaceChildren(...news.map((sentence) => make("p", {}, `✓ ${sentence}`))); }
}

/** The arguments of an act, for this target. */
const bound = (act, target) => act.arguments.map((value) => (value === "{node}" ? target : value));
/** The line of Python: `run.crash('n1', 'power loss')`. */
function python(verb, parameters, at_ms) {
  const words = parameters.map((value) => (typeof value === "string" ? `'${value.replace(/['\\]/g, "\\$&")}'` : String(value)));
  return `run.${verb}(${[...words, ...(at_ms === undefined ? [] : [`at_ms=${at_ms}`])].join(", ")})`;
}
function choice(label, changed, options = []) {
  const list = make("select", { "aria-label": label });
  offer(list, options);
  list.addEventListener("change", changed);
  return list;
}
/** Put other options into a list, if they are others; what was chosen stays chosen if it can. */
function offer(list, options) {
  if (list.dataset.options === options.join("\n")) return false;
  const before = list.value;
  list.dataset.options = options.join("\n");
  list.replaceChildren(...options.map((option) => make("option", { value: option }, option)));
  list.value = options.includes(before) ? before : options[0];
  return true;
}
