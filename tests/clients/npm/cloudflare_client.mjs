// Cloudflare's own client (unmodified, from npm) pointed at us: `revoke_user` of Access. The server has the account `acme` and the zone `acme-zone`.

import { createServer } from "node:http";
import Cloudflare from "cloudflare";
import * as oauth from "openid-client";
import { Browser } from "./browser.mjs";
import { check, equal, finish, loadDemo, passwordOf } from "./check.mjs";

const demo = loadDemo();
const application = demo.applications.find((app) => app.client_secret && app.redirect_uris.length > 0);
const email = "judy@example.com";
const onAccount = { account_id: "acme" };
const options = { algorithm: "oauth2", execute: [oauth.allowInsecureRequests] };
const config = await oauth.discovery(new URL(demo.url), application.client_id, application.client_secret, undefined, options);

/** A call of /json/2 by the administrator. */
async function call(model, method, body) {
  const headers = { "Content-Type": "application/json", Authorization: `Bearer ${demo.api_key}` };
  const answer = await fetch(`${demo.url}/json/2/${model}/${method}`, { method: "POST", headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

/** An API key of the administrator for this scope, made by means of the demo's. */
const makeKey = (scope) => {
  const until = new Date(Date.now() + 3600_000).toISOString().slice(0, 19).replace("T", " ");
  return call("res.users.apikeys", "generate", { key: demo.api_key, scope, name: `cloudflare-npm ${scope}`, expiration_date: until });
};

/** Tokens by the code grant, given by this person. */
async function grant(login) {
  const verifier = oauth.randomPKCECodeVerifier();
  const state = oauth.randomState();
  const challenge = await oauth.calculatePKCECodeChallenge(verifier);
  const url = oauth.buildAuthorizationUrl(config, {
    redirect_uri: application.redirect_uris[0], scope: application.scope, state, code_challenge: challenge, code_challenge_method: "S256",
  });
  const callback = await new Browser(login, passwordOf(demo, login)).authorize(url, application.redirect_uris[0]);
  return oauth.authorizationCodeGrant(config, callback, { pkceCodeVerifier: verifier, expectedState: state });
}

const isActive = async (tokens) => (await oauth.tokenIntrospection(config, tokens.access_token)).active;

/** Cloudflare's client. */
const client = (credentials, base = demo.url) =>
  new Cloudflare({ apiToken: null, apiKey: null, apiEmail: null, ...credentials, baseURL: `${base}/client/v4` }).zeroTrust.organizations;

/** Checks that the client refuses with this class of its own, and with this code in Cloudflare's envelope. */
async function refused(what, kind, code, promise) {
  try {
    check(what, false, { value: await promise });
  } catch (error) {
    check(what, error instanceof kind && error.errors?.length === 1 && error.errors[0].code === code, error);
  }
}

const key = await makeKey("access:write");
const organizations = client({ apiToken: key });

// Success, and already revoked.
let tokens = await grant("judy");
equal("a token before", await isActive(tokens), true);
equal("revoked, by account", await organizations.revokeUsers({ ...onAccount, email }), true);
equal("the token is dead", await isActive(tokens), false);
equal("revoked already", await organizations.revokeUsers({ ...onAccount, email }), false);
tokens = await grant("judy");
equal("revoked, by zone", await organizations.revokeUsers({ zone_id: "acme-zone", email }), true);
equal("again dead", await isActive(tokens), false);

// Devices, in either place.
for (const place of ["query_devices", "body_devices"]) {
  await grant("judy");
  const live = { domain: [["user_id.login", "=", "judy"], ["revoked_at", "=", false]] };
  check(`${place}: a device before`, (await call("orest.device", "search_count", live)) > 0);
  equal(`${place}: revoked`, await organizations.revokeUsers({ ...onAccount, email, [place]: true, warp_session_reauth: true }), true);
  equal(`${place}: no device is left`, await call("orest.device", "search_count", live), 0);
}

// user_uid, and the older pair.
const [{ user_uid: uid }] = await call("res.users", "search_read", { domain: [["login", "=", "judy"]], fields: ["user_uid"] });
equal("the user's UUID", await organizations.revokeUsers({ ...onAccount, email, user_uid: uid }), false);
await refused("another's UUID", Cloudflare.NotFoundError, 12135, organizations.revokeUsers({ ...onAccount, email: "heidi@example.com", user_uid: uid }));
const pair = client({ apiEmail: "admin@example.com", apiKey: demo.api_key });
equal("by e-mail and key", await pair.revokeUsers({ ...onAccount, email }), false);
await refused("another's key", Cloudflare.AuthenticationError, 10000, client({ apiEmail: email, apiKey: demo.api_key }).revokeUsers({ ...onAccount, email }));

// What is refused: the client's own exception classes.
await refused("an unknown user", Cloudflare.NotFoundError, 12135, organizations.revokeUsers({ ...onAccount, email: "nobody@example.com" }));
await refused("no e-mail address", Cloudflare.BadRequestError, 12130, organizations.revokeUsers({ ...onAccount, email: "judy" }));
await refused("a wrong token", Cloudflare.AuthenticationError, 10000, client({ apiToken: "0".repeat(40) }).revokeUsers({ ...onAccount, email }));
const weak = await makeKey("rpc");
await refused("a token without the permission", Cloudflare.PermissionDeniedError, 9109, client({ apiToken: weak }).revokeUsers({ ...onAccount, email }));
await refused("an unknown account", Cloudflare.NotFoundError, 7003, organizations.revokeUsers({ account_id: "nobody", email }));
await refused("another call of the API", Cloudflare.NotFoundError, 7003, organizations.list(onAccount));

// A way to the server that is broken twice, then whole.
const seen = [];
const proxy = createServer(async (request, response) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  seen.push(request.headers["x-stainless-retry-count"]);
  if (seen.length <= 2) return response.writeHead(503).end();
  const headers = { Authorization: request.headers.authorization, "Content-Type": request.headers["content-type"] };
  const answer = await fetch(demo.url + request.url, { method: "POST", headers, body: Buffer.concat(parts) });
  return response.writeHead(answer.status, { "Content-Type": answer.headers.get("content-type") }).end(await answer.text());
});
await new Promise((listening) => proxy.listen(0, "127.0.0.1", listening));
tokens = await grant("judy");
const through = client({ apiToken: key }, `http://127.0.0.1:${proxy.address().port}`);
equal("503 twice, then revoked", await through.revokeUsers({ ...onAccount, email }), true);
equal("it was asked three times", seen, ["0", "1", "2"]);
equal("and the token is dead", await isActive(tokens), false);
proxy.closeAllConnections();
proxy.close();

for (const made of [key, weak]) await call("res.users.apikeys", "revoke", { key: made });
await refused("a key that was removed", Cloudflare.AuthenticationError, 10000, organizations.revokeUsers({ ...onAccount, email }));
finish();
