// No client at all: the calls of the README's first session, with fetch.

import { check, equal, finish, loadDemo, passwordOf } from "./check.mjs";

const demo = loadDemo();

/** Posts JSON and returns status, headers and body. */
async function post(path, body, headers = {}) {
  const answer = await fetch(demo.url + path, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  const text = await answer.text();
  const isJson = (answer.headers.get("content-type") ?? "").startsWith("application/json");
  return { status: answer.status, headers: answer.headers, text, json: isJson ? JSON.parse(text) : undefined };
}

/** A call of /jsonrpc. */
const rpc = async (service, method, ...args) => (await post("/jsonrpc", { jsonrpc: "2.0", method: "call", id: 1, params: { service, method, args } })).json;

const version = await (await fetch(`${demo.url}/web/version`)).json();
equal("/web/version", version.version, "19.0");
equal("/web/webclient/version_info", (await post("/web/webclient/version_info", { params: {} })).json.result.server_serie, "19.0");
equal("/web/database/list", (await post("/web/database/list", { params: {} })).json.result, [demo.database]);

// /jsonrpc
const { result: uid } = await rpc("common", "login", demo.database, "admin", passwordOf(demo, "admin"));
check("common.login", uid > 0, uid);
equal("common.login with a wrong password is false", (await rpc("common", "login", demo.database, "alice", "wrong")).result, false);
const call = (...args) => rpc("object", "execute_kw", demo.database, uid, passwordOf(demo, "admin"), ...args);
const live = (await call("orest.authorization", "search_read", [[["state", "=", "live"], ["user_id.login", "not in", ["alice", "bob"]]]], { fields: ["application_id", "user_id"], limit: 2 })).result;
equal("execute_kw search_read", live.length, 2);
equal("execute_kw with a wrong password is AccessDenied", (await rpc("object", "execute_kw", demo.database, uid, "wrong", "res.users", "search", [[]])).error.data.name, "odoo.exceptions.AccessDenied");
const target = live[0].id;
await call("orest.authorization", "action_revoke_tokens", [[target]]);
equal("revoked", (await call("orest.authorization", "read", [[target], ["state"]])).result[0].state, "revoked");

// The envelope is Odoo's, which is not quite JSON-RPC 2.0's.
for (const id of [7, "seven", -7, 7.5, null, [7], { seven: 7 }]) {
  equal(`id ${JSON.stringify(id)} comes back`, (await post("/jsonrpc", { id, params: { service: "common", method: "version", args: [] } })).json.id, id);
}
equal("without an id it is null", (await post("/jsonrpc", { params: { service: "common", method: "version", args: [] } })).json.id, null);
equal("malformed JSON is 400", [(await post("/jsonrpc", "{bad")).status, (await post("/jsonrpc", "{bad")).text.includes("Invalid JSON data")], [400, true]);
equal("a batch is 400", (await post("/jsonrpc", [1, 2])).status, 400);
equal("another content type is 415", (await post("/jsonrpc", "{}", { "Content-Type": "text/plain" })).status, 415);
equal("an unknown path is 404", (await post("/nope", {})).status, 404);

// A session.
const { json, headers } = await post("/web/session/authenticate", { params: { db: demo.database, login: "admin", password: passwordOf(demo, "admin") } });
equal("/web/session/authenticate", json.result.uid, uid);
const [cookie] = headers.get("set-cookie").split(";");
check("the cookie can't be read by scripts", /httponly/i.test(headers.get("set-cookie")));
const kw = (model, method, args, kwargs = {}) => post("/web/dataset/call_kw", { params: { model, method, args, kwargs } }, { Cookie: cookie });
equal("call_kw", typeof (await kw("orest.authorization", "search_count", [[]])).json.result, "number");
equal("call_kw without the cookie is code 100", (await post("/web/dataset/call_kw", { params: { model: "res.users", method: "search", args: [[]], kwargs: {} } })).json.error.code, 100);
equal("call_kw of an unknown model is code 404", (await kw("no.model", "search", [[]])).json.error.code, 404);
equal("/web/session/get_session_info", (await post("/web/session/get_session_info", { params: {} }, { Cookie: cookie })).json.result.username, "admin");
await post("/web/session/destroy", { params: {} }, { Cookie: cookie });
equal("after destroy the cookie is dead", (await kw("res.users", "search", [[]])).json.error.code, 100);

// JSON-2.
const bearer = { Authorization: `bearer ${demo.api_key}`, "X-Odoo-Database": demo.database };
const rows = await post("/json/2/orest.authorization/search_read", { domain: [["state", "=", "live"]], fields: ["state"], limit: 1 }, bearer);
equal("JSON-2 search_read", [rows.status, rows.json[0].state], [200, "live"]);
equal("JSON-2 without a key is 401", (await post("/json/2/orest.authorization/search", { domain: [] })).status, 401);
equal("JSON-2 with a password is 401", (await post("/json/2/orest.authorization/search", { domain: [] }, { Authorization: `bearer ${passwordOf(demo, "admin")}` })).status, 401);
equal("JSON-2 of an unknown method is 404", (await post("/json/2/orest.authorization/nope", {}, bearer)).status, 404);

// Every answer is one of a server that was not surprised.
const deep = JSON.stringify({ params: { service: "object", method: "execute_kw", args: [demo.database, uid, passwordOf(demo, "admin"), "orest.authorization", "search", [Array(5000).fill("!").concat([["id", "=", 1]])]] } });
const nested = `{"params":${"[".repeat(20000)}${"]".repeat(20000)}}`;
for (const [what, body] of [["a deep domain", deep], ["deep JSON", nested], ["a NUL byte", JSON.stringify({ params: { service: "common", method: "login", args: [demo.database, "a\u0000b", "x"] } })], ["params that are a number", '{"params":5}']]) {
  const answer = await post("/jsonrpc", body);
  check(`${what} is answered`, answer.status === 200 || (answer.status >= 400 && answer.status < 500), answer.status);
}
equal("and the server goes on", (await rpc("common", "version")).result.server_version.startsWith("19.0"), true);
finish();
