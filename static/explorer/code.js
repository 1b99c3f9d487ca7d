/** The call that the form would make, in a program. The key is no part of it: it is read from the environment. */

import { API } from "./api.js";

// Pictures in base64 fill screens; of each only the beginning is shown.
const SHOWN_OF_DATA = 40;

/** `{curl, python, javascript}` for a task that `create` makes and `status` shows. `site` is this site's address. */
export function codeForTask(site, { create, status }, body) {
  const shown = Object.fromEntries(Object.entries(body).map(([name, value]) => [name, shorten(value)]));
  const api = site + API;
  return {
    curl: curl(api, create, status, shown),
    python: python(api, create, status, shown),
    javascript: javascript(api, create, status, shown),
  };
}

function curl(api, create, status, body) {
  const json = JSON.stringify(body, null, 2).replaceAll("'", `'\\''`);
  return `curl ${api}${create} \\
  -H "Authorization: Bearer $ARKROUTE_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '${json}'

# The answer holds the task's id. Ask for it until its status is no longer "processing":
curl ${api}${status}/<task_id> \\
  -H "Authorization: Bearer $ARKROUTE_API_KEY"
`;
}

function python(api, create, status, body) {
  return `import os
import time

import requests

api = "${api}"
session = requests.Session()
session.headers["Authorization"] = f"Bearer {os.environ['ARKROUTE_API_KEY']}"

answer = session.post(f"{api}${create}", json=${indent(pythonLiteral(body), "")})
answer.raise_for_status()
task = answer.json()
while task["status"] == "processing":
    time.sleep(2)
    task = session.get(f"{api}${status}/{task['task_id']}").json()
print(task["video_url"] or task["error"])
`;
}

function javascript(api, create, status, body) {
  return `const api = "${api}";
const headers = {
  "Authorization": \`Bearer \${process.env.ARKROUTE_API_KEY}\`,
  "Content-Type": "application/json",
};

const answer = await fetch(\`\${api}${create}\`, {
  method: "POST",
  headers,
  body: JSON.stringify(${indent(JSON.stringify(body, null, 2), "  ")}),
});
if (!answer.ok) throw new Error(await answer.text());
let task = await answer.json();
while (task.status === "processing") {
  await new Promise((resolve) => setTimeout(resolve, 2000));
  task = await (await fetch(\`\${api}${status}/\${task.task_id}\`, { headers })).json();
}
console.log(task.video_url ?? task.error);
`;
}

/** JSON's strings and numbers are Python's, too; its three words are not. */
function pythonLiteral(body) {
  const lines = Object.entries(body).map(([name, value]) => {
    const literal = { true: "True", false: "False", null: "None" }[String(value)];
    return `    ${JSON.stringify(name)}: ${typeof value !== "string" && literal ? literal : JSON.stringify(value)},`;
  });
  return `{\n${lines.join("\n")}\n}`;
}

function indent(code, by) {
  return code.replaceAll("\n", `\n${by}`);
}

function shorten(value) {
  return typeof value === "string" && value.startsWith("data:") ? `${value.slice(0, SHOWN_OF_DATA)}…` : value;
}
