// A mass revocation in the list: all that the search finds, up to Odoo's limit for a selection.

import { Person, check, play, refused, stage } from "./stage.mjs";

const figure = (what, started) => console.log(`figure: ${what}: ${(performance.now() - started).toFixed(1)}`);

async function massRevoke() {
  const admin = await Person.signIn("admin");
  const { page } = admin;
  let started = performance.now();
  await admin.open("action=orest.orest_authorization_action&model=orest.authorization&view_type=list", ".o_list_view .o_data_row");
  figure("the web client opens with the list, from an empty page", started);
  started = performance.now();
  await Promise.all([page.waitForResponse((response) => response.url().endsWith("/web/dataset/search_read")), page.click(".o_pager_next")]);
  await page.waitForFunction(() => document.querySelector(".o_pager_value")?.textContent.startsWith("81-"));
  figure("the next page, until it is shown", started);
  await page.click("thead .o_list_record_selector");
  await page.click(".o_list_select_domain");
  await page.waitForSelector(".o_list_selection_box");
  started = performance.now();
  await admin.action("Revoke Tokens");
  await page.waitForSelector(".modal .modal-footer button.btn-primary:visible");
  figure(`Action > Revoke Tokens on ${stage.selected.toLocaleString("en")} rows, until the dialog says how many`, started);
  await page.fill(".modal input[name=reason]", "connector compromised");
  await admin.screenshot("90-mass-revoke");
  started = performance.now();
  await page.click(".modal-footer button.btn-primary:visible");
  await page.waitForSelector(".modal .alert-success:visible");
  figure(`Revoke Tokens of ${stage.selected.toLocaleString("en")} rows, from the click until the screen says so`, started);
  await admin.screenshot("91-mass-revoked");
  const told = await page.innerText(".modal-body");
  check("mass revocation: says what was done", /\d+ authorizations were revoked/.test(told.replace(/[.,\u00a0](?=\d{3})/g, "")), told);
  await refused("mass revocation", stage.grants[0]);
  await page.click(".modal-footer button:visible:has-text('Close')");
  admin.quiet("mass revocation");
  await admin.leave();
}

await play(massRevoke);
