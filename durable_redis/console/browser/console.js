/* The live console: puts the parts together, keeps the step, plays, and speaks with the kernel.
 *
 * The law of this file: what is shown follows from the film (shipped once a change) and the step one stands on.
 * Scrubbing, stepping and playing what is recorded need no kernel, so they work on a static page too.  An act is one
 * message {verb, arguments, step, moves}; the kernel answers with a new film, and with the step where one stands then.
 *
 * The reader's last move counts.  Moves are numbered, every message says the number of the last one, and every answer says
 * which the kernel had heard of: an answer that is older than the reader's last move changes the film, and not the step.
 *
 * JupyterLab takes keys such as x, d and the arrows for itself, unless the element that has the focus says otherwise: so
 * whatever gets the focus in a console is told to say so (`keepKeys`).
 */

const TELL_MS = 60; // how often the kernel is told where one stands, while one moves
const SPEEDS = { slow: 900, normal: 300, fast: 60 }; // milliseconds a beat

class LiveConsole {
  constructor(model, el) {
    this.model = model;
    this.moves = this.asked = 0;
    this.time = make("b", { class: "dr-time" });
    this.sentence = make("span", { class: "dr-sentence" });
    this.branch = make("select", { class: "dr-branch", "aria-label": "branch" });
    this.branch.addEventListener("change", () => this.act("checkout", [this.branch.value]));
    this.verdict = make("div", { class: "dr-verdict", role: "status" });
    this.stage = new Stage(this);
    this.boardBox = make("div");
    this.tabs = new Tabs(model);
    this.timeline = new Timeline((where) => this.go(where), (ms) => this.act("play", [ms]));
    this.root = make("div", { class: "dr-scene" },
      make("header", { class: "dr-status" }, this.time, this.sentence, this.branch), this.verdict, this.stage.root,
      make("div", { class: "dr-middle" }, this.boardBox, this.tabs.root), this.timeline.root, this.buttons());
    el.append(this.root);
    this.keepKeys = (event) => {
      if (!event.target.closest?.(".dr-console")) return;
      event.target.setAttribute("data-lm-suppress-shortcuts", "true");
      this.tell(); // whatever is pressed now must find the kernel where we stand
    };
    document.addEventListener("focusin", this.keepKeys);
    this.listeners = { film: () => this.soon(), stand: () => this.soon(), panels: () => this.soon(), tab: () => this.soon(),
      verdict: () => this.soon(), branches: () => this.soon() };
    for (const [name, listener] of Object.entries(this.listeners)) model.on(`change:${name}`, listener);
    this.refresh();
  }
  remove() {
    this.pause();
    clearTimeout(this.telling);
    document.removeEventListener("focusin", this.keepKeys);
    for (const [name, listener] of Object.entries(this.listeners)) this.model.off(`change:${name}`, listener);
  }

  // -- moving ---------------------------------------------------------------------------------------------------------

  /** Stand somewhere: a step, or ["event" | "beat" | "end", +1 | -1]. */
  go(where) {
    const [unit, way] = Array.isArray(where) ? where : ["step", 0];
    if (unit === "step") return this.show(where);
    if (unit === "end") return this.show(way > 0 ? this.film.steps : 0);
    if (unit === "beat") {
      const beat = way > 0 ? this.film.nextBeat(this.step) : this.film.lastBeat(this.step);
      return beat === undefined ? this.act("beat", []) : this.show(beat);
    }
    const to = this.step + way;
    if (to > this.film.steps) return this.act("forward", [1]);
    if (this.film.shown && !this.film.shown.includes(to)) return this.act("go", [Math.max(0, to)]);
    return this.show(Math.max(0, to));
  }
  show(step) {
    this.step = step;
    this.moved();
    this.paint();
  }
  /** What the kernel says from now on about where one stands is out of date, until it has heard of this. */
  moved() {
    this.moves = Math.max(this.moves, this.model.get("stand").heard) + 1;
    this.telling ??= setTimeout(() => this.tell(), TELL_MS);
  }
  /** Tell the kernel where we stand, if it does not know yet. */
  tell() {
    if (this.telling === undefined) return;
    clearTimeout(this.telling);
    this.send("stand", []);
  }
  /** Ask the kernel.  It stands where we stand before it acts. */
  act(verb, parameters) {
    this.pause();
    this.ask(verb, parameters);
  }
  ask(verb, parameters) {
    this.moved();
    this.asked = this.moves;
    clearTimeout(this.telling);
    this.send(verb, parameters);
  }
  send(verb, parameters) {
    this.telling = undefined;
    this.model.send({ verb, arguments: parameters, step: this.step, moves: this.moves });
  }
  play() {
    const beat = () => {
      this.timer = setTimeout(beat, SPEEDS[this.speed.value]);
      const next = this.film.nextBeat(this.step);
      if (next !== undefined) this.show(next);
      else if (this.step === this.film.steps && !this.film.more) this.pause();
      else if (this.asked <= this.model.get("stand").heard) this.ask("beat", []); // one question at a time
    };
    beat();
    this.playButton.textContent = "❚❚ pause";
  }
  pause() {
    if (this.timer === undefined) return;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.playButton.textContent = "▶ play";
    this.moved(); // a beat that was asked for, and is still to come, must not carry us away from here
  }

  buttons() {
    const button = (words, title, press, hook) => {
      const made = make("button", { type: "button", title, "aria-label": title, "data-step": hook }, words);
      made.addEventListener("click", press);
      return made;
    };
    const move = (words, title, where, hook) => button(words, title, () => { this.pause(); this.go(where); }, hook);
    this.speed = make("select", { "aria-label": "speed of play" });
    for (const name of Object.keys(SPEEDS)) this.speed.append(make("option", { value: name }, name));
    this.speed.value = "normal";
    this.playButton = button("▶ play", "play, beat by beat", () => (this.timer === undefined ? this.play() : this.pause()), "play");
    this.caption = make("span", { class: "dr-caption" });
    this.backs = [move("|◀", "to the start", ["end", -1], "start"), move("◀◀ beat", "back to the last beat", ["beat", -1], "beat-back"),
      move("◀ event", "one event back", ["event", -1], "event-back")];
    return make("div", { class: "dr-steps" }, ...this.backs, move("event ▶", "one event on", ["event", 1], "event"),
      move("beat ▶▶", "on to the next beat", ["beat", 1], "beat"), this.playButton, this.speed,
      button("▶|", "play everything to its end", () => this.act("play", []), "end"), this.caption);
  }

  // -- painting -------------------------------------------------------------------------------------------------------

  /** Several traits change at once: paint once, when all are here. */
  soon() {
    if (this.waiting) return;
    this.waiting = true;
    queueMicrotask(() => { this.waiting = false; this.refresh(); });
  }
  refresh() {
    const data = this.model.get("film");
    if (data !== this.data) {
      this.data = data;
      this.film = new Film(data);
      this.stage.build(this.film);
      this.timeline.build(this.film);
    }
    const stand = this.model.get("stand");
    if (this.moves <= stand.heard) this.step = stand.step;
    this.step = Math.min(this.step, this.film.steps); // another branch may be shorter
    const branches = this.model.get("branches");
    this.branch.hidden = branches.names.length < 2;
    this.branch.replaceChildren(...branches.names.map((name) => make("option", { value: name }, name)));
    this.branch.value = branches.current;
    this.paint();
  }
  paint() {
    const { film, step } = this;
    const forward = step >= (this.painted ?? step);
    this.painted = step;
    this.root.dataset.step = step;
    this.time.textContent = clock(film.atUs(step));
    this.sentence.textContent = film.status(step);
    const verdict = this.model.get("verdict");
    this.verdict.hidden = verdict.step !== step;
    if (!this.verdict.hidden) {
      this.verdict.dataset.tone = verdict.tone;
      this.verdict.replaceChildren(make("b", {}, verdict.number), verdict.text);
    }
    this.stage.paint(film, step, forward);
    this.boardBox.replaceChildren(drawBoard(film, step));
    this.tabs.paint(film, step);
    this.timeline.paint(film, step);
    for (const button of this.backs) button.disabled = step === 0;
    this.caption.textContent = this.caption.title = `step ${grouped(step)} of ${grouped(film.steps)} · ${film.told(step)}`;
  }
}

export default {
  render({ model, el }) {
    const live = new LiveConsole(model, el);
    return () => live.remove();
  },
};
