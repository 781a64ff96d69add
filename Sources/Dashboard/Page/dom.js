// Makes elements, and brings what is shown in line with what should be. Text from outside only ever becomes text nodes
// and attributes: the page's policy (require-trusted-types-for) has the browser refuse anything else.

const svgTags = new Set(["svg", "path", "rect", "line", "circle"]);
const handlers = [
  "onclick", "oninput", "onchange", "onsubmit", "onkeydown", "onpointermove", "onpointerleave", "onblur", "onfocus",
];

// Fields whose value the page decides; what somebody types into others is theirs.
const given = new WeakSet();

const shownChildren = (children) =>
  children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false && child !== "");

/** Makes an element. Attributes that are null or false are left out; names in "on" are handlers. */
export function h(tag, attributes, ...children) {
  const node = svgTags.has(tag)
    ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node[name] = value;
    else if (name !== "value") node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...shownChildren(children).map((child) => (child instanceof Node ? child : String(child))));
  if (attributes?.value !== undefined) {
    // That of a list is one of its options, which are there by now.
    node.value = attributes.value;
    given.add(node);
  }
  return node;
}

/**
 * Makes an element's children what is wanted. What is there already stays, so that the focus, a selection and the place
 * on the page do; children with a data-key are known by it.
 */
export function patch(parent, ...children) {
  const wanted = shownChildren(children).map((child) => (child instanceof Node ? child : new Text(String(child))));
  const keyed = new Map();
  for (const child of parent.childNodes) if (child.dataset?.key) keyed.set(child.dataset.key, child);
  let place = parent.firstChild;
  for (const next of wanted) {
    const key = next.dataset?.key;
    const found = key ? keyed.get(key) : place && !place.dataset?.key ? place : null;
    if (!found || !isAlike(found, next)) {
      parent.insertBefore(next, place);
      continue;
    }
    if (key) keyed.delete(key);
    if (found === place) place = place.nextSibling;
    else parent.insertBefore(found, place);
    update(found, next);
  }
  while (place) {
    const after = place.nextSibling;
    place.remove();
    place = after;
  }
}

/** By attributes: as properties, a form has its fields besides, by their names. */
function isAlike(node, next) {
  return node.nodeName === next.nodeName && ["id", "type"].every((name) =>
    node.getAttribute?.(name) === next.getAttribute?.(name));
}

function update(node, next) {
  if (node.nodeType === Node.TEXT_NODE) {
    if (node.data !== next.data) node.data = next.data;
    return;
  }
  for (const { name } of [...node.attributes]) {
    // What somebody has opened stays open.
    if (!next.hasAttribute(name) && name !== "open") node.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (node.getAttribute(name) !== value) node.setAttribute(name, value);
  }
  for (const name of handlers) if (node[name] !== next[name]) node[name] = next[name];
  patch(node, ...next.childNodes);
  if (given.has(next) && node.value !== next.value && node !== document.activeElement) node.value = next.value;
}

let isWaiting = false;
let draw = () => {};

/** Says what draws the page. */
export function drawWith(drawing) {
  draw = drawing;
}

/** Has the page drawn anew, once, however often it is called meanwhile. */
export function invalidate() {
  if (isWaiting) return;
  isWaiting = true;
  requestAnimationFrame(() => {
    isWaiting = false;
    draw();
  });
}

let noticeTimer = null;

/** Says something to everybody, screen readers included. */
export function announce(text) {
  const notice = document.getElementById("notice");
  clearTimeout(noticeTimer);
  patch(notice, h("p", null, text));
  noticeTimer = setTimeout(() => patch(notice), 6000);
}
