/* What is shown after a step: the status, the machines, the wires, the messages.
 *
 * The law of this file: no drawing.  The same is computed in model.py, and a test compares the two, part by part.
 */

const SHAPES = ["●", "◌", "✕", "✕"]; // the shape that goes with each state of a node
const REPLICA = "○", PAUSED = "‖";
const LINK_UP = 1;
const STORY = 7; // lines

class Still {
  constructor(film, step) {
    this.film = film;
    this.step = step;
    this.now = film.atUs(step);
    this.rows = Object.fromEntries(film.names.map((name) => [name, film.row(name, step)]));
    this.trouble = film.trouble(step);
    this.heads = film.heads.map((column, share) => this.head(film.values(column, step)[0], film.shares[share]));
    this.promised = film.writes.filter(([, , , answered]) => answered > 0 && answered <= step);
    this.clients = Object.fromEntries(Object.keys(film.room.clients).map((name) => [name, film.client(name, step)]));
    this.fates = fatesOf(this);
    this.status = film.many ? this.statusOfMany() : this.statusOfOne();
    this.nodes = Object.fromEntries(film.names.map((name) => [name, this.node(name)]));
    this.controls = Object.fromEntries(film.watchers.map((name) => [name, this.control(name)]));
    this.wires = this.allWires();
    this.messages = this.allMessages();
    this.board = boardOf(this);
  }
  /** Where a client of a share of the data would be sent, and how many writes of it would outlive its death. */
  head(place, nodes) {
    if (place < 0) return null;
    const name = this.film.names[place], row = this.rows[name];
    const others = nodes.filter((other) => other !== name && this.rows[other].state <= STARTING);
    return { name, row, others, safe: Math.max(row.log, ...others.map((other) => this.film.common(row, this.rows[other]))) };
  }

  // -- the status -----------------------------------------------------------------------------------------------------

  statusOfOne() {
    const { film } = this, [name] = film.names, row = this.rows[name], told = this.promised.length;
    if (row.state !== UP) {
      const present = row.acknowledged - row["process kill"], since = row.since_us ? ` since ${clock(row.since_us)}` : "";
      return `${name} ${film.texts[row.note]}${since} · ${grouped(told)} acknowledged · ` +
        `${grouped(present)} on its disk · ${grouped(told - present)} gone`;
    }
    const risk = row["power loss"], present = row.acknowledged;
    const kept = present < told ? `${grouped(present)} present` : `${grouped(told - risk)} durable`;
    return `${name} ${film.texts[row.role]}, ${film.texts[row.note]} · ${grouped(told)} acknowledged · ` +
      `${kept} · ${grouped(risk)} at risk from a power loss`;
  }
  statusOfMany() {
    const { film, rows } = this, isUp = (name) => rows[name].state === UP;
    const leading = this.heads.filter((head) => head && isUp(head.name)).map((head) => head.name);
    const rivals = film.names.filter((name) => isUp(name) && !leading.includes(name) && film.texts[rows[name].role] === "primary");
    const down = film.names.filter((name) => rows[name].state > STARTING);
    const count = (kind) => [...this.fates.values()].filter((fate) => fate === kind).length;
    const words = [leading.length ? `${listed(leading)} ${leading.length === 1 ? "primary" : "primaries"}` : "no primary"];
    if (rivals.length && leading.length) words.push(`${listed(rivals)} ${rivals.length === 1 ? "calls itself" : "call themselves"} primary too`);
    else if (rivals.length) words.push(`${listed(rivals)} promoted, and clients not told yet`);
    if (down.length) words.push(`${listed(down)} down`);
    words.push(`${grouped(this.promised.length)} acknowledged`);
    if (count("gone")) words.push(`${grouped(count("gone"))} gone`);
    if (count("disk")) words.push(`${grouped(count("disk"))} only on a disk`);
    if (leading.length) words.push(`${grouped(count("risk"))} at risk from the death of ${this.heads.length === 1 ? leading[0] : "a primary"}`);
    return words.join(" · ");
  }
  /** How many acknowledged writes a crash (of any primary) would erase now; null: it cannot happen. */
  atRisk(crash) {
    const known = this.heads.filter(Boolean).map(({ row }) => riskOf(row, crash)).filter((risk) => risk !== null);
    return known.length ? known.reduce((sum, risk) => sum + risk) : null;
  }

  // -- machines -------------------------------------------------------------------------------------------------------

  node(name) {
    const { film } = this, row = this.rows[name], down = row.state >= KILLED;
    return {
      state: row.state, shape: this.shape(row), role: film.texts[down ? row.note : row.role], note: this.note(name, row),
      detail: film.many ? this.detail(row) : "",
      lanes: film.tiers.map(([words, letter, mark]) => [words, letter, film.amount(row, mark)]),
      dark: film.tiers.filter(([, , mark]) => !film.has(row, mark)).map(([words]) => words),
    };
  }
  shape(row) {
    if (this.isPaused(row)) return PAUSED;
    if (row.state === UP && this.film.many && this.film.texts[row.role] === "replica") return REPLICA;
    return SHAPES[row.state];
  }
  isPaused(row) { return row.state <= STARTING && row.paused_us > this.now; }
  /** What a node says of itself, in a few words. */
  note(name, row) {
    const { film } = this;
    let words = film.texts[row.note];
    if (row.state >= KILLED && row.since_us) words = this.downFor(row);
    else if (this.isPaused(row)) words = this.pausedFor(row);
    if (film.many) return row.state >= KILLED ? "" : words === "up" ? this.lag(row) : words;
    return film.fsyncing(name, this.step) ? `${words} · fsync running` : words;
  }
  downFor(row) { return `down ${((this.now - row.since_us) / 1e6).toFixed(2)} s`; }
  pausedFor(row) { return `paused for ${((row.paused_us - this.now) / 1e6).toFixed(2)} s`; }
  /** Of a replica that is up: how far it is behind its primary. */
  lag(row) {
    const primary = this.rows[this.film.texts[row.primary]];
    if (!primary) return "up";
    if (row.link !== LINK_UP) return "link down";
    const late = primary.held - this.film.common(primary, row);
    return late > 0 ? `${grouped(late)} behind` : "in step";
  }
  detail(row) {
    if (row.state >= KILLED) return row.since_us ? this.downFor(row) : "";
    const [primary, slots, extra] = [row.primary, row.slots, row.extra].map((number) => this.film.texts[number]);
    const words = primary ? [`of ${primary}`] : [];
    if (slots) words.push(`slots ${slots}`);
    if (row.epoch) words.push(`epoch ${row.epoch}`);
    else if (!extra) words.push(`offset ${grouped(row.offset)}`);
    return [...words, ...(extra ? [extra] : [])].join(" · ");
  }
  control(name) {
    const { film } = this, row = film.control(name, this.step);
    let title = film.texts[row.title];
    if (row.state !== UP) title = this.downFor(row);
    else if (row.paused_us > this.now) title = this.pausedFor(row);
    return { state: row.state, title, belief: film.texts[row.belief], tone: row.tone };
  }

  // -- wires ----------------------------------------------------------------------------------------------------------

  /** From a primary to each replica, and from a client to whom it is connected. */
  allWires() {
    const { film, rows, step } = this, found = [];
    for (const name of film.names) {
      const primary = film.texts[rows[name].primary];
      if (film.has_log || rows[name].state > STARTING || !rows[primary]) continue;
      found.push(this.wire(primary, name, "replication", rows[name].link === LINK_UP && rows[primary].state <= STARTING));
    }
    if (film.has_log) found.push(...this.logWires());
    if (!film.many) {
      return Object.entries(this.clients).map(([name, words]) => this.wire(name, film.names[0], "client", words !== "not connected"));
    }
    for (const name of Object.keys(this.clients)) {
      const server = film.server(name, step);
      if (server) found.push(this.wire(name, server, "client", true));
    }
    if (film.crowd) {
      const leading = this.heads.filter((head) => head && head.row.state === UP);
      found.push(...leading.map(({ name }) => this.wire(film.crowd, name, "client", true)));
    }
    return found;
  }
  /** From each server to the replica that leads the log, and from that one to the others. */
  logWires() {
    const { film, rows, step } = this, controls = film.logs.map((name) => [name, film.control(name, step)]);
    const [leader, { leads }] = controls.reduce((best, next) => (next[1].leads > best[1].leads ? next : best));
    if (!leads) return [];
    return [...film.names.filter((name) => rows[name].state <= STARTING).map((name) => this.wire(name, leader, "log", true)),
      ...controls.filter(([name]) => name !== leader).map(([name, { state }]) => this.wire(leader, name, "log", state <= STARTING))];
  }
  wire(from, to, kind, up) {
    const between = (one, other) => (one === from && other === to) || (one === to && other === from);
    const cut = this.trouble.cut.filter((way) => between(...way)).length;
    const slow = this.trouble.slow.filter(([one, other]) => between(one, other)).map(([, , extra]) => extra);
    let words = cut === 2 ? "✂ cut" : cut ? "✂ one way" : slow.length ? `+${grouped(Math.max(...slow))} ms` : "";
    if (!words && !up && this.film.many) words = "✕ down";
    return { from, to, kind, state: cut ? "cut" : up ? "up" : "down", words };
  }
  /** What is in flight; of many on the same way, one for all, with the number of the oldest. */
  allMessages() {
    const { film, step } = this, found = new Map();
    const wired = new Set(this.wires.flatMap(({ from, to }) => [`${from} ${to}`, `${to} ${from}`]));
    const cut = new Set(this.trouble.cut.map((way) => way.join(" ")));
    for (const [number, from, to, text, first, last, holds] of film.flights) {
      if (first > step || (last && step >= last)) continue;
      const way = `${from} ${to}`, label = film.texts[text];
      if (film.many && cut.has(way) && !wired.has(way)) continue;
      const held = holds.some(([begin, end]) => begin <= step && (!end || step < end)), key = film.many ? way : number;
      if (found.has(key)) joinMessage(found.get(key), label, held);
      else found.set(key, { number, from, to, label, held, count: 1 });
    }
    return [...found.values()];
  }
}

/** How many acknowledged writes a crash would erase, by the row of the machine; null: nothing to kill, no power to lose. */
function riskOf(row, crash) {
  if ((row.state >= KILLED && crash === "process kill") || (row.state === OFF && crash === "power loss")) return null;
  return row.state === UP || crash === "failover" ? row[crash] : row[crash] - row["process kill"];
}

/** One more of the same way: `w13 to w17` if all carry writes, else the first. */
function joinMessage(message, label, held) {
  message.count += 1;
  message.held ||= held;
  const first = message.label.split(" to ")[0], last = label.split(" to ").at(-1);
  if (!first.includes(" ") && !last.includes(" ") && first !== last) message.label = `${first} to ${last}`;
}
