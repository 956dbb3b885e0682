/* The tabs: the story, and whatever panels the kernel sends, {name, mark, blocks: [[kind, ...]]} (see panels.py).
 *
 * The law of this file: what a panel shows came from the kernel as plain data, and is set as text, never as HTML.  A panel
 * that has not changed is not drawn again, so that what was opened, selected or typed in it stays so.
 */

class Tabs {
  constructor(console_) {
    this.console = console_;
    this.model = console_.model;
    this.bar = make("div", { class: "dr-tabs", role: "tablist", "aria-label": "about this run" });
    this.panel = make("div", { class: "dr-panel", role: "tabpanel", tabindex: 0 });
    this.root = make("section", { class: "dr-side" }, this.bar, this.panel);
    this.loader = loader((text) => console_.act("load", [text]));
    this.bar.addEventListener("keydown", (event) => {
      const names = this.names(), at = names.indexOf(this.chosen);
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 }[event.key];
      if (to === undefined) return;
      this.choose(names.at(to % names.length));
      this.bar.querySelector("[aria-selected=true]").focus();
      event.preventDefault();
    });
  }
  names() { return ["Story", ...this.model.get("panels").map((panel) => panel.name)]; }
  choose(name) {
    this.model.set("tab", name);
    this.model.save_changes();
    this.console.paint();
  }

  paint(film, step) {
    const panels = this.model.get("panels"), names = this.names(), wanted = this.model.get("tab");
    this.chosen = names.includes(wanted) ? wanted : "Story";
    this.paintBar(names, panels);
    this.root.dataset.tab = this.chosen;
    this.panel.setAttribute("aria-label", this.chosen);
    const panel = panels.find(({ name }) => name === this.chosen), shown = panel ? JSON.stringify(panel) : null;
    if (shown && shown === this.shown) return;
    this.shown = shown;
    this.panel.replaceChildren(...(panel ? panel.blocks.map((block) => this.block(block)) : story(film, step)));
  }
  paintBar(names, panels) {
    if (this.bar.dataset.names !== names.join()) {
      this.bar.dataset.names = names.join();
      this.bar.replaceChildren(...names.map((name) => {
        const tab = make("button", { type: "button", role: "tab", "data-tab": name }, name);
        tab.addEventListener("click", () => this.choose(name));
        return tab;
      }));
    }
    for (const tab of this.bar.children) {
      tab.setAttribute("aria-selected", tab.dataset.tab === this.chosen);
      tab.tabIndex = tab.dataset.tab === this.chosen ? 0 : -1;
    }
    for (const { name, mark } of panels.filter((panel) => panel.mark)) {
      const tab = this.bar.querySelector(`[data-tab="${name}"]`);
      tab.textContent = `${name} ${mark.replace(" of ", "/")}`;
      tab.setAttribute("aria-label", `${name}, ${mark} done`);
    }
  }

  block([kind, ...content]) {
    switch (kind) {
      case "big": return make("span", { class: `dr-big ${content[2]}` }, make("b", {}, content[0]), content[1]);
      case "heading": return make("h4", {}, content[0]);
      case "code": return make("pre", {}, content[0]);
      case "rows": return make("table", {}, ...content[0].map((cells) => row(cells, "td")));
      case "table": return make("table", { class: "dr-table" }, row(content[0], "th"), ...content[1].map((cells) => row(cells, "td")));
      case "task": return task(...content);
      case "choose": return this.choice(...content);
      case "goto": return make("div", { class: "dr-gotos" }, ...content[0].map((row) => this.goto(...row)));
      case "share": return content[0] ? shared(content[0]) : button("make the line", () => this.console.act("share", []));
      case "load": return this.loader;
      default: return make("p", {}, content[0]);
    }
  }
  /** A list to choose from: choosing asks the kernel. */
  choice(words, verb, options, chosen) {
    const list = make("select", { "aria-label": words }, ...options.map((option) => make("option", { value: option }, option)));
    list.value = chosen;
    list.addEventListener("change", () => this.console.act(verb, [list.value]));
    return make("label", { class: "dr-choice" }, words, list);
  }
  /** A step of a branch: a click goes there. */
  goto(branch, step, words) {
    const row = button("", () => this.console.act("visit", [branch, step]), { class: "dr-goto", title: `go to step ${grouped(step)} of ${branch}` });
    row.append(make("b", { "aria-hidden": "true" }, "≠"), make("span", {}, make("b", {}, `${branch}: `), words));
    return row;
  }
}

const row = (cells, tag) => make("tr", {}, ...cells.map((cell) => make(tag, {}, cell)));

function story(film, step) {
  const end = passed(film.beats, step), beats = film.beats.slice(Math.max(0, end - STORY), end).reverse();
  if (!beats.length) return [make("p", {}, "Nothing has happened yet.")];
  return beats.map((beat) => make("p", {}, make("time", {}, (film.atUs(beat) / 1e6).toFixed(3)), film.told(beat)));
}

function task(words, done, hint, remark) {
  const told = make("div", {}, make("p", {}, make("span", { class: "dr-unseen" }, done ? "done: " : "to do: "), words));
  if (remark) told.append(make("p", { class: "dr-remark" }, remark));
  if (hint && !done) told.append(make("details", {}, make("summary", {}, "hint"), hint));
  return make("div", { class: "dr-task", "data-done": done }, make("span", { class: "dr-tick", "aria-hidden": "true" }, done ? "✓" : ""), told);
}

/** A line to select and to copy; without a clipboard (an insecure page) the old command copies the selection. */
function shared(line) {
  const field = make("input", { class: "dr-line", type: "text", readonly: "", value: line, "aria-label": "replay string", spellcheck: "false" });
  const copy = button("copy", async () => {
    field.select();
    const copied = await navigator.clipboard?.writeText(line).then(() => true, () => false) || document.execCommand("copy");
    copy.textContent = copied ? "copied" : "press Ctrl+C";
  });
  field.addEventListener("focus", () => field.select());
  return make("div", { class: "dr-field" }, field, copy);
}
function loader(load) {
  const field = make("input", { class: "dr-line", type: "text", "aria-label": "replay string to load", placeholder: "dr1;…", spellcheck: "false" });
  field.addEventListener("keydown", (event) => { if (event.key === "Enter") load(field.value); });
  return make("div", { class: "dr-field" }, field, button("load", () => load(field.value)));
}
