/* The film of a run: what is shown after a step, looked up in the columns that the kernel shipped.
 *
 * The law of this file: no drawing.  The same stills are computed in model.py, and a test compares the two.
 */

const UP = 0, STARTING = 1, KILLED = 2, OFF = 3; // states of a node
const NEEDS_POWER = new Set(["executed", "buffer", "written", "snapshot"]); // marks of places without anything when OFF
const NEWEST = 10, STORY = 7, MOST_RUNS = 3; // writes on the board, lines of the story, runs of writes in a sentence

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
const ranged = (names) => names.length < 3 ? names.join(" and ") : `${names[0]} to ${names[names.length - 1]}`;

class Film {
  constructor(data) {
    Object.assign(this, data);
    this.names = Object.keys(data.nodes);
  }
  index(step) { return this.shown ? Math.max(0, passed(this.shown, step) - 1) : Math.min(step, this.steps); }
  stepAt(us) {
    const place = Math.max(0, passed(this.at, us) - 1);
    return this.shown ? this.shown[place] : place;
  }
  atUs(step) { return this.at[this.index(step)]; }
  told(step) { return this.texts[this.said[this.index(step)]]; }
  row(name, step) {
    const { steps, rows } = this.nodes[name];
    const values = rows[Math.max(0, passed(steps, step) - 1)];
    return Object.fromEntries(this.columns.map((column, place) => [column, values[place]]));
  }
  /** Whether there is such a place now: memory needs power. */
  holds(row, mark) { return row.state !== OFF || !NEEDS_POWER.has(mark); }
  amount(row, mark) {
    if (!this.holds(row, mark)) return 0;
    return mark === "buffer" ? Math.max(0, row.executed - row.written) : row[mark];
  }
  surviving(row) { return this.appendonly ? row.written : row.snapshot; }
  fsyncing(name, step) {
    return this.fsyncs.some(([machine, begin, end]) => machine === name && begin <= step && (!end || step < end));
  }
  /** What a node says of itself, in a few words. */
  note(name, step) {
    const row = this.row(name, step), since = row.since_us;
    const note = row.state < KILLED || !since ? this.texts[row.note] : `down ${((this.atUs(step) - since) / 1e6).toFixed(2)} s`;
    return this.fsyncing(name, step) ? `${note} · fsync running` : note;
  }
  /** How many acknowledged writes a crash would erase now; null: there is nothing to kill, or no power to lose. */
  atRisk(row, crash) {
    if ((row.state >= KILLED && crash === "process kill") || (row.state === OFF && crash === "power loss")) return null;
    return row.state === UP ? row[crash] : row[crash] - row["process kill"];
  }
  client(name, step) {
    const column = this.clients[name];
    return column ? this.texts[column.rows[Math.max(0, passed(column.steps, step) - 1)][0]] : "";
  }
  messages(step) {
    return this.flights.filter(([, , , , first, last]) => first <= step && (!last || step < last))
      .map(([number, from, to, label, , last, holds]) => ({ number, from, to, label: this.texts[label], last,
        held: holds.some(([begin, end]) => begin <= step && (!end || step < end)) }));
  }
  lost(write, row, step) {
    const [, place, , , lost] = write;
    return (lost > 0 && lost <= step) || (row.state !== UP && place >= this.surviving(row));
  }
  status(step) {
    const name = this.names[0], row = this.row(name, step), told = this.promised(step);
    if (row.state !== UP) {
      const present = row.acknowledged - row["process kill"], since = row.since_us ? ` since ${clock(row.since_us)}` : "";
      return `${name} ${this.texts[row.note]}${since} · ${grouped(told)} acknowledged · ` +
        `${grouped(present)} on its disk · ${grouped(told - present)} gone`;
    }
    const risk = row["power loss"], present = row.acknowledged;
    const kept = present < told ? `${grouped(present)} present` : `${grouped(told - risk)} durable`;
    return `${name} ${this.texts[row.role]}, ${this.texts[row.note]} · ${grouped(told)} acknowledged · ` +
      `${kept} · ${grouped(risk)} at risk from a power loss`;
  }
  /** For how many writes OK was said; a promise stays a promise. */
  promised(step) { return this.writes.reduce((count, write) => count + (write[3] > 0 && write[3] <= step), 0); }
  board(step) {
    const name = this.names[0], row = this.row(name, step);
    const end = passed(this.writes, step, (write) => write[2]);
    const first = Math.max(0, end - NEWEST), shown = this.writes.slice(first, end);
    const said = (write) => write[3] > 0 && write[3] <= step;
    const rows = [["OK was said", "✓", "K", shown.map((write) => (said(write) ? "in" : "out"))]];
    for (const [words, letter, mark] of this.tiers) {
      rows.push([`${words} of ${name}`, letter, letter, shown.map((write) => {
        if (this.lost(write, row, step)) return "gone";
        if (!this.holds(row, mark)) return "out";
        if (mark === "buffer") return row.written <= write[1] && write[1] < row.executed ? "in" : "out";
        return write[1] < row[mark] ? "in" : "out";
      })]);
    }
    return { shown, rows, lost: shown.map((write) => this.lost(write, row, step)),
             groups: this.groups(row, first, end, said, step) };
  }
  groups(row, first, end, said, step) {
    const safe = this.appendonly ? row.platter : row.durable_snapshot;
    const lost = [], risky = [];
    for (let place = 0; place < end; place++) {
      const write = this.writes[place];
      if (!said(write)) continue;
      if (this.lost(write, row, step)) lost.push(place);
      else if (write[1] >= safe) risky.push(place);
    }
    const group = (places, fate, tone) => {
      const names = this.named(places);
      const count = places.length > NEWEST ? ` (${grouped(places.length)} writes)` : "";
      const columns = places.filter((place) => place >= first).map((place) => place - first);
      return { columns, tone, text: `${names}${count}: ${fate}` };
    };
    const groups = [];
    if (lost.length) groups.push(group(lost, `OK was said, and ${lost.length === 1 ? "it is" : "they are"} gone`, "gone"));
    if (row.state !== UP) return groups;
    if (risky.length) {
      const blow = row["process kill"] === row["power loss"] ? "any crash" : "a power loss";
      groups.push(group(risky, `OK was said, ${blow} would erase ${risky.length === 1 ? "it" : "them"}`, "risk"));
    } else if (row.acknowledged && !lost.length) {
      groups.push({ columns: [], tone: "safe", text: "every OK so far would survive a power loss" });
    }
    return groups;
  }
  /** Neighbours together; of many runs of neighbours only the first write and the last. */
  named(places) {
    const runs = [];
    places.forEach((place, rank) => {
      if (!rank || places[rank - 1] + 1 !== place) runs.push([]);
      runs[runs.length - 1].push(this.writes[place][0]);
    });
    return runs.length <= MOST_RUNS ? runs.map(ranged).join(", ") : `${runs[0][0]} … ${runs[runs.length - 1].slice(-1)[0]}`;
  }
  nextBeat(step) { return this.beats[passed(this.beats, step)]; }
  lastBeat(step) { return this.beats[passed(this.beats, step - 1) - 1] ?? 0; }
}
