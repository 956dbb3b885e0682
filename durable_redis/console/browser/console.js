/* The live console: puts the parts together, keeps the step, plays, and speaks with the kernel.
 *
 * The law of this file: what is shown follows from the film (shipped once a change) and the step one stands on.
 * Scrubbing, stepping and playing what is recorded need no kernel, so they work on a static page too.  An act is one
 * message {verb, arguments, at_ms, options, step, moves}; the kernel answers with a new film, and with the step where one stands then,
 * and with what is behind the tabs when it is asked for that.
 * A page greets its kernel when it opens: if nobody answers, a control that needs the kernel says so.
 *
 * The reader's last move counts.  Moves are numbered, every message says the number of the last one, and every answer says
 * which the kernel had heard of: an answer that is older than the reader's last move changes the film, and not the step.
 *
 * JupyterLab takes keys such as x, d and the arrows for itself, unless the element that has the focus says otherwise: so
 * whatever gets the focus in a console is told to say so (`keepKeys`).
 */

const TELL_MS = 60; // how often the kernel is told where one stands, while one moves
const PANELS_MS = 100; // a kernel that does not say that it is at work is asked for the panels after so long
const GREETING_MS = 2000; // a page whose greeting is not answered by then has no kernel
const PATIENCE_MS = 10000; // how long a kernel may be silent before that is said
const NO_ANSWER = "No answer: this page has no kernel, or the kernel is busy. What is recorded can be stepped through and played " +
  "all the same; to act on the run, open the notebook in JupyterLab and run its cells.";
const SPEEDS = { slow: 900, normal: 300, fast: 60 }; // milliseconds a beat
const TRAITS = ["film", "stand", "panels", "tab", "verdict", "branches", "said", "news"];

class LiveConsole {
  constructor(model, el) {
    this.model = model;
    this.step = model.get("stand").step;
    this.time = make("b", { class: "dr-time" });
    this.sentence = make("span", { class: "dr-sentence" });
    this.branch = choice("branch", () => this.act("visit", [this.branch.value]));
    this.branch.className = "dr-branch";
    this.verdict = make("div", { class: "dr-verdict", role: "status" });
    this.stage = new Stage(this);
    this.boardBox = make("div");
    this.tabs = new Tabs(this);
    this.timeline = new Timeline((where) => this.go(where), (ms) => this.act("play", [ms]));
    this.doing = new Doing(this);
    this.scene = make("div", { class: "dr-scene" },
      make("header", { class: "dr-status" }, this.time, this.sentence, this.branch), this.verdict, this.stage.root,
      make("div", { class: "dr-middle" }, this.boardBox, this.tabs.root), this.timeline.root, this.buttons(),
      this.doing.row, this.doing.said, this.doing.news);
    el.append(make("div", { class: "dr-console" }, this.scene));
    this.keepKeys = (event) => {
      if (event.target.closest?.(".dr-console")) event.target.setAttribute("data-lm-suppress-shortcuts", "true");
    };
    document.addEventListener("focusin", this.keepKeys);
    this.changed = () => this.soon();
    for (const name of TRAITS) model.on(`change:${name}`, this.changed);
    this.greet();
    this.refresh();
  }
  remove() {
    this.pause();
    for (const timer of [this.telling, this.patience, this.greeting, this.asking]) clearTimeout(timer);
    document.removeEventListener("focusin", this.keepKeys);
    for (const name of TRAITS) this.model.off(`change:${name}`, this.changed);
  }

  // -- moving ---------------------------------------------------------------------------------------------------------

  /** Stand somewhere: a step, or ["event" | "beat" | "end", +1 | -1]. */
  go(where) {
    const [unit, way] = Array.isArray(where) ? where : ["step", 0];
    if (unit === "step") return this.show(where);
    if (unit === "end") return this.show(way > 0 ? this.film.steps : 0);
    const further = way > 0 && this.plays; // the film may have grown by an earlier answer: that is not where we stand
    if (unit === "beat") {
      const beat = further ? undefined : way > 0 ? this.film.nextBeat(this.step) : this.film.lastBeat(this.step);
      return beat === undefined ? this.act("beat", []) : this.show(beat);
    }
    const to = this.step + way;
    if (further || to > this.film.steps) return this.act("forward", [1]);
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
    this.moves = Math.max(this.moves, this.heard) + 1;
    this.telling ??= setTimeout(() => this.send("stand", [], this.step), TELL_MS);
  }
  /** The last move that the kernel had heard of when it spoke last. */
  get heard() { return this.model.get("stand").heard; }

  // -- asking the kernel ----------------------------------------------------------------------------------------------

  /** Is there a kernel?  A greeting says no step: it must not move a run that a cell is moving. */
  greet() {
    this.moves = this.greeted = this.heard + 1;
    this.asked = 0;
    this.tell({ verb: "stand", arguments: [], moves: this.moves });
    this.greeting = setTimeout(() => {
      this.deaf = true;
      if (this.asked > this.heard) this.giveUp();
    }, GREETING_MS);
  }
  act(verb, parameters, at_ms, options) {
    this.pause();
    this.ask(verb, parameters, at_ms, options);
  }
  /** Have we asked last for what is not recorded yet, and is that not answered yet? */
  get plays() { return this.place === undefined && (this.verb === "forward" || this.verb === "beat"); }
  /** Where the kernel shall stand: where we stand; or, if our last act is not answered yet, where that act has led. */
  get place() { return this.asked > this.heard && this.asked === this.moves ? undefined : this.step; }
  ask(verb, parameters, at_ms, options) {
    const step = this.place;
    this.moved();
    this.asked = this.moves;
    this.verb = verb;
    this.send(verb, parameters, step, at_ms, options);
    clearTimeout(this.patience);
    this.patience = setTimeout(() => this.giveUp(), this.deaf ? 0 : PATIENCE_MS);
  }
  giveUp() {
    this.pause();
    this.doing.say({ text: NO_ANSWER, tone: "error" });
  }
  send(verb, parameters, step, at_ms, options) {
    clearTimeout(this.telling);
    this.telling = undefined;
    this.tell({ verb, arguments: parameters, at_ms, options, step, moves: this.moves });
  }
  /** Tell the kernel something, and ask it for what is behind the tabs as soon as it says that it is at work.
   *
   * Asked just then, the answer comes 40 ms earlier: Jupyter's server holds a small packet back (Nagle's algorithm) until
   * the one before it, "at work", is acknowledged; a browser waits 40 ms with that, unless it has something to send. */
  tell(message) {
    const panels = () => {
      clearTimeout(this.asking);
      this.asking = undefined;
      this.model.send({ verb: "panels" });
    };
    clearTimeout(this.asking);
    this.asking = setTimeout(panels, PANELS_MS);
    this.model.send(message, { iopub: { status: ({ content }) => content.execution_state === "busy" && panels() } });
  }
  /** The kernel has spoken. */
  listen() {
    if (this.greeted <= this.heard) {
      clearTimeout(this.greeting);
      this.deaf = false;
    }
    if (this.asked > this.heard) return;
    clearTimeout(this.patience);
    this.doing.say(this.model.get("said"));
    this.doing.tell(this.model.get("news"));
  }

  // -- playing --------------------------------------------------------------------------------------------------------

  play() {
    const beat = () => {
      this.timer = setTimeout(beat, SPEEDS[this.speed.value]);
      const next = this.film.nextBeat(this.step);
      if (next !== undefined) this.show(next);
      else if (this.step === this.film.steps && !this.film.more) this.pause();
      else if (this.asked <= this.heard) this.ask("beat", []); // one question at a time
    };
    this.playButton.textContent = "❚❚ pause";
    beat();
  }
  pause() {
    if (this.timer === undefined) return;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.playButton.textContent = "▶ play";
    this.moved(); // a beat that was asked for, and is still to come, must not carry us away from here
  }
  buttons() {
    const named = (words, title, press, hook) => button(words, press, { title, "aria-label": title, "data-step": hook });
    const move = (words, title, where, hook) => named(words, title, () => { this.pause(); this.go(where); }, hook);
    this.speed = choice("speed of play", () => {}, Object.keys(SPEEDS));
    this.speed.value = "normal";
    this.playButton = named("▶ play", "play, beat by beat", () => (this.timer === undefined ? this.play() : this.pause()), "play");
    this.caption = make("span", { class: "dr-caption" });
    this.backs = [move("|◀", "to the start", ["end", -1], "start"), move("◀◀ beat", "back to the last beat", ["beat", -1], "beat-back"),
      move("◀ event", "one event back", ["event", -1], "event-back")];
    return make("div", { class: "dr-steps" }, ...this.backs, move("event ▶", "one event on", ["event", 1], "event"),
      move("beat ▶▶", "on to the next beat", ["beat", 1], "beat"), this.playButton, this.speed,
      named("▶|", "play everything to its end", () => this.act("play", []), "end"), this.caption);
  }

  // -- painting -------------------------------------------------------------------------------------------------------

  /** Several traits change at once: paint once, when all are here. */
  soon() {
    if (this.waiting) return;
    this.waiting = true;
    queueMicrotask(() => { this.waiting = false; this.refresh(); });
  }
  refresh() {
    const text = this.model.get("film");
    if (text !== this.text) {
      this.text = text;
      this.film = new Film(JSON.parse(text));
      this.stage.build(this.film);
      this.timeline.build(this.film);
    }
    if (this.moves <= this.heard) this.step = this.model.get("stand").step;
    this.step = Math.min(this.step, this.film.steps); // another branch may be shorter
    const { names, current } = this.model.get("branches");
    this.branch.hidden = names.length < 2;
    offer(this.branch, names);
    this.branch.value = current;
    this.listen();
    this.paint();
  }
  paint() {
    const { film, step } = this;
    const forward = step >= (this.painted ?? step);
    this.painted = step;
    this.scene.dataset.step = step;
    const still = new Still(film, step);
    this.time.textContent = clock(still.now);
    this.sentence.textContent = still.status;
    const verdict = this.model.get("verdict");
    this.verdict.hidden = verdict.step !== step;
    if (!this.verdict.hidden) {
      this.verdict.dataset.tone = verdict.tone;
      this.verdict.replaceChildren(make("b", {}, verdict.number), verdict.text);
    }
    this.stage.paint(still, forward);
    this.boardBox.replaceChildren(drawBoard(still.board));
    this.tabs.paint(film, step);
    this.timeline.paint(still);
    this.doing.paint(still);
    for (const back of this.backs) back.disabled = step === 0;
    this.caption.textContent = this.caption.title = `step ${grouped(step)} of ${grouped(film.steps)} · ${film.told(step)}`;
  }
}

export default {
  render({ model, el }) {
    const live = new LiveConsole(model, el);
    return () => live.remove();
  },
};
