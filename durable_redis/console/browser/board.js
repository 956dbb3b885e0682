/* Where are my bytes?  The newest writes by place; and beside it the tabs.
 *
 * The law of this file: a letter or a shape in every cell, never a colour alone; what the tabs show came from the
 * kernel as plain data, and is set as text, never as HTML.
 */

const BOARD = { width: 588, left: 168, pitch: 41, top: 18, row: 20 };

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

/** Story, and whatever panels the kernel sends: [{name, blocks: [[kind, ...]]}]. */
class Tabs {
  constructor(model) {
    this.model = model;
    this.bar = make("div", { class: "dr-tabs", role: "tablist" });
    this.panel = make("div", { class: "dr-panel", role: "tabpanel", tabindex: 0 });
    this.root = make("section", { class: "dr-side" }, this.bar, this.panel);
    this.bar.addEventListener("keydown", (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!by) return;
      const names = this.names(), at = names.indexOf(model.get("tab"));
      this.choose(names[(at + by + names.length) % names.length]);
      this.bar.querySelector("[aria-selected=true]").focus();
      event.preventDefault();
    });
  }
  names() { return ["Story", ...this.model.get("panels").map((panel) => panel.name)]; }
  choose(name) { this.model.set("tab", name); this.model.save_changes(); }

  paint(film, step) {
    const panels = this.model.get("panels"), names = this.names();
    const chosen = names.includes(this.model.get("tab")) ? this.model.get("tab") : "Story";
    if (this.bar.dataset.names !== names.join()) {
      this.bar.dataset.names = names.join();
      this.bar.replaceChildren(...names.map((name) => {
        const tab = make("button", { type: "button", role: "tab", "data-tab": name }, name);
        tab.addEventListener("click", () => this.choose(name));
        return tab;
      }));
    }
    for (const { name, mark } of panels) {
      if (!mark) continue;
      const tab = this.bar.querySelector(`[data-tab="${name}"]`);
      tab.textContent = `${name} ${mark.replace(" of ", "/")}`;
      tab.setAttribute("aria-label", `${name}, ${mark} done`);
    }
    for (const tab of this.bar.children) {
      tab.setAttribute("aria-selected", tab.dataset.tab === chosen);
      tab.tabIndex = tab.dataset.tab === chosen ? 0 : -1;
    }
    this.root.dataset.tab = chosen;
    this.panel.setAttribute("aria-label", chosen);
    const panel = panels.find(({ name }) => name === chosen), shown = panel ? JSON.stringify(panel) : null;
    if (shown && shown === this.shown) return; // what was opened or selected in it stays so
    this.shown = shown;
    this.panel.replaceChildren(...(panel ? panel.blocks.map(drawBlock) : this.story(film, step)));
  }
  story(film, step) {
    const end = passed(film.beats, step), beats = film.beats.slice(Math.max(0, end - STORY), end).reverse();
    if (!beats.length) return [make("p", {}, "Nothing has happened yet.")];
    return beats.map((beat) => make("p", {}, make("time", {}, (film.atUs(beat) / 1e6).toFixed(3)), film.told(beat)));
  }
}

function drawBlock([kind, ...content]) {
  switch (kind) {
    case "big": return make("span", { class: `dr-big ${content[2]}` }, make("b", {}, content[0]), content[1]);
    case "heading": return make("h4", {}, content[0]);
    case "code": return make("pre", {}, content[0]);
    case "task": return drawTask(...content);
    case "rows": return make("table", {}, ...content[0].map((cells) => make("tr", {}, ...cells.map((cell) => make("td", {}, cell)))));
    default: return make("p", {}, content[0]);
  }
}

function drawTask(words, done, hint, remark) {
  const text = make("div", {}, make("p", {}, make("span", { class: "dr-unseen" }, done ? "done: " : "to do: "), words));
  if (remark) text.append(make("p", { class: "dr-remark" }, remark));
  if (hint && !done) text.append(make("details", {}, make("summary", {}, "hint"), hint));
  return make("div", { class: "dr-task", "data-done": done }, make("span", { class: "dr-tick", "aria-hidden": "true" }, done ? "✓" : ""), text);
}
