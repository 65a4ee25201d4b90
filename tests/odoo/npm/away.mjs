// The service is stopped.

import { Person, check, grantOf, play, refusedByOdoo } from "./stage.mjs";

async function serviceAway() {
  for (const [login, application] of [["alice", "Warehouse Scanner"], ["erin", "Confluence Connector"]]) {
    await refusedByOdoo(`service away: the live token of ${login}`, grantOf(login, application));
  }
  const admin = await Person.signIn("admin");
  const { page } = admin;
  await admin.open(`id=${grantOf("alice", "Warehouse Scanner").uid}&action=base.action_res_users&model=res.users&view_type=form`, ".o_form_view .o_notebook");
  await page.click('.o_notebook .nav-link:has-text("oREST API Authorizations")');
  await page.waitForSelector(".o_notebook .tab-pane.active .alert:visible");
  await admin.screenshot("80-away-user-tab");
  const banner = await page.innerText(".o_notebook .tab-pane.active .alert:visible");
  check("service away: the users form opens, with a banner", /service/i.test(banner) && !/Traceback|Errno|urllib|HTTPConnection/.test(banner), banner);
  admin.quiet("service away, users form");
  await page.click(".o_form_button_edit");
  await page.fill("input[name=name]", "Alice Ahrens-Baum");
  await page.click(".o_form_button_save");
  await page.waitForSelector(".o_form_view.o_form_readonly");
  check("service away: the form is saved", true);
  admin.quiet("service away, saving the form");

  await page.goto("about:blank");
  await admin.open("action=orest.orest_authorization_action&model=orest.authorization&view_type=list", ".modal .o_error_detail, .modal .modal-body");
  const told = await page.innerText(".modal .modal-body");
  await admin.screenshot("81-away-list");
  check("service away: the list says so in words", /service/i.test(told) && !/Traceback|Errno|urllib|HTTPConnection/.test(told), told);
  admin.takeTroubles();
  await admin.leave();
}

await play(serviceAway);
