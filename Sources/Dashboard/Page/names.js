// All services with the number of their instances, of which the API has no search: so they are searched here.

import { Resource, ask } from "./api.js";
import { invalidate } from "./dom.js";

/** More are not loaded; the page says so. */
export const maximumNames = 50000;

/** The services in order of their names. */
export const names = new Resource(load, invalidate, 1000);

/** Forgets them: somebody else may come who may not see them. */
export function forgetNames() {
  names.value = null;
}

async function load(signal) {
  const list = [];
  let cursor = "";
  do {
    const page = await ask("api/v1/names", { query: { limit: 1000, cursor }, signal });
    for (const name of page.names) {
      name.total = name.passing + name.warning + name.critical + name.draining;
      list.push(name);
    }
    cursor = page.next_cursor;
  } while (cursor && list.length < maximumNames);
  return { list, isComplete: !cursor };
}

/** Which services a filter is for. */
export const filters = {
  all: { label: "All", matches: () => true },
  critical: { label: "Critical", matches: (name) => name.critical > 0 },
  warning: { label: "Warning", matches: (name) => name.warning > 0 },
  draining: { label: "Draining", matches: (name) => name.draining > 0 },
  down: { label: "None healthy", matches: (name) => name.passing + name.warning === 0 },
};

/** The services whose names have a text in them: those that begin with it first. */
export function find(list, text, filter) {
  const wanted = text.trim().toLowerCase();
  const { matches } = filters[filter] ?? filters.all;
  const first = [];
  const others = [];
  for (const name of list) {
    if (!matches(name)) continue;
    const place = wanted ? name.name.indexOf(wanted) : 0;
    if (place === 0) first.push(name);
    else if (place > 0) others.push(name);
  }
  return [...first, ...others];
}
