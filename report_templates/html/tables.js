"use strict";
// A list of many rows: the data stay in columns, and a page of them at a time is a plain HTML table.

const PAGE = 100;
const PRINTED = 1000;

const parsed = new Map();

// A column is read when it is first needed; one that says the same in every row is written once.
function column(name) {
  if (!parsed.has(name)) {
    const values = JSON.parse(document.getElementById(name).textContent);
    parsed.set(name, Array.isArray(values) ? values : new Array(values.many).fill(values.all));
  }
  return parsed.get(name);
}

function fill(row, facts) {
  for (const slot of [row, ...row.querySelectorAll("*")]) {
    const { text, tone, href, copy, when } = slot.dataset;
    if (text) slot.textContent = facts[text] ?? "";
    if (tone && facts[tone]) slot.classList.add(facts[tone]);
    if (href) slot.setAttribute("href", facts[href] ?? "#");
    if (copy) slot.dataset.copied = facts[copy] ?? "";
    if (when) slot.hidden = !facts[when];
    if (slot.dataset.bar) {
      const bar = facts.bars.find((each) => each.tone === slot.dataset.bar);
      slot.setAttribute("x", bar.x);
      slot.setAttribute("width", bar.width);
    }
  }
  return row;
}

function number(value) {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}

class List {
  constructor(section, source) {
    this.section = section;
    this.source = source;
    this.form = section.querySelector("form");
    this.body = section.querySelector("tbody");
    this.pager = section.querySelector(".pager");
    this.told = section.querySelector(".told");
    this.template = section.querySelector("template").content;
    this.state = { filters: {}, sort: "", page: 1 };
    this.shown = null;
    this.filled = false;
    this.enhance();
    this.begin();
  }

  // The rows that are there already are the first page.
  begin() {
    for (const row of [...this.body.rows].slice(PAGE)) row.remove();
    this.tell(this.source.many, 1, this.body.rows.length);
  }

  fillFilters() {
    if (!this.filled) this.source.fillFilters?.(this.form);
    this.filled = true;
  }

  get name() {
    return this.section.id;
  }

  enhance() {
    this.form.hidden = false;
    for (const note of this.section.querySelectorAll(".without-script")) note.remove();
    for (const event of ["pointerenter", "focusin"]) this.form.addEventListener(event, () => this.fillFilters());
    this.form.addEventListener("submit", (event) => event.preventDefault());
    let waiting = 0;
    this.form.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => this.filter(), 120);
    });
    this.form.addEventListener("reset", () => setTimeout(() => this.filter(), 0));
    for (const head of this.section.querySelectorAll("th[data-sort]")) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.addEventListener("click", () => this.sortBy(head.dataset.sort));
      head.append(button);
    }
    for (const button of this.pager.querySelectorAll("button")) {
      button.addEventListener("click", () => this.turn(button.dataset.turn));
    }
  }

  filter() {
    this.state.filters = Object.fromEntries(
      [...new FormData(this.form)].map(([name, value]) => [name, value.trim()]).filter(([, value]) => value),
    );
    this.state.page = 1;
    this.shown = null;
    this.show();
    this.remember();
  }

  sortBy(name) {
    this.state.sort = this.state.sort === name ? `-${name}` : this.state.sort === `-${name}` ? "" : name;
    this.state.page = 1;
    this.shown = null;
    this.show();
    this.remember();
  }

  turn(where) {
    const last = Math.max(1, Math.ceil(this.rows().length / PAGE));
    const pages = { first: 1, previous: this.state.page - 1, next: this.state.page + 1, last };
    this.state.page = Math.min(Math.max(pages[where], 1), last);
    const pressed = document.activeElement;
    this.show();
    this.remember();
    this.section.querySelector("table").scrollIntoView({ block: "start" });
    if (pressed?.disabled) this.pager.querySelector("button:not(:disabled)")?.focus({ preventScroll: true });
  }

  rows() {
    if (this.shown === null) {
      const { filters, sort } = this.state;
      let rows = this.source.order?.().slice() ?? Array.from({ length: this.source.many }, (_, row) => row);
      for (const [name, value] of Object.entries(filters)) {
        if (name === "q") rows = rows.filter(this.search(value));
        else if (Object.hasOwn(this.source.filters, name)) rows = rows.filter(this.source.filters[name](value));
      }
      if (sort) rows = this.sorted(rows, sort);
      this.shown = rows;
    }
    return this.shown;
  }

  search(words) {
    this.haystack ??= Array.from({ length: this.source.many }, (_, row) => this.source.text(row).toLowerCase());
    const wanted = words.toLowerCase().split(/\s+/);
    return (row) => wanted.every((word) => this.haystack[row].includes(word));
  }

  sorted(rows, sort) {
    const name = sort.replace("-", "");
    if (!Object.hasOwn(this.source.sorts, name)) return rows;
    const key = this.source.sorts[name];
    const keys = new Map(rows.map((row) => [row, key(row)]));
    const sign = sort.startsWith("-") ? -1 : 1;
    return rows.sort((one, other) => {
      const [first, second] = [keys.get(one), keys.get(other)];
      if (first === second) return one - other;
      if (first === null) return 1;
      if (second === null) return -1;
      return first < second ? -sign : sign;
    });
  }

  show(size = PAGE) {
    const rows = this.rows();
    const start = size === PAGE ? (this.state.page - 1) * PAGE : 0;
    const part = rows.slice(start, start + size);
    const made = part.map((row) => fill(this.template.firstElementChild.cloneNode(true), this.source.facts(row)));
    this.body.replaceChildren(...made);
    this.tell(rows.length, start + 1, start + part.length);
  }

  tell(many, first, end) {
    const all = many === this.source.many ? "" : ` (${number(this.source.many)} in all)`;
    this.told.textContent = many
      ? `Rows ${number(first)} to ${number(end)} of ${number(many)}${all}`
      : `No row fits these filters${all}`;
    const last = Math.max(1, Math.ceil(many / PAGE));
    this.pager.hidden = last === 1;
    this.pager.querySelector(".page").textContent = `Page ${number(this.state.page)} of ${number(last)}`;
    for (const button of this.pager.querySelectorAll("button")) {
      const back = ["first", "previous"].includes(button.dataset.turn);
      button.disabled = back ? this.state.page === 1 : this.state.page === last;
    }
    for (const head of this.section.querySelectorAll("th[data-sort]")) {
      const { sort } = head.dataset;
      if (this.state.sort === sort) head.setAttribute("aria-sort", "ascending");
      else if (this.state.sort === `-${sort}`) head.setAttribute("aria-sort", "descending");
      else head.removeAttribute("aria-sort");
    }
  }

  // The address says what is shown, so that a link to it shows the same.
  get fragment() {
    const { filters, sort, page } = this.state;
    const said = new URLSearchParams(filters);
    if (sort) said.set("sort", sort);
    if (page > 1) said.set("page", page);
    return `#${this.name}${said.size ? `?${said}` : ""}`;
  }

  remember() {
    history.replaceState(null, "", this.fragment);
  }

  restore(said) {
    this.fillFilters();
    const { sort = "", page = 1, ...filters } = Object.fromEntries(said);
    for (const field of this.form.elements) {
      if (field.name) field.value = filters[field.name] ?? "";
    }
    // Only what the form can say is a filter: an address may ask for anything.
    const offered = Object.entries(filters).filter(([name, value]) => this.form.elements[name]?.value === value);
    this.state = { filters: Object.fromEntries(offered), sort, page: 1 };
    this.shown = null;
    const last = Math.max(1, Math.ceil(this.rows().length / PAGE));
    this.state.page = Math.min(Math.max(Number.parseInt(page, 10) || 1, 1), last);
    this.show();
  }
}
