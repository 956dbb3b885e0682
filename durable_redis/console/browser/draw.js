/* Small tools: elements of HTML and SVG. */

const SVG = "http://www.w3.org/2000/svg";
const SVG_TAGS = new Set(["svg", "g", "rect", "circle", "line", "path", "text", "tspan"]); // SVG here, all else HTML

function make(tag, attributes = {}, ...children) {
  const element = SVG_TAGS.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}
const text = (x, y, words, attributes = {}) => make("text", { x, y, ...attributes }, words);
/** As many of the parts between dots as have room in so many pixels: the last ones, which tell what is not as usual. */
function fitting(words, width) {
  return words.length * 5.7 > width && words.includes(" · ") ? fitting(words.slice(words.indexOf(" · ") + 3), width) : words;
}
function button(words, press, attributes = {}) {
  const made = make("button", { type: "button", ...attributes }, words);
  made.addEventListener("click", press);
  return made;
}
/** Enter and Space do what a click does. */
function pressable(element, press) {
  element.addEventListener("click", press);
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    press();
  });
}
