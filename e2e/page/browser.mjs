// Drives Chromium as the test says: a command of JSON in a line of standard input, its answer in one of standard output.
import { createInterface } from "node:readline";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(new URL("../node_modules/", import.meta.url));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const browser = await chromium.launch({ executablePath: process.argv[2], args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });
const pages = new Map();

const commands = {
  async open({ page, url, dark, width, height, plain }) {
    // Each in a profile of its own: one profile has six connections to a host at most.
    const context = await browser.newContext({
      colorScheme: dark ? "dark" : "light", viewport: { width, height }, javaScriptEnabled: !plain, reducedMotion: "reduce",
    });
    const opened = await context.newPage();
    const complaints = [];
    opened.on("console", (m) => { if (["error", "warning"].includes(m.type()) && !m.text().includes("Failed to load resource") && !m.text().includes("net::ERR_")) complaints.push(m.text()); });
    opened.on("pageerror", (e) => complaints.push(String(e)));
    pages.set(page, { opened, complaints });
    await opened.goto(url, { waitUntil: "load" });
  },
  evaluate: ({ page, script }) => pages.get(page).opened.evaluate(script),
  text: ({ page }) => pages.get(page).opened.locator("body").innerText(),
  reload: async ({ page }) => { await pages.get(page).opened.reload({ waitUntil: "load" }); },
  press: ({ page, key }) => pages.get(page).opened.keyboard.press(key),
  aria: ({ page }) => pages.get(page).opened.locator("body").ariaSnapshot(),
  complaints: ({ page }) => pages.get(page).complaints,
  async axe({ page }) {
    const { opened } = pages.get(page);
    await opened.evaluate(axe);
    const { violations, passes } = await opened.evaluate("axe.run()");
    return {
      passes: passes.length,
      violations: violations.map((v) => ({ id: v.id, impact: v.impact, help: v.help, nodes: v.nodes.map((n) => `${n.target}: ${n.failureSummary}`) })),
    };
  },
  shot: async ({ page, path }) => { await pages.get(page).opened.screenshot({ path, fullPage: true }); },
  close: async ({ page }) => { await pages.get(page).opened.context().close(); pages.delete(page); },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { does, ...with_ } = JSON.parse(line);
  let answer;
  try {
    answer = { value: await commands[does](with_) };
  } catch (e) {
    answer = { error: String(e) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
