// The ways to take something back, as oREST documents them, in their order.

import { createHash, randomBytes } from "node:crypto";
import { createServer } from "node:http";

import { Person, accepted, check, equal, grantOf, jsonrpc, play, refused, stage } from "./stage.mjs";

const USERS_FORM = (id) => `id=${id}&action=base.action_res_users&model=res.users&view_type=form`;
const TAB = "oREST API Authorizations";
let admin;

async function signIn() {
  admin = await Person.signIn("admin");
  check("the administrator is signed in", true);
}

/** The user's form: a waste-bin at the end of each line; on save the line is revoked. */
async function userTabAndWasteBin() {
  const { page } = admin;
  const [grant, other] = [grantOf("alice", "Sales Dashboard"), grantOf("alice", "Warehouse Scanner")];
  await accepted("before", grant);
  await accepted("before", other);
  await admin.open(USERS_FORM(grant.uid), ".o_form_view .o_notebook");
  await page.click(`.o_notebook .nav-link:has-text("${TAB}")`);
  const list = ".o_notebook .tab-pane.active";
  await page.waitForSelector(`${list} .o_data_row`);
  await admin.screenshot("10-user-tab");
  const before = await admin.rows(list);
  equal("user tab: one line for each authorization", before.filter((row) => /Sales Dashboard|Warehouse Scanner|Confluence/.test(row)).length, before.length);
  await page.click(".o_form_button_edit");
  await page.waitForSelector(`${list} .o_list_record_remove`);
  const line = page.locator(`${list} .o_data_row`, { hasText: "Sales Dashboard" }).filter({ hasText: "Live" }).filter({ hasText: "Firefox on Linux" });
  // The newest is on top.
  await line.first().locator(".o_list_record_remove").click();
  await admin.screenshot("11-user-tab-line-in-the-waste-bin");
  await accepted("user tab, waste-bin clicked and not yet saved", grant);
  await admin.whileHeld(
    (params) => params.model === "res.users" && params.method === "write",
    () => page.click(".o_form_button_save"),
    async () => {
      await refused("user tab, saved, before the screen has changed", grant);
      await accepted("user tab, saved, another line", other);
    },
  );
  await page.waitForSelector(".o_form_view.o_form_readonly");
  await admin.screenshot("12-user-tab-saved");
  equal("user tab: the line is gone", (await admin.rows(list)).length, before.length - 1);
  admin.quiet("user tab");
}

/** Settings > Oregional > REST API > Authorizations: search, filters, groups, the form. */
async function authorizationsList() {
  const { page } = admin;
  await admin.open("menu_id=&action=base.action_res_users", ".o_list_view, .o_kanban_view", "?debug=1");
  await page.click(".o_menu_apps > li > a, .o_menu_apps .full");
  await page.click(".o_menu_apps .o_app:has-text('Settings')");
  await page.waitForSelector(".app_settings_block");
  await admin.menu("Oregional", "Authorizations");
  await page.waitForSelector(".o_list_view .o_data_row");
  equal("list: where it is", await page.innerText(".breadcrumb-item.active"), "Authorizations");
  await admin.screenshot("20-list");
  equal("list: a page of eighty", (await admin.rows()).length, 80);
  const total = Number(await page.innerText(".o_pager_limit"));
  check("list: and more beyond it", total > 80, String(total));
  await page.click(".o_pager_next");
  await admin.settle();
  check("list: the next page", (await page.innerText(".o_pager_value")).startsWith("81-"));
  equal("list: nothing can be created", await page.locator(".o_list_button_add").count(), 0);

  await admin.search("Alice");
  const alices = await admin.rows();
  check("list: a search by name", alices.length > 0 && alices.every((row) => row.includes("Alice")), alices[0]);
  await page.click(".o_filter_menu > button");
  for (const name of ["Live", "Never used"]) {
    await page.click(`.o_filter_menu .o_menu_item:has-text("${name}") >> nth=0`);
    await admin.settle();
  }
  await page.click(".o_filter_menu > button");
  await admin.screenshot("21-list-filtered");
  check("list: filters", (await admin.rows()).every((row) => row.includes("Live")));
  await page.click(".o_group_by_menu > button");
  await page.click('.o_group_by_menu .o_menu_item:has-text("Application") >> nth=0');
  await admin.settle();
  await page.waitForSelector(".o_group_header");
  await page.click(".o_group_header >> nth=0");
  await page.waitForSelector(".o_data_row");
  await admin.screenshot("22-list-grouped");
  check("list: groups with their counts", /\(\d+\)/.test(await page.innerText(".o_group_header >> nth=0")));
  await page.click(".o_data_row >> nth=0 >> .o_data_cell >> nth=0");
  await page.waitForSelector(".o_form_view button:has-text('Revoke Tokens')");
  await admin.screenshot("23-form");
  admin.quiet("list and form");
}

/** The form's own button. */
async function formButton() {
  const { page } = admin;
  const grant = grantOf("heidi", "Sales Dashboard");
  await accepted("before", grant);
  await admin.open(`id=${grant.id}&action=orest.orest_authorization_action&model=orest.authorization&view_type=form`, ".o_form_view");
  await page.click(".o_form_view button:has-text('Revoke Tokens')");
  await confirm("form", "the form's button", [grant]);
  await admin.screenshot("24-form-revoked");
  equal("form: its state", await page.innerText(".o_form_view .o_statusbar_status button.btn-primary, .o_form_view .o_statusbar_status .o_arrow_button[aria-checked=true]"), "Revoked");
  admin.quiet("form");
}

/** Answers the dialog, with a reason, and looks at the tokens before the screen has changed. */
async function confirm(what, reason, grants, { undo = false, shot } = {}) {
  const { page } = admin;
  await page.waitForSelector(".modal .modal-footer");
  await page.fill(".modal input[name=reason]", reason);
  if (shot) await admin.screenshot(shot);
  await admin.whileHeld(
    (params) => params.method === "action_confirm",
    () => page.click(".modal-footer button.btn-primary:visible"),
    async () => {
      for (const grant of grants) await refused(`${what}, confirmed, before the screen has changed`, grant);
    },
  );
  if (undo) return;
  const close = page.locator(".modal-footer button:visible:has-text('Close')");
  await close.waitFor();
  await close.click();
  await page.waitForFunction(() => !document.querySelector(".modal.show"));
  await admin.settle();
}

/** Settings > Technical > Server Actions > Revoke Tokens > Create Contextual Action. */
async function contextualAction() {
  const { page } = admin;
  await admin.open("action=base_setup.action_general_configuration", ".app_settings_block", "?debug=1");
  await admin.menu("Technical", "Server Actions");
  await page.waitForSelector(".o_list_view .o_data_row");
  await admin.search("Revoke Tokens");
  await admin.screenshot("30-server-actions");
  equal("server actions: Revoke Tokens is there, once", (await admin.rows()).filter((row) => row.includes("Revoke Tokens")).length, 1);
  await page.click(".o_data_row:has-text('Revoke Tokens') .o_data_cell >> nth=0");
  await page.waitForSelector("button:has-text('Create Contextual Action')");
  await admin.screenshot("31-create-contextual-action");
  await page.click("button:has-text('Create Contextual Action')");
  await page.waitForSelector("button:has-text('Remove Contextual Action')");
  await admin.screenshot("32-contextual-action-created");
  check("server actions: it can be removed again", true);
  admin.quiet("server actions");
}

/** Checks the box of a grant's row; the newest is on top. */
async function selectRow(grant) {
  const name = grant.login[0].toUpperCase() + grant.login.slice(1);
  const row = admin.page.locator(".o_data_row", { hasText: name }).filter({ hasText: grant.application }).filter({ hasText: "Live" }).first();
  await row.locator(".o_list_record_selector").click();
}

/** Select rows; Action > Revoke Tokens with a reason; undo. */
async function selectAndRevoke() {
  const { page } = admin;
  const grants = ["bob", "carol", "dave"].map((login) => grantOf(login, "Confluence Connector"));
  const spared = grantOf("alice", "Confluence Connector");
  for (const grant of [...grants, spared]) await accepted("before", grant);
  await admin.open("action=orest.orest_authorization_action&model=orest.authorization&view_type=list", ".o_list_view .o_data_row");
  for (const grant of grants) await selectRow(grant);
  await admin.screenshot("40-rows-selected");
  await admin.action("Revoke Tokens");
  await page.waitForSelector(".modal .modal-footer");
  const dialog = await page.innerText(".modal-body");
  check("dialog: how many, of how many users, at which applications", /3 authorizations of 3 users/.test(dialog) && dialog.includes("Confluence Connector"), dialog);
  await confirm("selection", "connector compromised, ticket 4711", grants, { undo: true, shot: "41-dialog" });
  await accepted("selection, an authorization that was not selected", spared);
  await page.locator(".modal-footer button:visible:has-text('Undo')").waitFor();
  await admin.screenshot("42-revoked-with-undo");
  const told = await page.innerText(".modal-body");
  check("dialog: says what was done", /3 authorizations were revoked/.test(told), told);
  await page.click(".modal-footer button:visible:has-text('Undo')");
  await admin.settle();
  await page.waitForFunction(() => !document.querySelector(".modal.show"));
  await admin.screenshot("43-undone");
  for (const grant of grants) await accepted("undone", grant);

  // And once more, for good.
  await admin.open("action=orest.orest_authorization_action&model=orest.authorization&view_type=list", ".o_list_view .o_data_row");
  for (const grant of grants) await selectRow(grant);
  await admin.action("Revoke Tokens");
  await confirm("selection, once more", "connector compromised, ticket 4711", grants, { shot: "44-dialog-again" });
  await admin.screenshot("45-list-afterwards");
  admin.quiet("selection");
}

/** The revocations: who, when, how many, why. */
async function revocations() {
  const { page } = admin;
  await admin.open("action=orest.orest_revocation_action&model=orest.revocation&view_type=list", ".o_list_view .o_data_row");
  await admin.screenshot("50-revocations");
  const rows = await admin.rows();
  check("revocations: the last act, with its reason", rows[0].includes("ticket 4711"), rows[0]);
  await page.click(".o_data_row >> nth=0 >> .o_data_cell >> nth=0");
  await page.waitForSelector(".o_form_view");
  await admin.screenshot("51-revocation");
  admin.quiet("revocations");
}

/** Users: Revoke All Sessions, Disable, Enable. */
async function actionsOnUsers() {
  const { page } = admin;
  const [sessions, disabled] = [grantOf("frank", "Warehouse Scanner"), grantOf("grace", "Warehouse Scanner")];
  for (const grant of [sessions, disabled]) await accepted("before", grant);
  const select = async (name) => {
    await admin.open("action=base.action_res_users&model=res.users&view_type=list", ".o_list_view .o_data_row");
    await page.locator(".o_data_row", { hasText: name }).locator(".o_list_record_selector").click();
  };
  await select("Frank");
  const words = await admin.actions();
  check("users: the actions are there", ["Revoke All Sessions", "Disable User", "Enable User", "Delete User"].every((word) => words.includes(word)), words);
  await admin.action("Revoke All Sessions");
  await confirm("users, Revoke All Sessions", "lost his phone", [sessions], { shot: "60-revoke-all-sessions" });
  await select("Grace");
  await admin.action("Disable User");
  await confirm("users, Disable", "on leave", [disabled], { shot: "61-disable" });
  await admin.screenshot("62-disabled");
  admin.quiet("actions on users");
}

/** A plain user in the preferences: own lines only. */
async function plainUser() {
  const erin = await Person.signIn("erin");
  const { page } = erin;
  const [grant, other] = [grantOf("erin", "Sales Dashboard"), grantOf("erin", "Confluence Connector")];
  await accepted("before", grant);
  const menu = await page.locator(".o_menu_apps").innerText();
  check("plain user: no REST API in the menus", !menu.includes("Settings"), menu);
  await page.click(".o_user_menu > a");
  await page.click(".o_user_menu a[data-menu=settings]");
  await page.waitForSelector(".modal .o_form_view");
  await page.click(`.modal .nav-link:has-text("${TAB}")`);
  await page.waitForSelector(".modal .tab-pane.active .o_data_row");
  await erin.screenshot("70-own-preferences");
  const rows = await erin.rows(".modal .tab-pane.active");
  check("plain user: sees own authorizations", rows.some((row) => row.includes("Sales Dashboard")), rows);
  const line = page.locator(".modal .tab-pane.active .o_data_row", { hasText: "Sales Dashboard" }).filter({ hasText: "Live" }).first();
  await line.locator(".o_list_record_remove").click();
  await erin.whileHeld(
    (params) => params.model === "res.users" && params.method === "write",
    () => page.click(".modal button:has-text('Save')"),
    async () => {
      await refused("preferences, saved, before the screen has changed", grant);
      await accepted("preferences, another line", other);
    },
  );
  erin.quiet("preferences");
  await erin.leave();
}

/** Sign-in and consent in Odoo, from an application and back to it, up to a token that works. */
async function consent() {
  const application = stage.applications.find((one) => one.name === "Warehouse Scanner");
  const [redirectUri] = application.redirect_uris;
  const judy = await Person.arrive("judy");
  const { page } = judy;
  judy.elsewhere = new URL(redirectUri).origin;
  const server = createServer((_request, response) => response.end("back at the application")).listen(new URL(redirectUri).port, "127.0.0.1");
  const verifier = randomBytes(48).toString("base64url");
  const ask = async (state) => {
    const query = new URLSearchParams({
      response_type: "code", client_id: application.client_id, redirect_uri: redirectUri, scope: application.scope, state,
      code_challenge: createHash("sha256").update(verifier).digest("base64url"), code_challenge_method: "S256",
    });
    return page.goto(`${stage.service}/oauth2/authorize?${query}`);
  };
  const back = async () => {
    await page.waitForURL((url) => url.href.startsWith(redirectUri));
    return new URL(page.url()).searchParams;
  };
  await ask("first");
  check("consent: Odoo's own sign-in comes first", page.url().startsWith(`${stage.odoo}/web/login`), page.url());
  await judy.screenshot("71-sign-in");
  await judy.fillInSignIn();
  await page.waitForSelector("button[name=answer][value=allow]");
  const words = await page.innerText("main, body");
  check("consent: who asks, and for what", words.includes("Warehouse Scanner") && words.includes("Read and change in Odoo") && words.includes("Judy Jansen"), words);
  await judy.screenshot("72-consent");
  await page.click("button[name=answer][value=deny]");
  equal("consent: Deny tells the application so", (await back()).get("error"), "access_denied");

  const response = await ask("second");
  equal("consent: nobody may frame the page", response.headers()["x-frame-options"], "DENY");
  await page.click("button[name=answer][value=allow]");
  const answer = await back();
  equal("consent: Allow brings the application's own state back", answer.get("state"), "second");
  check("consent: and a code", Boolean(answer.get("code")), page.url());
  const tokens = await fetch(`${stage.service}/oauth2/token`, {
    method: "POST",
    headers: { authorization: `Basic ${btoa(`${application.client_id}:${application.client_secret}`)}` },
    body: new URLSearchParams({ grant_type: "authorization_code", code: answer.get("code"), redirect_uri: redirectUri, code_verifier: verifier }),
  }).then((token) => token.json());
  const uid = (await jsonrpc("common", "login", stage.database, "judy", tokens.access_token)).result;
  check("consent: the token is Judy's", Number.isInteger(uid) && uid > 2, uid);
  await accepted("consent", { login: "judy", uid, application: application.name, access_token: tokens.access_token });
  judy.quiet("consent");
  await judy.leave();
  server.close();
}

await play(signIn, userTabAndWasteBin, authorizationsList, formButton, contextualAction, selectAndRevoke, revocations, actionsOnUsers, plainUser, consent);
