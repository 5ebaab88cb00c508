// What the lists say of a row: the same words as the rows that are plain HTML (rows.py has the same names).

const words = JSON.parse(document.getElementById("words").textContent);
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

function spoken(seconds) {
  if (seconds === null) return "–";
  const day = new Date(seconds * 1000);
  const days = Math.trunc((seconds - words.asOf) / 86400);
  const many = `${number(Math.abs(days))} day${Math.abs(days) === 1 ? "" : "s"}`;
  const distance = days === 0 ? "within a day" : days > 0 ? `in ${many}` : `${many} ago`;
  return `${day.getUTCDate()} ${MONTHS[day.getUTCMonth()]} ${day.getUTCFullYear()} (${distance})`;
}

const organization = (name, row) => column(`organizations.${name}`)[row];
const token = (name, row) => column(`tokens.${name}`)[row];
const finding = (name, row) => column(`findings.${name}`)[row];

// How a list shows the kinds of values (rows.py has the same).
const text = (value) => value ?? "";
const dash = (value) => value ?? "–";
const show = {
  text,
  word: dash,
  code: dash,
  owner: dash,
  tags: (value) => text(value).replaceAll(",", ", "),
  description: (value) => value ?? words.noDescription,
  instant: spoken,
  number: (value) => (value === null ? "–" : number(value)),
  count: number,
  few: (value) => (value ? number(value) : ""),
  flag: (value) => (value < 0 ? "–" : value ? "yes" : "no"),
  mark: (value) => (value ? "yes" : ""),
  severity: (weight) => words.severities[weight]?.word ?? "",
  coverage: (status) => words.coverage[status],
};

function shown(list, row) {
  const kinds = Object.entries(words.fields[list]);
  return Object.fromEntries(kinds.map(([name, kind]) => [name, show[kind](column(`${list}.${name}`)[row])]));
}

// The token of a finding: of this audit, of an earlier one where this one did not see it, or none.
function tokenOf(row, name) {
  const at = finding("token", row);
  return (at < 0 ? words.elsewhere[row]?.[name] : token(name, at)) ?? "";
}

function subjectOf(row) {
  return tokenOf(row, "token_id") ? tokenOf(row, "subject") || words.noDescription : words.itself;
}

function isUnseen(row) {
  return words.statuses[finding("status", row)] === "unseen";
}

function placed(row) {
  return {
    organization: organization("name", row),
    place: `#organization-${organization("id", row)}`,
  };
}

function options(select, choices) {
  for (const [value, word] of choices) select.append(new Option(word, value));
}

function organizationChoices() {
  const names = column("organizations.name");
  return column("organizations.id")
    .map((id, row) => [id, names[row]])
    .sort(([, one], [, other]) => (one.toLowerCase() < other.toLowerCase() ? -1 : 1));
}

function ofOrganization(list) {
  return (id) => {
    const place = column("organizations.id").indexOf(id);
    return (row) => column(`${list}.organization`)[row] === place;
  };
}

const within = (seconds, days) =>
  seconds !== null && seconds > words.asOf && seconds <= words.asOf + days * 86400;

const findings = {
  many: words.many.findings,
  fillFilters(form) {
    options(form.elements.organization, organizationChoices());
    options(form.elements.rule, words.rules.map((rule) => [rule.id, `${rule.name} (${rule.id})`]));
    if (form.elements.status) options(form.elements.status, words.statuses.map((status) => [status, status]));
  },
  filters: {
    severity: (tone) => (row) => words.severities[finding("severity", row)].tone === tone,
    organization: ofOrganization("findings"),
    rule: (id) => (row) => words.rules[finding("rule", row)].id === id,
    standing: (which) => (row) => {
      if (which === "breaks") return finding("violates", row) === 1;
      const standing = isUnseen(row) ? "unseen" : finding("waived", row) ? "waived" : "open";
      return standing === which;
    },
    status: (status) => (row) => words.statuses[finding("status", row)] === status,
    priority: (number) => (row) => finding("priority", row) === Number(number),
    due: (days) => (row) =>
      days === "overdue"
        ? finding("due", row) !== null && finding("due", row) < words.asOf && finding("severity", row) > 0
        : within(finding("due", row), Number(days)),
  },
  sorts: {
    severity: (row) => -finding("severity", row),
    subject: (row) => subjectOf(row).toLowerCase(),
    organization: (row) => organization("name", finding("organization", row)).toLowerCase(),
    due: (row) => finding("due", row),
    owner: (row) => words.owners[finding("owner", row)]?.toLowerCase() ?? null,
    rule: (row) => words.rules[finding("rule", row)].id,
  },
  text(row) {
    const rule = words.rules[finding("rule", row)];
    return [
      finding("message", row),
      subjectOf(row),
      organization("name", finding("organization", row)),
      rule.id,
      rule.name,
      finding("finding_id", row),
      tokenOf(row, "token_id"),
      tokenOf(row, "fingerprint"),
      words.owners[finding("owner", row)],
    ].join(" ");
  },
  facts(row) {
    const rule = words.rules[finding("rule", row)];
    return {
      ...shown("findings", row),
      ...placed(finding("organization", row)),
      tone: words.severities[finding("severity", row)].tone,
      waived: finding("waived", row) ? "waived" : "",
      subject: subjectOf(row),
      digits: tokenOf(row, "fingerprint").slice(0, 8),
      todo: rule.todo,
      why: rule.why,
      owner: words.owners[finding("owner", row)] ?? "–",
      status: words.statuses[finding("status", row)] ?? "",
      decision: words.waivers[finding("waiver", row)] ?? words.plans[finding("plan", row)] ?? "",
      first: finding("first", row) === null ? "" : spoken(finding("first", row)),
      rule: rule.name,
      rule_id: rule.id,
      rule_place: `#rule-${rule.id}`,
      controls: rule.controls,
      token_id: tokenOf(row, "token_id"),
    };
  },
};

function permissionWords(row) {
  const flags = ["read", "write", "delete"].map((name) => [name, token(name, row)]);
  const has = flags.filter(([, flag]) => flag === 1).map(([name]) => name);
  const unknown = flags.filter(([, flag]) => flag < 0).map(([name]) => name);
  if (unknown.length === flags.length) return "unknown";
  const known = has.join(", ") || "none";
  return unknown.length ? `${known} (unknown: ${unknown.join(", ")})` : known;
}

// Rotation leaves its trace in the expiry: only what an earlier audit saw has a date of its own.
function rotatedAt(row) {
  const known = words.rotations[token("rotation", row)];
  if (known === "created") return token("created", row);
  return known === "inferred" ? token("expires", row) - words.lifetime : token("rotated", row);
}

const tokens = {
  many: words.many.tokens,
  fillFilters(form) {
    options(form.elements.organization, organizationChoices());
  },
  filters: {
    organization: ofOrganization("tokens"),
    may: (name) => (row) =>
      name === "read-only"
        ? token("read", row) === 1 && token("write", row) === 0 && token("delete", row) === 0
        : token(name, row) === 1,
    expires: (days) => (row) => {
      const expires = token("expires", row);
      if (days === "expired") return expires !== null && expires <= words.asOf;
      return days === "never" ? expires === null : within(expires, Number(days));
    },
    findings: (which) => (row) => {
      if (which !== "without") return token("findings", row) > 0 === (which === "some");
      return token("highest", row) < 1 && organization("coverage", token("organization", row)) === "complete";
    },
  },
  sorts: {
    subject: (row) => (token("subject", row) ?? words.noDescription).toLowerCase(),
    organization: (row) => organization("name", token("organization", row)).toLowerCase(),
    permissions: (row) => permissionWords(row),
    expires: (row) => token("expires", row),
    rotated: rotatedAt,
    created: (row) => token("created", row),
    findings: (row) => -token("findings", row),
    contact: (row) => organization("contact", token("organization", row))?.toLowerCase() ?? null,
  },
  text: (row) =>
    [
      token("subject", row) ?? words.noDescription,
      organization("name", token("organization", row)),
      token("token_id", row),
      token("fingerprint", row),
      organization("contact", token("organization", row)),
      permissionWords(row),
    ].join(" "),
  facts(row) {
    const expires = token("expires", row);
    const owner = words.tokenOwners[token("owner", row)];
    return {
      ...shown("tokens", row),
      ...placed(token("organization", row)),
      permissions: permissionWords(row),
      expired: expires !== null && expires <= words.asOf ? "expired" : "",
      rotated: spoken(rotatedAt(row)),
      rotation: words.rotations[token("rotation", row)] ?? "",
      found: `#findings?q=${token("token_id", row)}`,
      tone: words.severities[token("highest", row)]?.tone ?? "none",
      contact: organization("contact", token("organization", row)) ?? "–",
      owner: owner ? (owner.name ?? "–") : words.itself,
      owner_type: owner?.type ?? "",
      owner_id: owner?.id ?? "",
      register: words.register[token("register", row)] ?? words.unregistered,
    };
  },
};

const mostSevereFirst = [...words.severities].reverse().map((severity) => severity.tone);

function barsOf(row) {
  let x = 0;
  return mostSevereFirst.map((tone) => {
    const width = Math.round((organization(tone, row) * words.bar * 10) / (words.mostFindings || 1)) / 10;
    x = Math.round((x + width) * 10) / 10;
    return { tone, x: Math.round((x - width) * 10) / 10, width };
  });
}

const organizations = {
  many: words.many.organizations,
  order: () => column("organizations.order"),
  filters: { coverage: (status) => (row) => organization("coverage", row) === status },
  sorts: {
    name: (row) => organization("name", row).toLowerCase(),
    coverage: (row) => organization("coverage", row),
    tokens: (row) => organization("tokens", row),
    privileged: (row) => organization("privileged", row),
    findings: (row) => -organization("findings", row),
    next: (row) => organization("next", row),
    contact: (row) => organization("contact", row)?.toLowerCase() ?? null,
  },
  text: (row) => ["name", "id", "contact", "tags", "coverage", "reason"].map((name) => organization(name, row)).join(" "),
  facts(row) {
    const id = organization("id", row);
    const status = organization("coverage", row);
    const facts = shown("organizations", row);
    return {
      ...facts,
      place: `#organization-${id}`,
      found: `#findings?organization=${id}`,
      listed: `#tokens?organization=${id}`,
      status,
      reason: status === "complete" ? "" : facts.reason,
      counts: mostSevereFirst
        .filter((tone) => organization(tone, row))
        .map((tone) => `${number(organization(tone, row))} ${tone}`)
        .join(", "),
      bars: barsOf(row),
    };
  },
};

// A list whose columns hold what its rows show: how it sorts and what filters it, its data say.
function plain(name, { many, columns, sorts, filters }) {
  const cell = (which, row) => column(`${name}.${which}`)[row];
  const key = (value) => (typeof value === "string" ? value.toLowerCase() : value);
  return {
    many,
    fillFilters(form) {
      for (const each of filters) {
        const values = [...new Set(column(`${name}.${each}`))].filter((value) => value);
        options(form.elements[each], values.sort().map((value) => [value, value]));
      }
    },
    filters: Object.fromEntries(filters.map((each) => [each, (value) => (row) => cell(each, row) === value])),
    sorts: Object.fromEntries(Object.entries(sorts).map(([sort, from]) => [sort, (row) => key(cell(from, row))])),
    text: (row) => columns.map((each) => cell(each, row)).join(" "),
    facts: (row) => Object.fromEntries(columns.map((each) => [each, cell(each, row) ?? ""])),
  };
}

const sources = { organizations, findings, tokens };
for (const [name, about] of Object.entries(words.lists)) sources[name] = plain(name, about);

const lists = new Map();
for (const [name, source] of Object.entries(sources)) {
  const section = document.getElementById(name);
  if (section?.querySelector("template")) lists.set(name, new List(section, source));
}

// The part of an organization beyond those that are plain HTML is made when somebody goes there.
function partOf(id) {
  const row = column("organizations.id").indexOf(id.replace("organization-", ""));
  const template = document.getElementById("part");
  if (row < 0 || !template) return null;
  const part = fill(template.content.firstElementChild.cloneNode(true), organizations.facts(row));
  part.id = id;
  document.getElementById("parts").append(part);
  return part;
}

function go() {
  const [id, said = ""] = location.hash.slice(1).split("?");
  const list = lists.get(id);
  if (list) list.restore(new URLSearchParams(said));
  const place = document.getElementById(id) ?? (id.startsWith("organization-") ? partOf(id) : null);
  for (let each = place; each; each = each.parentElement) {
    if (each.localName === "details") each.open = true;
  }
  if (place && (said || place.localName === "details")) place.scrollIntoView();
}

// Until the lists show a page each, what is off the screen is not laid out.
document.documentElement.classList.add("paged");
addEventListener("hashchange", go);
go();

// Where a text is copied, the button says so.
document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("button[data-copy], button[data-link]");
  if (!button) return;
  const text = button.dataset.link
    ? location.href.split("#")[0] + lists.get(button.dataset.link).fragment
    : button.dataset.copied || button.textContent;
  const said = document.getElementById("said");
  try {
    await navigator.clipboard.writeText(text);
    said.textContent = "Copied.";
    button.classList.add("copied");
  } catch {
    said.textContent = `The browser does not let this page copy: ${text}`;
    said.classList.remove("unseen");
  }
  setTimeout(() => button.classList.remove("copied"), 1500);
});

// Print shows the summary and the organizations; with the switch, all that is folded and each list's first rows.
let unfolded = [];
addEventListener("beforeprint", () => {
  lists.get("organizations")?.show(PRINTED);
  if (!document.getElementById("print-all").checked) return;
  for (const list of lists.values()) list.show(PRINTED);
  unfolded = [...document.querySelectorAll("details:not([open])")];
  for (const each of unfolded) each.open = true;
});
addEventListener("afterprint", () => {
  for (const each of unfolded) each.open = false;
  unfolded = [];
  for (const list of lists.values()) list.show();
});
