/* Where are my bytes?  The newest writes by place, and the fates that are worth a sentence.
 *
 * The law of this file: no drawing.  The same is computed in board.py, where the rules are explained.
 */

const NEWEST = 10, MOST_RUNS = 3; // writes on the board; runs of writes in a sentence, and fences
const LOST_SIGN = "✕ the write was promised, and is not there";
const them = (writes) => (writes.length === 1 ? "it" : "them");
const theyAre = (writes) => (writes.length === 1 ? "it is" : "they are");

/** By write, for those that are promised and not safe: "risk", "disk" or "gone". */
function fatesOf(still) {
  const found = new Map();
  if (!still.film.many) return found;
  for (const write of still.promised) {
    const fate = fateOf(still, write, still.heads[write[5]]);
    if (fate) found.set(write, fate);
  }
  return found;
}
function fateOf({ film, rows }, write, head) {
  if (!head) return "";
  if (head.row.state === UP) {
    if (!film.holds(head.row, head.row.held, write)) return "gone";
    return write[1] >= head.safe ? "risk" : "";
  }
  if (head.others.some((name) => film.holds(rows[name], rows[name].executed, write))) return "";
  if (film.has_log && film.holds(head.row, head.row.log, write)) return "";
  return film.holds(head.row, film.surviving(head.row), write) ? "disk" : "gone";
}
/** One node: a restart did not find this write, or would not find it now. */
const goneFrom = (film, row, write) => !film.holds(row, film.surviving(row), write);

function boardOf(still) {
  const { film, rows, step } = still, first = rows[film.names[0]];
  const end = passed(film.writes, step, (write) => write[2]), shown = film.writes.slice(Math.max(0, end - NEWEST), end);
  const lost = shown.map((write) => (film.many ? still.fates.get(write) === "gone" : goneFrom(film, first, write)));
  const told = shown.map(([, , , answered]) => (answered > 0 && answered <= step ? "in" : "out"));
  const found = [["OK was said", "OK", told], ...film.places.map(([name, words, letter, mark]) =>
    [name ? `${words} of ${name}` : `the ${words}`, letter, shown.map((write, column) => (name
      ? cellOf(film, write, lost[column], name, rows[name], mark) : inLog(still, write) ? "in" : lost[column] ? "gone" : "out"))])];
  const groups = film.many ? groupsOfMany(still, shown) : groupsOfOne(still, first, shown);
  if (found.some(([, , cells]) => cells.includes("gone"))) groups.push({ runs: [], text: LOST_SIGN, tone: "note" });
  return { names: shown.map(([name]) => name), lost, rows: found, groups };
}
/** Whether the shared log has a write, as far as any server has been told. */
function inLog({ film, rows }, write) { return film.shares[write[5]].some((name) => film.holds(rows[name], rows[name].log, write)); }
function cellOf(film, write, lost, name, row, mark) {
  if (!film.shares[write[5]].includes(name)) return "none";
  if (lost && !film.many) return "gone";
  const begin = mark === "buffer" ? row.written : 0, end = mark === "buffer" ? row.executed : row[mark];
  if (film.has(row, mark) && begin <= write[1] && film.holds(row, end, write)) return "in";
  return lost ? "gone" : "out";
}

function groupsOfOne(still, row, shown) {
  const { film, promised } = still, groups = [];
  const lost = promised.filter((write) => goneFrom(film, row, write));
  if (lost.length) groups.push(groupOf(film, lost, shown, `OK was said, and ${theyAre(lost)} gone`, "gone"));
  if (row.state !== UP) return groups;
  const safe = film.appendonly ? row.platter : row.durable_snapshot;
  const risky = promised.filter((write) => write[1] >= safe && !goneFrom(film, row, write));
  if (risky.length) {
    const inMemory = row["process kill"] === row["power loss"];
    const blow = inMemory ? "any crash would" : "a power loss may"; // of what is not synced, luck may keep a part
    groups.push(groupOf(film, risky, shown, `OK was said, ${blow} erase ${them(risky)}`, "risk"));
  } else if (row.acknowledged && !lost.length) {
    groups.push({ runs: [], tone: "safe", text: "every OK so far would survive a power loss" });
  }
  return groups;
}
function groupsOfMany(still, shown) {
  const { film, heads, fates, promised } = still, groups = [];
  for (const kind of ["gone", "disk", "risk"]) {
    heads.forEach((head, share) => {
      const writes = [...fates].filter(([write, fate]) => fate === kind && write[5] === share).map(([write]) => write);
      if (!writes.length || !head) return;
      const words = { gone: goneWords, disk: diskWords, risk: riskWords }[kind](still, writes, head);
      groups.push(groupOf(film, writes, shown, words, kind === "gone" ? "gone" : "risk"));
    });
  }
  if (film.has_log && promised.length && promised.every((write) => inLog(still, write))) {
    groups.push({ runs: [], tone: "safe", text: "every OK so far is in the shared log, and would survive the death of every node" });
  } else if (!fates.size && promised.length) {
    const death = heads.length === 1 && heads[0] ? `the death of ${heads[0].name}` : "the death of any one node";
    groups.push({ runs: [], tone: "safe", text: `every OK so far would survive ${death}` });
  }
  return groups;
}
function goneWords({ film, rows }, writes, head) {
  const keepers = film.shares[writes[0][5]].filter((name) => writes.some((write) => film.holds(rows[name], film.surviving(rows[name]), write)));
  if (!keepers.length) return `OK was said, and ${theyAre(writes)} gone`;
  const who = `only ${listed(keepers)} still ${keepers.length === 1 ? "has" : "have"} ${them(writes)}`;
  return `OK was said, and ${theyAre(writes)} gone for whoever asks ${head.name} (${who})`;
}
function diskWords(_, writes, head) {
  const failover = head.others.length ? `: a failover loses ${them(writes)}` : "";
  return `OK was said, and only the disk of ${head.name} has ${them(writes)}${failover}`;
}
function riskWords(_, writes, { name, others }) {
  let why = `${listed(others)} lack${others.length === 1 ? "s" : ""} ${them(writes)}`;
  if (!others.length) why = "no other node is up";
  else if (others.length > 2) why = `no other node has ${them(writes)}`;
  return `OK was said, the death of ${name} would erase ${them(writes)} (${why})`;
}

/** Writes that share a fate: the runs of columns that dashed boxes enclose, the sentence, and its tone. */
function groupOf(film, writes, shown, fate, tone) {
  const count = writes.length > NEWEST ? ` (${grouped(writes.length)} writes)` : "";
  const columns = shown.flatMap((write, column) => (writes.includes(write) ? [column] : [])), runs = [];
  for (const column of columns) {
    if (runs.length && runs.at(-1)[1] === column - 1) runs.at(-1)[1] = column;
    else runs.push([column, column]);
  }
  return { runs: runs.length <= MOST_RUNS ? runs : [], text: `${named(film, writes)}${count}: ${fate}`, tone };
}
/** Neighbours together; of many runs of neighbours only the first write and the last. */
function named(film, writes) {
  const share = film.writes.filter((write) => write[5] === writes[0][5]), places = new Map(share.map((write, place) => [write, place]));
  const runs = [];
  writes.forEach((write, rank) => {
    if (!rank || places.get(writes[rank - 1]) + 1 !== places.get(write)) runs.push([]);
    runs.at(-1).push(write[0]);
  });
  return runs.length <= MOST_RUNS ? runs.map(ranged).join(", ") : `${runs[0][0]} … ${runs.at(-1).at(-1)}`;
}
