/* The timeline: a scrubber over the whole branch, what happened on it, and the risk strip below.
 *
 * The law of this file: it says where one wants to stand (`onGo`), and knows nothing else.  By pointer and by keyboard:
 * arrows go by event, with Shift (or Page Up and Down) by beat, Home and End to the ends.
 */

const TRACK = { x: 92, width: 720, top: 26, height: 32, risk: 68, pitch: 20, strip: 15 };
const HATCH = 5; // pixels between two lines of a strip where a crash cannot happen
const KINDS = { ok: "OK was said", fsync: "fsync", snapshot: "snapshot", rewrite: "log rewritten", crash: "crash",
  restart: "restart", error: "disk error", cut: "cut", pause: "pause", election: "election", promotion: "promotion", "full sync": "full sync" };
const GLYPHS = { // what stands on the track, by kind: [path around (0, 0), class]
  ok: ["M0,-6v9", "dr-ticks"],
  fsync: ["M-5,-8 h10 v8 l-5,6 l-5,-6 z", "dr-P"],
  snapshot: ["M0,-8 l7,7 l-7,7 l-7,-7 z", "dr-S"],
  rewrite: ["M-6,-7 h12 v12 h-12 z", "dr-B"],
  crash: ["M-6,-8 l6,6 l6,-6 l2,2 l-6,6 l6,6 l-2,2 l-6,-6 l-6,6 l-2,-2 l6,-6 l-6,-6 z", "dr-risk"],
  restart: ["M-4,-8 l10,7 l-10,7 z", "dr-R"],
  error: ["M-1.5,-9 h3 v9 h-3 z M-1.5,2 h3 v3 h-3 z", "dr-risk"],
  cut: ["M-7,-4 h5 v3 h-5 z M1,-4 h5 v3 h-5 z", "dr-risk"],
  pause: ["M-5,-7 h4 v12 h-4 z M1,-7 h4 v12 h-4 z", "dr-K"],
  election: ["M0,-8 l6,12 h-12 z", "dr-B"],
  promotion: ["M0,-9 l7,7 h-4 v6 h-6 v-6 h-4 z", "dr-R"],
  "full sync": ["M-6,-7 h5 v12 h-5 z M1,-7 h5 v12 h-5 z", "dr-S"],
};

const glyph = (kind, x, y) => make("path", { d: GLYPHS[kind][0], class: GLYPHS[kind][1], transform: `translate(${x} ${y})` });

/** A long fsync: from its begin to its end, where its flag is. */
const bar = ([from, to]) => make("path", { class: "dr-P dr-fsync", d: `M${TRACK.x + from},${TRACK.top + 1}h2v3H${TRACK.x + to}v4H${TRACK.x + from + 2}v3h-2z` });
/** When a link was cut. */
const cutBar = ([from, to]) => make("path", { class: "dr-cut", d: `M${TRACK.x + from},${TRACK.top + 1}H${TRACK.x + to}` });
const LOSSES = ["acknowledged writes that a crash at that moment may cost", "; hatched: it is down"];
const LOSSES_OF_MANY = ["acknowledged writes lost: by a failover; or if the primary crashed so, and came back", " (hatched: none is up)"];
/** Words of which a narrow page, where the letters must be larger, leaves the second part out. */
function shortened(x, y, [words, more], attributes) {
  const shown = text(x, y, words, attributes);
  shown.append(make("tspan", { class: "dr-more" }, more));
  return shown;
}
/** A stretch of a strip in which the crash cannot happen. */
function hatched(x, y, width) {
  const lines = Array.from({ length: Math.ceil(width / HATCH) }, (_, line) => `M${x + line * HATCH},${y}v${TRACK.strip}`);
  return make("g", { class: "dr-down" }, make("rect", { x, y, width, height: TRACK.strip }), make("path", { d: lines.join("") }));
}

/** What the marks mean, for those that there are. */
function legend(always, marks) {
  const present = new Set([...always, ...marks.map(([kind]) => kind)]);
  let x = TRACK.x + 6;
  return Object.keys(KINDS).filter((kind) => present.has(kind)).flatMap((kind) => {
    const drawn = [glyph(kind, x, 9), text(x + 12, 12, KINDS[kind], { class: "soft" })];
    x += 34 + 7 * KINDS[kind].length;
    return drawn;
  });
}

class Timeline {
  constructor(onGo, onPlayTo) {
    this.onGo = onGo;
    this.onPlayTo = onPlayTo;
    this.root = make("div", { class: "dr-time-line" });
  }

  build(film) {
    this.film = film;
    this.bottom = TRACK.risk + film.crashes.length * TRACK.pitch;
    const { horizon_us, end_us, ticks, marks, fsyncs, cuts, risk, down } = film.timeline;
    this.x = (us) => TRACK.x + (TRACK.width * us) / horizon_us;
    const path = ticks.map((us) => `M${this.x(us).toFixed(1)},${TRACK.top + 22}v9`).join("");
    this.values = film.crashes.map((crash, rank) => text(912, TRACK.risk + rank * TRACK.pitch + 12, "", { class: "dr-value" }));
    this.knob = make("circle", { class: "dr-knob", cy: TRACK.top - 4, r: 6 });
    this.cursor = make("line", { class: "dr-cursor", y1: TRACK.top - 4, y2: this.bottom });
    this.slider = make("g", { class: "dr-slider", tabindex: 0, role: "slider", "aria-label": "timeline", "aria-valuemin": 0 },
      make("rect", { x: TRACK.x - 8, y: TRACK.top - 14, width: TRACK.width + 16, height: this.bottom - TRACK.top + 14, fill: "transparent" }),
      this.cursor, this.knob);
    const svg = make("svg", { viewBox: `0 0 912 ${this.bottom + 18}`, class: "dr-track-picture" },
      text(0, 12, "Timeline", { class: "dr-title" }),
      make("rect", { class: "dr-track", x: TRACK.x, y: TRACK.top, width: Math.max(1, this.x(end_us) - TRACK.x), height: TRACK.height, rx: 4 }),
      text(0, TRACK.top + 20, "what happened", { class: "soft dr-row" }));
    if (end_us < horizon_us) svg.append(...this.future(end_us));
    svg.append(make("path", { class: "dr-ticks", d: path }), ...fsyncs.map(bar), ...cuts.map(cutBar), ...marks.map(([kind, x]) => glyph(kind, TRACK.x + x, TRACK.top + 12)),
      ...legend([...(ticks.length ? ["ok"] : []), ...(fsyncs.length ? ["fsync"] : []), ...(cuts.length ? ["cut"] : [])], marks));
    film.crashes.forEach((crash, rank) => svg.append(...this.strip(crash, risk[crash], down[crash], rank)));
    svg.append(...this.values, ...this.axis(horizon_us), this.slider);
    const focused = this.root.contains(document.activeElement);
    this.root.replaceChildren(svg);
    this.listen(svg);
    if (focused) this.slider.focus({ preventScroll: true });
  }
  future(end_us) {
    const x = this.x(end_us), width = TRACK.x + TRACK.width - x;
    return [make("rect", { class: "dr-future", x: x + 2, y: TRACK.top + 1, width: Math.max(0, width - 2), height: TRACK.height - 2, rx: 4 }),
      ...(width > 170 ? [shortened(x + width / 2, TRACK.top + 20, ["not played yet", ": click to play on"], { class: "soft", "text-anchor": "middle" })] : [])];
  }
  /** A skyline whose height says how many acknowledged writes a crash would erase. */
  strip(crash, values, down, rank) {
    const top = TRACK.risk + rank * TRACK.pitch, bottom = top + TRACK.strip, most = Math.max(...values), scale = this.film.timeline.scale[crash];
    const width = Math.max(1, this.x(this.film.timeline.end_us) - TRACK.x), wide = width / values.length;
    const path = values.map((value, place) => {
      const height = value ? Math.max(2, (TRACK.strip * value) / scale) : 0;
      return `H${(TRACK.x + place * wide).toFixed(1)}V${(bottom - height).toFixed(1)}`;
    });
    return [text(0, top + 12, crash, { class: "soft dr-row" }),
      make("rect", { class: "dr-track", x: TRACK.x, y: top, width, height: TRACK.strip, rx: 2 }),
      make("path", { class: "dr-risk", d: `M${TRACK.x},${bottom}${path.join("")}H${TRACK.x + width}V${bottom}z` }),
      ...down.map(([from, to]) => hatched(TRACK.x + from, top, to - from)),
      text(866, top + 12, grouped(most), { class: "soft", "text-anchor": "end" })];
  }
  axis(horizon_us) {
    const y = this.bottom + 12;
    return [shortened(TRACK.x, y, this.film.many ? LOSSES_OF_MANY : LOSSES, { class: "soft" }),
      text(TRACK.x + TRACK.width - 12, 12, `up to ${clock(horizon_us)}`, { class: "soft", "text-anchor": "end" }),
      text(866, y, "at most", { class: "soft", "text-anchor": "end" }), text(912, y, "now", { class: "soft", "text-anchor": "end" })];
  }

  paint(still) {
    const { film, step, now } = still, x = this.x(now).toFixed(1);
    this.knob.setAttribute("cx", x);
    this.cursor.setAttribute("x1", x);
    this.cursor.setAttribute("x2", x);
    film.crashes.forEach((crash, rank) => {
      const lost = still.atRisk(crash);
      this.values[rank].textContent = lost === null ? "down" : grouped(lost);
      this.values[rank].setAttribute("class", `dr-value${lost === null ? " down" : lost ? " some" : ""}`);
    });
    this.slider.setAttribute("aria-valuemax", film.steps);
    this.slider.setAttribute("aria-valuenow", step);
    this.slider.setAttribute("aria-valuetext", `step ${step}, ${clock(now)}, ${film.told(step)}`);
  }

  listen(svg) {
    const timeAt = (event) => {
      const box = svg.getBoundingClientRect();
      const x = ((event.clientX - box.left) * 912) / box.width;
      return ((x - TRACK.x) / TRACK.width) * this.film.timeline.horizon_us;
    };
    const scrub = (event) => this.onGo(this.film.stepAt(timeAt(event)));
    this.slider.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      this.slider.focus({ preventScroll: true });
      this.slider.setPointerCapture(event.pointerId);
      scrub(event);
    });
    this.slider.addEventListener("pointermove", (event) => { if (this.slider.hasPointerCapture(event.pointerId)) scrub(event); });
    this.slider.addEventListener("pointerup", (event) => {
      if (timeAt(event) > this.film.timeline.end_us && this.film.more) this.onPlayTo(Math.round(timeAt(event) / 1000));
    });
    this.slider.addEventListener("keydown", (event) => {
      const beat = event.shiftKey ? "beat" : "event";
      const way = { ArrowRight: [beat, 1], ArrowLeft: [beat, -1], ArrowUp: [beat, 1], ArrowDown: [beat, -1],
        PageUp: ["beat", 1], PageDown: ["beat", -1], Home: ["end", -1], End: ["end", 1] }[event.key];
      if (!way) return;
      event.preventDefault();
      this.onGo(way);
    });
  }
}
