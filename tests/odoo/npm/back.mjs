// The service is there again.

import { Person, accepted, check, grantOf, play } from "./stage.mjs";

async function serviceBack() {
  await accepted("service back", grantOf("alice", "Warehouse Scanner"));
  const admin = await Person.signIn("admin");
  await admin.open("action=orest.orest_authorization_action&model=orest.authorization&view_type=list", ".o_list_view .o_data_row");
  check("service back: the list is there", true);
  admin.quiet("service back");
  await admin.leave();
}

await play(serviceBack);
