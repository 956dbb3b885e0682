/* Where are my bytes?  The newest writes by place, drawn.
 *
 * The law of this file: a letter or a shape in every cell, never a colour alone.
 */

const BOARD = { width: 572, left: 168, pitch: 41, top: 18, row: 20 };

function drawBoard({ names, rows, lost, groups }) {
  const bottom = BOARD.top + 12 + rows.length * BOARD.row;
  const svg = make("svg", { viewBox: `0 0 ${BOARD.width} ${bottom + 40}`, class: "dr-board", role: "img" },
    text(0, BOARD.top, "Where are my bytes?", { class: "dr-title" }));
  const x = (column) => BOARD.left + BOARD.pitch * column + 10;
  if (!names.length) svg.append(text(BOARD.left, BOARD.top, "nothing was written yet: press ▶ play", { class: "soft" }));
  names.forEach((name, column) => svg.append(
    text(x(column), BOARD.top, name.slice(0, 6), { class: `dr-column${lost[column] ? " lost" : ""}` })));
  rows.forEach(([words, letter, cells], rank) => {
    const y = BOARD.top + 22 + rank * BOARD.row;
    svg.append(text(0, y + 4, words));
    cells.forEach((cell, column) => svg.append(...drawCell(cell, letter, x(column), y)));
  });
  let line = bottom + 19;
  for (const { runs, text: words, tone } of groups) {
    for (const [first, last] of runs) svg.append(make("rect", { class: "dr-fence", rx: 6, x: x(first) - 17, y: BOARD.top + 9,
      width: BOARD.pitch * (last - first) + 34, height: rows.length * BOARD.row + 5 }));
    for (const part of lines(words, BOARD_LINE)) {
      svg.append(text(0, line, part, { class: `dr-fate ${tone}`, "data-tone": tone }));
      line += 17;
    }
  }
  svg.setAttribute("viewBox", `0 0 ${BOARD.width} ${Math.max(bottom + 40, line)}`);
  svg.setAttribute("aria-label", ["Where are my bytes?", ...groups.map((group) => group.text)].join(" "));
  return svg;
}

const BOARD_LINE = 84; // so many letters of a sentence stand in one line

/** Words in lines of at most so many letters. */
function lines(words, width) {
  if (words.length <= width) return [words];
  const cut = words.lastIndexOf(" ", width);
  return [words.slice(0, cut), ...lines(words.slice(cut + 1), width)];
}

function drawCell(cell, letter, x, y) {
  if (cell === "none") return [];
  if (cell === "gone") return [text(x, y + 5, "✕", { class: "dr-cross" })];
  if (cell === "out") return [make("circle", { class: "dr-empty", cx: x, cy: y, r: 7 })];
  const [sign, tone] = letter === "OK" ? ["✓", "K"] : [letter, letter], dark = "BCS".includes(tone) ? " dark" : "";
  return [make("circle", { class: `dr-${tone}`, cx: x, cy: y, r: 7.6 }), text(x, y + 3.5, sign, { class: `dr-letter${dark}` })];
}
