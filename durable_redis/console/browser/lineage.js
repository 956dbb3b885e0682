/* The writes of a room as a tree: which writes a node holds, in two numbers (a line, and how many along it).
 *
 * The law of this file: the same arithmetic as in lineage.py, where it is explained; lines are [parent, shared] each.
 */

const NOTHING = -1; // the line of a node that holds nothing

/** Whether a data set of `count` writes along a line holds the write at a place of the line `of`. */
function isHeld(lines, line, count, of, place) {
  if (place >= count) return false;
  while (line !== of && line !== NOTHING && place < lines[line][1]) [line] = lines[line];
  return line === of;
}

/** How many writes two data sets share, from the first one on. */
function inCommon(lines, line, count, other, others) {
  const mine = new Map(); // the lines from which the first one comes, and up to where it shares each
  for (let shared = Infinity; line !== NOTHING; shared = Math.min(shared, lines[line][1]), [line] = lines[line]) mine.set(line, shared);
  let shared = others;
  while (other !== NOTHING && !mine.has(other)) {
    shared = Math.min(shared, lines[other][1]);
    [other] = lines[other];
  }
  return other === NOTHING ? 0 : Math.min(count, shared, mine.get(other));
}
