/* The menu beside what was clicked.
 *
 * The law of this file: it offers the acts that the kernel has listed for such a thing, and calls the one that is chosen.
 * It is left with Escape, and gives the focus back.
 */

class Menu {
  constructor(stage) {
    this.stage = stage;
    this.root = make("div", { class: "dr-menu", role: "menu", hidden: "" });
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.root.addEventListener("focusout", (event) => { if (!this.root.contains(event.relatedTarget)) this.close(); });
  }
  /** `target` is {menu, title} and the names that its acts speak of; it stands beside `box`, or at the point `at`. */
  open(target, opener) {
    const entries = this.stage.console.model.get("menus")[target.menu] ?? [];
    this.opener = opener;
    const items = entries.map((act) => {
      const words = filled(act.words, target);
      const item = button(words, () => { this.close(true); this.stage.console.act(act.verb, bound(act.arguments, target), undefined, act.options); },
        { role: "menuitem", tabindex: -1, "data-act": words, "data-harm": act.harm });
      item.addEventListener("pointerenter", () => item.focus({ preventScroll: true })); // one of them is marked, not two
      return item;
    });
    const first = entries.findIndex((act) => !act.harm && entries[0].harm);
    if (first > 0) items.splice(first, 0, make("hr"));
    this.root.replaceChildren(make("p", {}, target.title), ...items);
    this.root.setAttribute("aria-label", target.title);
    this.root.hidden = false;
    this.put(target);
    this.root.querySelector("button")?.focus({ preventScroll: true });
  }
  /** To the right of a box if there is room, else to its left. */
  put({ box, at }) {
    const { width } = this.stage.svg.viewBox.baseVal, shown = this.stage.svg.getBoundingClientRect().width, scale = shown / width;
    const { offsetWidth: wide } = this.root;
    let left, top;
    if (box) {
      const [x, y, boxWidth] = box, right = (x + boxWidth) * scale + 12;
      left = right + wide <= shown ? right : x * scale - 12 * scale - wide;
      top = (y - 8) * scale;
    } else {
      left = Math.min(at[0] * scale, shown - wide);
      top = at[1] * scale;
    }
    this.root.style.left = `${Math.max(0, left)}px`;
    this.root.style.top = `${top}px`;
  }
  close(focus = false) {
    if (this.root.hidden) return;
    this.root.hidden = true;
    if (focus) this.opener?.focus({ preventScroll: true });
  }
  key(event) {
    const items = [...this.root.querySelectorAll("button")], at = items.indexOf(event.target);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
    if (event.key === "Escape") this.close(true);
    else if (to !== undefined) items[(to + items.length) % items.length].focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

/** What an act says, or takes, of this target: the names of the target stand for {name}, {other}, {group}, {party}. */
const filled = (words, target) => words.replace(/\{(\w+)\}/g, (_, part) => target[part]);
const bound = (value, target) => {
  if (Array.isArray(value)) return value.map((item) => bound(item, target));
  return /^\{\w+\}$/.test(value) ? target[value.slice(1, -1)] : value;
};
