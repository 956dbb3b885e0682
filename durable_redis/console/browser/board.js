/* Where are my bytes?  The newest writes by place.
 *
 * The law of this file: a letter or a shape in every cell, never a colour alone.
 */

const BOARD = { width: 572, left: 168, pitch: 41, top: 18, row: 20 };

function drawBoard(film, step) {
  const { shown, rows, lost, groups } = film.board(step);
  const bottom = BOARD.top + 12 + rows.length * BOARD.row;
  const svg = make("svg", { viewBox: `0 0 ${BOARD.width} ${bottom + 40}`, class: "dr-board", role: "img" },
    text(0, BOARD.top, "Where are my bytes?", { class: "dr-title" }));
  const x = (column) => BOARD.left + BOARD.pitch * column + 10;
  if (!shown.length) svg.append(text(BOARD.left, BOARD.top, "nothing was written yet: press ▶ play", { class: "soft" }));
  shown.forEach((write, column) => svg.append(
    text(x(column), BOARD.top, write[0].slice(0, 6), { class: `dr-column${lost[column] ? " lost" : ""}` })));
  rows.forEach(([words, letter, tone, cells], rank) => {
    const y = BOARD.top + 22 + rank * BOARD.row;
    svg.append(text(0, y + 4, words));
    cells.forEach((cell, column) => svg.append(...drawCell(cell, letter, tone, x(column), y)));
  });
  let line = bottom + 19;
  for (const { columns, text: words, tone } of groups) {
    if (columns.length) svg.append(make("rect", { class: "dr-fence", rx: 6, x: x(columns[0]) - 17, y: BOARD.top + 9,
      width: BOARD.pitch * (columns[columns.length - 1] - columns[0]) + 34, height: rows.length * BOARD.row + 5 }));
    svg.append(text(0, line, words, { class: `dr-fate ${tone}`, "data-tone": tone }));
    line += 17;
  }
  svg.setAttribute("aria-label", ["Where are my bytes?", ...groups.map((group) => group.text)].join(" "));
  return svg;
}

function drawCell(cell, letter, tone, x, y) {
  if (cell === "gone") return [text(x, y + 5, "✕", { class: "dr-cross" })];
  if (cell === "out") return [make("circle", { class: "dr-empty", cx: x, cy: y, r: 7 })];
  const dark = tone === "C" || tone === "B" || tone === "S" ? " dark" : "";
  return [make("circle", { class: `dr-${tone}`, cx: x, cy: y, r: 7.6 }), text(x, y + 3.5, letter, { class: `dr-letter${dark}` })];
}
