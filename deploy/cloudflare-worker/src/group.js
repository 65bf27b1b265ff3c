// The registers of one failover group, in one Durable Object with its own SQLite database.
//
// What the lease needs is that a read which is sent after a write was acknowledged returns that write or a newer one, wherever
// it comes from. Cloudflare has at most one object of a name, but enforces it only at the start of a request and at access to
// storage: an object that was replaced, after a network partition or at a deployment, may go on for a while and not know it.
// It may answer nothing from what it has in memory, then. A read from storage is not enough: it comes from a cache in memory,
// or from the database on the same machine (noCache would not change that: it is a hint, and what is in the cache is returned
// all the same). Only a write goes to where it is known whose turn it is. So each read writes too, a row that nobody reads,
// and is answered when that write is confirmed. In an object that was replaced it fails, and so does the read.
//
// The output gate, which holds every answer back until the writes before it are confirmed, would do for that, and for the
// acknowledgement of a write; sync says it in so many words, and throws where it can't be. Nothing here allows unconfirmed
// writes or concurrency, and nothing is awaited between looking at a register and writing, so that both are one transaction.

import { DurableObject } from "cloudflare:workers";

// MAX_REGISTERS is far above three for each region. It bounds what a lost token costs.
const MAX_REGISTERS = 256;

export class Group extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.storage = ctx.storage;
    this.sql = ctx.storage.sql;
    this.sql.exec(`
      CREATE TABLE IF NOT EXISTS registers (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS reads (one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL);
    `);
    this.limits = new Map();
  }

  async read(key, limit) {
    if (!this.admit("read " + key, limit)) return { outcome: "rate_limited" };
    const [row] = this.sql.exec("SELECT value FROM registers WHERE key = ?", key).toArray();
    this.sql.exec("INSERT INTO reads VALUES (1, 1) ON CONFLICT DO UPDATE SET number = number + 1");
    await this.storage.sync();
    return row ? { outcome: "found", value: row.value } : { outcome: "missing" };
  }

  async write(key, value, limit) {
    if (!this.admit("write " + key, limit)) return { outcome: "rate_limited" };
    const replaced = this.sql.exec("UPDATE registers SET value = ? WHERE key = ? RETURNING 1", value, key).toArray();
    if (replaced.length === 0) {
      const { registers } = this.sql.exec("SELECT count(*) AS registers FROM registers").one();
      if (registers >= MAX_REGISTERS) return { outcome: "full", registers };
      this.sql.exec("INSERT INTO registers VALUES (?, ?)", key, value);
    }
    await this.storage.sync();
    return { outcome: "written" };
  }

  // admit is the rate limit: so many requests in a second, and twice as many at once. An object takes about a thousand in a
  // second, and is the only one of its group: a client that has gone mad must not keep the others from renewing, nor the reads
  // of a register its one writer. It is in memory, as a limit may begin anew with the object.
  admit(what, limit) {
    const now = Date.now();
    if (this.limits.size > 4 * MAX_REGISTERS) this.limits.clear(); // somebody makes keys up
    const { left, at } = this.limits.get(what) ?? { left: 2 * limit, at: now };
    const budget = Math.min(2 * limit, left + ((now - at) * limit) / 1000);
    const ok = budget >= 1;
    this.limits.set(what, { left: ok ? budget - 1 : budget, at: now });
    return ok;
  }
}
