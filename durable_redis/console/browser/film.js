/* The film of a run: the columns that the kernel shipped, and what stands in them at a step.
 *
 * The law of this file: looking up, and nothing else; what it comes to is in still.js and fates.js.
 */

const UP = 0, STARTING = 1, KILLED = 2, OFF = 3; // states of a machine
const menuOf = (control, state) => `${control === "snapshotter" ? control : "control"} ${Number(state > STARTING)}`;
const NEEDS_POWER = new Set(["executed", "buffer", "written", "snapshot"]); // marks of places without anything when OFF

/** How many of an ascending list are <= value. */
function passed(list, value, key = (item) => item) {
  let low = 0, high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (key(list[middle]) <= value) low = middle + 1; else high = middle;
  }
  return low;
}
const grouped = (number) => number.toLocaleString("en-US");
const clock = (us) => `${(us / 1e6).toFixed(3)} s`;
/** `w1`, `w1 and w2`, `w1 to w12`. */
const ranged = (names) => names.length < 3 ? names.join(" and ") : `${names[0]} to ${names[names.length - 1]}`;
/** `n1`, `n1 and n2`, `n1, n2 and n3`. */
const listed = (names) => [names.slice(0, -1).join(", "), ...names.slice(-1)].filter(Boolean).join(" and ");

class Film {
  constructor(data) {
    Object.assign(this, data);
    this.names = Object.keys(data.nodes);
    this.watchers = Object.keys(data.controls);
  }
  index(step) { return this.shown ? Math.max(0, passed(this.shown, step) - 1) : Math.min(step, this.steps); }
  stepAt(us) {
    const place = Math.max(0, passed(this.at, us) - 1);
    return this.shown ? this.shown[place] : place;
  }
  atUs(step) { return this.at[this.index(step)]; }
  told(step) { return this.texts[this.said[this.index(step)]]; }
  values({ steps, rows }, step) { return rows[Math.max(0, passed(steps, step) - 1)]; }
  row(name, step) {
    const values = this.values(this.nodes[name], step);
    return Object.fromEntries(this.columns.map((column, place) => [column, values[place]]));
  }
  control(name, step) {
    const values = this.values(this.controls[name], step);
    return Object.fromEntries(this.control_columns.map((column, place) => [column, values[place]]));
  }
  client(name, step) {
    const column = this.clients[name];
    return column ? this.texts[this.values(column, step)[0]] : "";
  }
  /** The server to which a client is connected; "" for none. */
  server(name, step) {
    const column = this.clients[name];
    return column ? this.texts[this.values(column, step)[1]] : "";
  }
  trouble(step) { return this.links.troubles[passed(this.links.steps, step) - 1]; }
  fsyncing(name, step) {
    return this.fsyncs.some(([machine, begin, end]) => machine === name && begin <= step && (!end || step < end));
  }
  /** Whether there is such a place now: memory needs power. */
  has(row, mark) { return row.state !== OFF || !NEEDS_POWER.has(mark); }
  amount(row, mark) {
    if (!this.has(row, mark)) return 0;
    return mark === "buffer" ? Math.max(0, row.executed - row.written) : row[mark];
  }
  /** How many writes the node has if it is up; how many a restart would find if it is not, with the power on. */
  surviving(row) { return row.state === UP ? row.held : this.has_log ? row.log : this.appendonly ? row.written : row.snapshot; }
  /** Whether a write is among the first `count` that a node holds, or held until it went down. */
  holds(row, count, [, place, , , line]) { return isHeld(this.lines, row.line, count, line, place); }
  common(one, other) { return inCommon(this.lines, one.line, one.held, other.line, other.held); }
  nextBeat(step) { return this.beats[passed(this.beats, step)]; }
  lastBeat(step) { return this.beats[passed(this.beats, step - 1) - 1] ?? 0; }
}
