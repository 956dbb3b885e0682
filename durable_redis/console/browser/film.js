/* The film of a run: what is shown after a step, looked up in the columns that the kernel shipped.
 *
 * The law of this file: no drawing.  The same stills are computed in model.py, and a test compares the two.
 */

const UP = 0, STARTING = 1; // states of a node
const NEWEST = 10, STORY = 7; // writes on the board, lines of the story

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
  amount(row, mark) { return mark === "buffer" ? Math.max(0, row.executed - row.written) : row[mark]; }
  surviving(row) { return this.appendonly ? row.written : row.snapshot; }
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
    const name = this.names[0], row = this.row(name, step), told = row.acknowledged;
    if (row.state !== UP) {
      const gone = row["process kill"], since = row.since_us ? ` since ${clock(row.since_us)}` : "";
      return `${name} ${this.texts[row.note]}${since} · ${grouped(told)} acknowledged · ` +
        `${grouped(told - gone)} on its disk · ${grouped(gone)} gone`;
    }
    const risk = row["power loss"];
    return `${name} ${this.texts[row.role]}, ${this.texts[row.note]} · ${grouped(told)} acknowledged · ` +
      `${grouped(told - risk)} durable · ${grouped(risk)} at risk from a power loss`;
  }
  board(step) {
    const name = this.names[0], row = this.row(name, step);
    const end = passed(this.writes, step, (write) => write[2]);
    const first = Math.max(0, end - NEWEST), shown = this.writes.slice(first, end);
    const said = (write) => write[3] > 0 && write[3] <= step;
    const rows = [["OK was said", "✓", "K", shown.map((write) => (said(write) ? "in" : "out"))]];
    for (const [words, letter, mark] of this.tiers) {
      rows.push([`${words} of ${name}`, letter, letter, shown.map((write) => {
        if (this.lost(write, row, step)) return "gone";
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
      const names = ranged(places.map((place) => this.writes[place][0]));
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
  nextBeat(step) { return this.beats[passed(this.beats, step)]; }
  lastBeat(step) { return this.beats[passed(this.beats, step - 1) - 1] ?? 0; }
}
