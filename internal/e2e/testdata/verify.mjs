// Verifies webhooks with the standardwebhooks library of npm: a JSON object a line in, "ok" or the reason a line out.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [packages, key] = process.argv.slice(2);
const { Webhook } = createRequire(packages + "/")("standardwebhooks");
const webhook = new Webhook(key);

for await (const line of createInterface({ input: process.stdin })) {
  const { id, timestamp, signature, body } = JSON.parse(line);
  const headers = { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature };
  try {
    webhook.verify(body, headers);
    console.log("ok");
  } catch (error) {
    console.log(String(error));
  }
}
