// Draws the API's description. Everything is put in as text, never as markup.
"use strict";

const PLACES = { path: "路径", query: "查询", header: "请求头" };

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
  made.append(...children.filter((child) => child !== ""));
  return made;
}

function typeOf(schema) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.type === "array") return typeOf(schema.items) + " []";
  return schema.format ? `${schema.type}（${schema.format}）` : schema.type || "任意";
}

function table(head, rows) {
  return element("table", {},
    element("thead", {}, element("tr", {}, ...head.map((text) => element("th", { scope: "col" }, text)))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((cell) => element("td", {}, cell))))));
}

function fields(spec, schema, seen = []) {
  if (!schema) return [];
  if (schema.$ref) {
    const name = schema.$ref.split("/").pop();
    return seen.includes(name) ? [] : fields(spec, spec.components.schemas[name], [...seen, name]);
  }
  if (schema.enum) return [[element("code", {}, schema.enum.join(" | ")), "", ""]];
  const rows = [];
  for (const [name, field] of Object.entries(schema.properties || {})) {
    rows.push([element("code", {}, name), typeOf(field), field.description || ""]);
    const inner = field.type === "array" ? field.items : field;
    if (inner.$ref && seen.length < 2) {
      for (const [first, ...rest] of fields(spec, inner, seen)) {
        rows.push([element("code", {}, `${name}${field.type === "array" ? "[]" : ""}.${first.textContent}`), ...rest]);
      }
    }
  }
  return rows;
}

function details(spec, operation) {
  const body = element("div", { class: "body" });
  if (operation.description) body.append(element("p", {}, operation.description));
  if (operation.parameters.length) {
    body.append(element("h3", {}, "参数"), table(["名称", "位置", "类型", "说明"], operation.parameters.map((one) => [
      element("code", {}, one.name), PLACES[one.in], typeOf(one.schema), one.description || ""])));
  }
  for (const [title, content] of [["请求体", operation.requestBody?.content], ["返回", operation.responses[200].content]]) {
    const schema = content?.["application/json"]?.schema;
    const rows = fields(spec, schema);
    if (rows.length) body.append(element("h3", {}, title), table(["字段", "类型", "说明"], rows));
    else if (content?.["application/octet-stream"]) body.append(element("h3", {}, title), element("p", {}, "文件内容（附件下载）"));
  }
  const known = Object.keys(operation.responses).filter((status) => status !== "200");
  body.append(element("p", { class: "quiet" }, `错误：${known.map((status) => `${status} ${spec.components.responses[status].description}`).join("，")}`));
  return body;
}

function draw(spec) {
  const operations = [];
  for (const [path, verbs] of Object.entries(spec.paths)) {
    for (const [verb, operation] of Object.entries(verbs)) operations.push({ path, verb, operation });
  }
  const target = document.getElementById("operations");
  target.replaceChildren();
  document.getElementById("about").textContent = spec.info.description;
  for (const { name, description } of spec.tags) {
    const title = description || name;
    document.getElementById("units").append(element("a", { href: `#${name}` }, title));
    const section = element("section", {}, element("h2", { id: name }, title));
    for (const { path, verb, operation } of operations.filter((one) => one.operation.tags[0] === name)) {
      const entry = element("details", {}, element("summary", {},
        element("span", { class: `verb ${verb}` }, verb.toUpperCase()),
        element("span", { class: "path" }, path),
        element("span", { class: "text" }, operation.summary)));
      entry.dataset.words = `${verb} ${path} ${operation.operationId} ${operation.description}`.toLowerCase();
      // A body is drawn when it is first opened: there are hundreds.
      entry.addEventListener("toggle", () => {
        if (entry.open && entry.children.length === 1) entry.append(details(spec, operation));
      });
      section.append(entry);
    }
    target.append(section);
  }
}

function search(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const section of document.querySelectorAll("#operations section")) {
    let here = 0;
    for (const entry of section.querySelectorAll("details")) {
      entry.hidden = !words.every((word) => entry.dataset.words.includes(word));
      if (!entry.hidden) here += 1;
    }
    section.hidden = here === 0;
    found += here;
  }
  document.getElementById("none").hidden = found > 0;
}

fetch("/api/openapi.json")
  .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(String(answer.status)))))
  .then(draw)
  .catch(() => { document.getElementById("operations").replaceChildren(element("p", {}, "接口描述载入失败，请刷新页面。")); });
document.getElementById("search").addEventListener("input", (event) => search(event.target.value));
