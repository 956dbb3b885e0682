/* The ways between the boxes, and places on them.
 *
 * The law of this file: arithmetic on the routes that layout.py has laid, as roomview.py does it.
 */

/** The corners of the way from one box to another; none if there is no way. */
function wayOf({ routes }, one, other) {
  return routes[`${one} ${other}`] ?? [...(routes[`${other} ${one}`] ?? [])].reverse();
}
const pathOf = (points) => `M${points.map((point) => point.join(",")).join("L")}`;
const pieces = (points) => points.slice(1).map(([x, y], place) => Math.abs(x - points[place][0]) + Math.abs(y - points[place][1]));
/** The place on a way, as a part of its length. */
function along(points, part) {
  const lengths = pieces(points);
  let left = part * lengths.reduce((sum, length) => sum + length);
  for (let place = 0; place < lengths.length; place++) {
    if (left <= lengths[place]) {
      const [[x1, y1], [x2, y2]] = points.slice(place), within = lengths[place] ? left / lengths[place] : 0;
      return [Math.round(x1 + (x2 - x1) * within), Math.round(y1 + (y2 - y1) * within)];
    }
    left -= lengths[place];
  }
  return points.at(-1);
}
const ENTRY = 30; // so long is the last piece of a way that enters a card from above, at least
/** The place on a way for a dot, and where its words stand: "right" of it, "beside" it in a channel, "above" it. */
function spotOn(points) {
  const lengths = pieces(points), isUpright = (place) => points[place][0] === points[place + 1][0];
  const upright = [0, lengths.length - 1].filter((place) => isUpright(place) && lengths[place] >= ENTRY);
  const candidates = upright.length ? upright : lengths.map((_, place) => place);
  const place = candidates.reduce((best, next) => (lengths[next] > lengths[best] ? next : best));
  const [[x1, y1], [x2, y2]] = points.slice(place);
  return { at: [Math.round((x1 + x2) / 2), Math.round((y1 + y2) / 2)], where: upright.length ? "right" : points.length > 4 ? "beside" : "above" };
}
