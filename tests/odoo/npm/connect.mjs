// The administrator connects Odoo with the service.

import { Person, check, equal, play, stage } from "./stage.mjs";

const GENERAL = "action=base_setup.action_general_configuration";

async function settings() {
  const admin = await Person.signIn("admin");
  const { page } = admin;
  const told = page.locator(".o_notification, .modal .modal-body").first();
  const test = async (address, credential) => {
    await admin.open(GENERAL, "#orest");
    const block = page.locator("#orest");
    await block.scrollIntoViewIfNeeded();
    await block.locator("input[name=orest_service_url]").fill(address);
    await block.locator("input[name=orest_credential]").fill(credential);
    // Settings are kept first: Odoo 14 would throw away what is not saved when a button is clicked.
    await Promise.all([page.waitForEvent("load"), page.click("button[name=execute]")]);
    await admin.open(GENERAL, "#orest");
    await block.scrollIntoViewIfNeeded();
    await block.locator("button:has-text('Test Connection')").click();
    await told.waitFor();
    return told.innerText();
  };
  const plain = (text) => !/Traceback|Errno|urllib|HTTPConnection|Exception|<class/.test(text);
  let text = await test(stage.service.replace(/\d+$/, "9"), "not the credential");
  check("settings: a wrong address is explained", /can.t be reached|does not answer|refuse|address/i.test(text) && plain(text), text);
  await admin.screenshot("01-settings-wrong-address");
  text = await test(stage.service, "not the credential");
  check("settings: a wrong credential is explained", /credential/i.test(text) && plain(text), text);
  await admin.screenshot("02-settings-wrong-credential");
  text = await test(stage.odoo, "not the credential");
  check("settings: something else that answers there is explained", plain(text), text);
  admin.takeTroubles();
  text = await test(stage.service, stage.credential);
  check("settings: Test Connection says that it is connected", /connected/i.test(text), text);
  await admin.screenshot("03-settings-connected");
  await admin.open(GENERAL, "#orest");
  await page.locator("#orest").scrollIntoViewIfNeeded();
  equal("settings: the address is kept", await page.locator("#orest input[name=orest_service_url]").inputValue(), stage.service);
  equal("settings: the credential is not shown again", await page.locator("#orest input[name=orest_credential]").inputValue(), "");
  const html = await page.content();
  check("settings: it is nowhere in the page", !html.includes(stage.credential));
  await page.locator("#orest button:has-text('Synchronise Users')").click();
  await told.waitFor();
  await admin.screenshot("04-settings-synchronised");
  check("settings: Synchronise Users says what it did", /\d+/.test(await told.innerText()), await told.innerText());
  admin.quiet("settings");
  await admin.leave();
}

await play(settings);
