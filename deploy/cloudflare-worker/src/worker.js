// The front of the witness: who may ask, what is asked for, and how that is answered. The registers are in group.js.
//
// It sends each request to the object of its group at most once, and has no answer that is not the object's: what it does not
// know, it calls unknown.

import { timingSafeEqual } from "./token.js";

export { Group } from "./group.js";

// VERSION is that of the API, in its path and in each answer: a client refuses another one. It is raised when a client of the
// last version would misread an answer, or the other way round.
const VERSION = "1";
const PATH = `/v${VERSION}/register`;

// MAX_VALUE is witness.MaxRecord of failoverd.
const MAX_VALUE = 64 << 10;
// MAX_NAME bounds a key and a group, in characters.
const MAX_NAME = 1024;
// MIN_TOKEN is what a token has that nobody guesses: openssl rand -hex 32 makes one of 64.
const MIN_TOKEN = 32;

export default {
  async fetch(request, env) {
    let answer;
    try {
      answer = await serve(request, env);
    } catch (error) {
      answer = error instanceof Refusal ? error.answer() : unknown(error).answer();
    }
    const headers = answer.headers;
    headers.set("Failoverd-Witness", VERSION);
    // A cache on the way would make of a store that is never stale one that is, by nobody knows how much. One that does not
    // heed this is found out by the client: each answer names the request that it is to.
    headers.set("Cache-Control", "no-store");
    const id = request.headers.get("Failoverd-Request") ?? "";
    if (/^[0-9a-f]{1,64}$/.test(id)) headers.set("Failoverd-Request", id);
    return answer;
  },
};

async function serve(request, env) {
  const url = new URL(request.url);
  if (url.pathname !== PATH) {
    throw new Refusal(404, "unknown_path", `this is version ${VERSION} of failoverd's witness, which answers at ${PATH} only`);
  }
  const limit = Number(env.REQUESTS_PER_SECOND);
  if (!(limit > 0)) {
    throw new Refusal(500, "not_configured", "the variable REQUESTS_PER_SECOND is not a number above 0");
  }
  await authorize(request, env);
  // Names are in the query, where nobody on the way takes them for parts of a path and resolves "..", "//" or "%2F".
  const group = name(url, "group");
  const key = name(url, "key");
  let result;
  switch (request.method) {
    case "GET":
      result = await objectOf(group, env).read(key, limit);
      break;
    case "POST": {
      // Not PUT, which anyone on the way may send again by himself when he has lost the answer (RFC 9110, section 9.2.2): an
      // attempt that landed a second time, after a newer one, would bring an old record back.
      const value = await bounded(request.body);
      result = await objectOf(group, env).write(key, value, limit);
      break;
    }
    default:
      throw new Refusal(405, "bad_request", `method ${request.method}, want GET or POST`, { Allow: "GET, POST" });
  }
  switch (result.outcome) {
    case "found":
      return new Response(result.value, { headers: { "Content-Type": "application/octet-stream" } });
    case "written":
      return new Response(null, { status: 204 });
    case "missing":
      throw new Refusal(404, "no_record", "there is no record under this key");
    case "rate_limited":
      throw new Refusal(429, "rate_limited", `more than ${limit} requests in a second for this key`, { "Retry-After": "1" });
    case "full":
      throw new Refusal(507, "too_many_registers", `the group has ${result.registers} registers, and takes no more`);
    default: // of the object's code, which may be older or newer than this for some minutes after it was deployed
      throw new Error(`the object's answer is ${result.outcome}`);
  }
}

// objectOf is the way to a group's object: a new one each time, since one that has failed stays broken.
function objectOf(group, env) {
  return env.GROUPS.getByName(group, env.LOCATION_HINT ? { locationHint: env.LOCATION_HINT } : {});
}

// authorize lets in who has one of the tokens. There may be two, so that they can be changed one after the other.
async function authorize(request, env) {
  const tokens = [env.TOKEN, env.OLD_TOKEN].filter((token) => token);
  if (!env.TOKEN || tokens.some((token) => token.length < MIN_TOKEN)) {
    throw new Refusal(500, "not_configured", `the secret TOKEN is not set, or a token has fewer than ${MIN_TOKEN} characters: see README.md`);
  }
  const sent = /^Bearer (.+)$/i.exec(request.headers.get("Authorization") ?? "")?.[1] ?? "";
  const same = await Promise.all(tokens.map((token) => timingSafeEqual(sent, token))); // with all, whichever it is
  if (!same.includes(true)) {
    throw new Refusal(401, "wrong_token", "the token is not the one of this Worker", { "WWW-Authenticate": "Bearer" });
  }
}

function name(url, parameter) {
  const value = url.searchParams.get(parameter) ?? "";
  if (value === "" || value.length > MAX_NAME) {
    throw new Refusal(400, "bad_request", `${parameter} has ${value.length} characters, want from 1 to ${MAX_NAME}`);
  }
  return value;
}

// bounded is all of a body. It stops reading as soon as that is too much.
async function bounded(body) {
  const parts = [];
  let size = 0;
  for await (const part of body ?? []) {
    size += part.byteLength;
    if (size > MAX_VALUE) {
      throw new Refusal(413, "too_large", `the value has more than ${MAX_VALUE} bytes`);
    }
    parts.push(part);
  }
  return new Blob(parts).arrayBuffer();
}

// unknown is what an attempt came to that ended with an exception: it may have landed, or may yet. It is never tried again
// here, even where Cloudflare calls that safe.
function unknown(error) {
  const message = String(error?.message ?? error);
  if (message.includes("free tier")) {
    return new Refusal(507, "quota", message);
  }
  return new Refusal(503, "unknown", message);
}

// A Refusal is an answer that is no record and no acknowledgement. Its code is what a client decides by.
class Refusal extends Error {
  constructor(status, code, message, headers = {}) {
    super(message);
    Object.assign(this, { status, code, headers });
  }

  answer() {
    const { status, code, message, headers } = this;
    return Response.json({ version: VERSION, error: { code, message } }, { status, headers });
  }
}
