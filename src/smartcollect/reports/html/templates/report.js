// Sorting, filtering, links and the list of tests. Text is inserted only as text, never as HTML.
(async () => {
  "use strict";
  const PAGE = 100; // tests per page of the list
  const SCREEN = 60; // rows that fit on a screen
  const byId = (id) => document.getElementById(id);
  const filter = byId("filter");
  const UNITS = new Map([["s", 1e6], ["ms", 1e3], ["µs", 1], ["ns", 1e-3]]); // in microseconds
  const numbers = new Intl.NumberFormat("en-US");
  const fractions = [0, 1, 2].map((digits) => new Intl.NumberFormat("en-US",
    { minimumFractionDigits: digits, maximumFractionDigits: digits }));
  const collator = new Intl.Collator("en", { numeric: true });

  function made(tag, text = "", className = "") {
    const element = document.createElement(tag);
    element.textContent = text;
    element.className = className;
    return element;
  }

  function duration(micro) {
    if (!micro) return "0 s";
    const [unit, size] = [...UNITS].find(([unit, size]) => micro >= 0.9995 * size || unit === "ns");
    const scaled = micro / size;
    return `${fractions[scaled < 9.995 ? 2 : scaled < 99.95 ? 1 : 0].format(scaled)} ${unit}`;
  }

  async function unpacked(text) {
    const packed = atob(text);
    const bytes = new Uint8Array(packed.length);
    for (let at = 0; at < packed.length; at += 1) bytes[at] = packed.charCodeAt(at);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }

  const data = await unpacked(byId("data").textContent);

  // -- sorting ---------------------------------------------------------------------------------

  // Turns the text of a heading into a button. `sort` gets true for a descending order.
  function sorting(heading, largestFirst, sort) {
    const button = made("button", heading.textContent);
    button.type = "button";
    button.addEventListener("click", () => {
      const now = heading.ariaSort;
      const falling = now ? now === "ascending" : largestFirst;
      markOrder(heading, falling);
      sort(falling);
    });
    heading.replaceChildren(button);
  }

  function markOrder(heading, falling) {
    for (const other of heading.parentNode.cells) other.removeAttribute("aria-sort");
    heading.ariaSort = falling ? "descending" : "ascending";
  }

  // The value of a text: a count, a share, or a time in microseconds. Empty cells sort lowest.
  function valueOf(text) {
    if (text === "∞") return Infinity;
    const [number, unit] = text.replace(/[±,]/g, "").trim().split(" ");
    return number ? Number(number) * (UNITS.get(unit) ?? 1) : -Infinity;
  }

  function sortedBy(key, isNumber, falling, items) {
    const keyed = items.map((item) => [key(item), item]);
    const turn = falling ? -1 : 1;
    keyed.sort(([one], [other]) => one === other ? 0
      : turn * (isNumber ? one - other : collator.compare(one, other)));
    return keyed.map(([, item]) => item);
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0];
    if (body.rows.length < 2) continue;
    for (const [column, heading] of [...table.tHead.rows[0].cells].entries()) {
      const isNumber = heading.matches(".n");
      const key = (row) => isNumber
        ? valueOf(row.cells[column].textContent) : row.cells[column].textContent;
      if (!body.rows[0].cells[column].querySelector(".spark")) {
        sorting(heading, isNumber, (falling) =>
          body.append(...sortedBy(key, isNumber, falling, [...body.rows])));
      }
    }
  }

  // -- tests -----------------------------------------------------------------------------------

  const tests = data.tests.map(([file, rest, ended, ...phases]) => {
    const id = data.files[file] + rest;
    const length = phases.reduce((sum, [, , took]) => sum + took, 0);
    const outcome = data.words[ended];
    return { id, outcome, length, phases, text: `${id} ${outcome}`.toLowerCase(), used: null };
  });

  // Calls, errors and time by handler, computed on demand: most tests are never drawn.
  function usedBy(test) {
    if (!test.used) {
      test.used = new Map();
      for (const [, , , ...flat] of test.phases) {
        for (let at = 0; at < flat.length; at += 4) {
          const sum = test.used.get(flat[at]);
          const [, ...more] = flat.slice(at, at + 4);
          test.used.set(flat[at], sum ? sum.map((one, place) => one + more[place]) : more);
        }
      }
    }
    return test.used;
  }

  // Runs in the background, so that the first use of the filter is as quick as later ones.
  function prepareFilter(at = 0) {
    for (const test of tests.slice(at, at + 500)) usedBy(test);
    if (at < tests.length) setTimeout(() => prepareFilter(at + 500));
    else readTexts();
  }

  const listed = new Set(tests.map((test) => test.id));
  const handlers = data.handlers.map((name) => name.toLowerCase());
  const columns = [
    ["test", (test) => test.id, String],
    ["outcome", (test) => test.outcome, String],
    ["duration", (test) => test.length, duration],
    ["handlers", (test) => (only < 0 ? usedBy(test).size : 1), (count) => numbers.format(count)],
    ["calls", (test) => spent(test, 0), (count) => numbers.format(count)],
    ["errors", (test) => spent(test, 1), (count) => numbers.format(count)],
    ["time in handlers", (test) => spent(test, 2), duration],
  ];
  let only = -1; // the index of the handler whose tests are listed; -1 lists all tests
  let order = [2, true]; // the column to sort by, and whether the order is descending
  let shown = [];
  let first = 0;
  let open = "";

  function spent(test, place) {
    if (only >= 0) return usedBy(test).get(only)[place];
    let sum = 0;
    for (const one of usedBy(test).values()) sum += one[place];
    return sum;
  }

  function chooseTests(words) {
    const meant = words.map((word) =>
      new Set([...handlers.keys()].filter((at) => handlers[at].includes(word))));
    shown = tests.filter((test) => (only < 0 || usedBy(test).has(only)) &&
      words.every((word, at) => test.text.includes(word) ||
        [...usedBy(test).keys()].some((handler) => meant[at].has(handler))));
    sortTests();
  }

  function sortTests() {
    const [column, falling] = order;
    shown = sortedBy(columns[column][1], column > 1, falling, shown);
    first = 0;
  }

  function testRow(test) {
    const row = made("tr");
    const name = made("th");
    name.scope = "row";
    const button = made("button", test.id);
    button.type = "button";
    button.ariaExpanded = test.id === open;
    button.addEventListener("click", () => {
      open = test.id === open ? "" : test.id;
      history.replaceState(null, "", open ? `#test=${encodeURIComponent(open)}` : "#tests");
      drawTests();
      document.querySelector('#test-list [aria-expanded="true"]')?.focus();
    });
    name.append(button);
    row.append(name);
    for (const [heading, value, text] of columns.slice(1)) {
      row.append(made("td", text(value(test)), heading === "outcome" ? test.outcome : "n"));
    }
    return row;
  }

  function phasesRow(test) {
    const table = made("table");
    const headings = made("tr");
    const heads = ["phase", "outcome", "duration", "handler", "calls", "errors", "time"];
    for (const text of heads) {
      const heading = made("th", text, ["phase", "outcome", "handler"].includes(text) ? "" : "n");
      heading.scope = "col";
      headings.append(heading);
    }
    table.createTHead().append(headings);
    const body = table.createTBody();
    for (const [when, ended, took, ...flat] of test.phases) {
      for (let at = 0; at === 0 || at < flat.length; at += 4) {
        const row = body.insertRow();
        const phase = at ? ["", "", ""] : [data.words[when], data.words[ended], duration(took)];
        row.append(...phase.map((text, place) => made("td", text, place === 2 ? "n" : "")));
        const [handler, calls, errors, time] = flat.slice(at, at + 4);
        const name = made("td", "", "c");
        if (handler !== undefined) name.append(link("handler", data.handlers[handler]));
        const sums = handler === undefined ? ["", "", ""]
          : [numbers.format(calls), numbers.format(errors), duration(time)];
        row.append(name, ...sums.map((text) => made("td", text, "n")));
      }
    }
    const row = made("tr", "", "phases");
    const cell = row.insertCell();
    cell.colSpan = columns.length;
    cell.append(table);
    return row;
  }

  function link(kind, name) {
    const anchor = made("a", name);
    anchor.href = `#${kind}=${encodeURIComponent(name)}`;
    return anchor;
  }

  function drawTests() {
    const list = byId("test-list");
    if (!list) return;
    const rows = [];
    for (const test of shown.slice(first, first + PAGE)) {
      rows.push(testRow(test));
      if (test.id === open) rows.push(phasesRow(test));
    }
    list.querySelector("tbody").replaceChildren(...rows);
    const last = Math.min(first + PAGE, shown.length);
    const [previous, next] = list.querySelectorAll(".pages button");
    previous.disabled = first === 0;
    next.disabled = last >= shown.length;
    list.querySelector(".pages span").textContent = shown.length
      ? `${numbers.format(first + 1)} to ${numbers.format(last)} of ${numbers.format(shown.length)}`
      : "no tests match";
  }

  function prepareTests() {
    const list = byId("test-list");
    if (!list) return;
    list.hidden = false;
    const table = list.querySelector("table");
    const headings = table.createTHead().insertRow();
    for (const [column, [text]] of columns.entries()) {
      const heading = made("th", text, column < 2 ? "" : "n");
      heading.scope = "col";
      headings.append(heading);
      sorting(heading, column > 1, (falling) => {
        order = [column, falling];
        sortTests();
        drawTests();
      });
    }
    markOrder(headings.cells[order[0]], order[1]);
    table.createTBody();
    const pages = list.querySelector(".pages");
    for (const [text, step] of [["Previous", -PAGE], ["Next", PAGE]]) {
      const button = made("button", text);
      button.type = "button";
      button.addEventListener("click", () => {
        first += step;
        drawTests();
      });
      pages.append(button);
    }
    const range = made("span");
    range.role = "status";
    pages.insertBefore(range, pages.lastChild);
  }

  function showTest(id) {
    if (!listed.has(id)) return;
    open = id;
    if (only >= 0 || !shown.some((test) => test.id === id)) showAll();
    first = Math.floor(shown.findIndex((test) => test.id === id) / PAGE) * PAGE;
    drawTests();
    const button = document.querySelector('#test-list [aria-expanded="true"]');
    button.focus({ preventScroll: true });
    button.scrollIntoView({ block: "center" });
  }

  function showTestsOf(name) {
    only = data.handlers.indexOf(name);
    if (only < 0) return;
    filter.value = "";
    order = [columns.length - 1, true];
    markOrder(document.querySelector("#test-list thead th:last-child"), true);
    const all = made("a", "show all tests");
    all.href = "#tests";
    byId("only").replaceChildren("Only tests that called ", made("code", name),
      ", with their calls of it: ", all);
    byId("only").hidden = false;
    apply();
    showRest();
    byId("tests").scrollIntoView();
  }

  // -- the filter ------------------------------------------------------------------------------

  const rows = [...document.querySelectorAll(".sortable tbody tr, #details details, .names li")];
  const sections = rows.map((row) => row.closest("section"));
  let texts = null;
  let showRest = () => {}; // shows the matching rows that are still hidden

  function textOf(row) {
    if (row.matches("details")) return row.querySelector("h3").textContent;
    if (!row.cells) return row.textContent;
    const cells = [...row.cells].filter((cell) => !cell.matches(".n"));
    return cells.map((cell) => cell.textContent).join(" ");
  }

  function readTexts() {
    texts ??= rows.map((row) => textOf(row).toLowerCase());
  }

  function apply() {
    readTexts();
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fitting = new Map(); // the matching rows by section
    for (const [at, row] of rows.entries()) {
      const fits = words.every((word) => texts[at].includes(word));
      if (fits) (fitting.get(sections[at]) ?? fitting.set(sections[at], []).get(sections[at])).push(row);
      else if (!row.hidden) row.hidden = true;
    }
    chooseTests(words);
    show(fitting);
    const left = fitting.get(byId("details"))?.length ?? 0;
    byId("found").textContent = words.length
      ? `${numbers.format(left)} handlers, ${numbers.format(shown.length)} tests` : "";
  }

  // Shows as many rows as fit on a screen, and the rest once these are drawn. Rows that are out of
  // sight by then cost the browser no layout.
  function show(fitting) {
    const back = [...fitting.values()].flat().filter((row) => row.hidden);
    for (const row of back.splice(0, SCREEN)) row.hidden = false;
    const rest = () => {
      if (rest !== showRest) return;
      showRest = () => {};
      for (const row of back) row.hidden = false;
      drawTests();
    };
    showRest = rest;
    requestAnimationFrame(() => setTimeout(rest));
  }

  function clear() {
    filter.value = "";
    only = -1;
    if (byId("only")) byId("only").hidden = true;
    apply();
  }

  // Not in steps, because the target of a link would move while rows appear above it.
  function showAll() {
    clear();
    showRest();
  }

  filter.addEventListener("input", apply);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && filter.value) {
      clear();
    } else if (event.key === "/" && !event.target.matches("input")
        && !(event.ctrlKey || event.metaKey || event.altKey)) {
      event.preventDefault();
      filter.focus();
      filter.select();
    }
  });

  // -- links -----------------------------------------------------------------------------------

  function arrive() {
    showRest();
    let id = location.hash.slice(1);
    try {
      id = decodeURIComponent(id);
    } catch {
      // The id contains a % that does not begin an escape.
    }
    if (id.startsWith("test=")) return showTest(id.slice(5));
    if (id.startsWith("tests-of=")) return showTestsOf(id.slice(9));
    if (id === "tests" && only >= 0) showAll();
    const target = byId(id);
    if (!target) return;
    if (target.closest("[hidden]")) showAll();
    const details = target.closest("details");
    if (details) {
      details.open = true;
      linkTests(details);
    }
    target.scrollIntoView();
  }

  // Links to the list of tests are made here, since the list exists only with JavaScript.
  function linkTests(part) {
    for (const cell of part.querySelectorAll("td.t:not(:has(a))")) {
      const id = cell.textContent;
      if (listed.has(id)) cell.replaceChildren(link("test", id));
    }
    for (const more of part.querySelectorAll(".tests-of:not(:has(a))")) {
      const all = link("tests-of", part.querySelector("h3").textContent);
      all.textContent = "show all";
      more.append(": ", all);
    }
  }

  filter.parentNode.hidden = false;
  for (const table of document.querySelectorAll(".sortable")) linkTests(table);
  document.addEventListener("toggle", (event) => {
    if (event.target.matches("#details details")) linkTests(event.target);
  }, true);

  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const one of closed) one.open = true;
  });
  addEventListener("afterprint", () => {
    for (const one of closed) one.open = false;
  });

  prepareTests();
  chooseTests([]);
  drawTests();
  addEventListener("hashchange", arrive);
  document.addEventListener("click", (event) => {
    // A link to the current hash causes no hashchange event.
    const hash = event.target.closest("a")?.hash;
    if (hash && hash === location.hash) arrive();
  });
  arrive();
  setTimeout(prepareFilter, 100);
})();
