// The administrator's journeys through Odoo.

import { Person, check, finish, openBrowser, stage } from "./stage.mjs";

async function main() {
  await openBrowser();
  const admin = await Person.signIn("admin");
  const page = admin.page;
  await page.goto(`${stage.odoo}/web#id=2&action=base.action_res_users&model=res.users&view_type=form`);
  await page.reload();
  await page.waitForSelector(".o_form_view .o_notebook");
  check("the users form opens", true);
  await admin.screenshot("01-users-form");
  admin.quiet("users form");
}

main()
  .catch((error) => check("the journey goes on", false, String(error?.stack ?? error)))
  .finally(finish);
