// What the server renders is all there is to know. This keeps it new, and its times going.
"use strict";
{
  const byId = (id) => document.getElementById(id);
  const live = byId("live"), news = byId("news");

  // Of the server's clock, so that this machine's may be wrong.
  let ahead = 0;
  const now = () => Date.now() - ahead;

  // As span in format.go.
  const span = (seconds) => {
    const s = Math.max(0, Math.floor(seconds));
    if (s < 60) return `${s} s`;
    if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
    if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
    return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
  };
  const put = (node, text) => { if (node.textContent !== text) node.textContent = text; };

  const tick = () => {
    for (const e of document.querySelectorAll("[data-since]")) put(e, span((now() - e.dataset.since) / 1000));
    for (const e of document.querySelectorAll(".time[data-until]")) put(e, span((e.dataset.until - now()) / 1000));
    for (const e of document.querySelectorAll("rect[data-until]")) {
      const percent = (e.dataset.until - now()) / 10 / e.dataset.of;
      e.setAttribute("width", Math.min(100, Math.max(0, percent)).toFixed(1));
    }
  };

  // become makes a node what another is, and leaves alone what is the same: the focus, what is marked, where a reader is.
  const become = (old, fresh) => {
    if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || old.id !== fresh.id) {
      old.replaceWith(fresh);
      return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.data !== fresh.data) old.data = fresh.data;
      return;
    }
    // Whether details are shown is for who reads them to say.
    for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
    for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    // Sections come and go: one that is the same is to stay the same node.
    const rest = [...fresh.childNodes];
    for (const child of rest) {
      if (!child.id && !child.getAttribute?.("aria-labelledby")) continue;
      const same = [...old.children].find((e) => e.getAttribute("aria-labelledby") === child.getAttribute("aria-labelledby") && e.id === child.id);
      const at = old.childNodes[rest.indexOf(child)] ?? null;
      if (same && same !== at) old.insertBefore(same, at);
    }
    rest.forEach((child, i) => {
      if (i < old.childNodes.length) become(old.childNodes[i], child);
      else old.append(child);
    });
    while (old.childNodes.length > rest.length) old.lastChild.remove();
  };

  const say = (text) => put(news, text);
  const state = (name, text) => {
    live.className = `live ${name}`;
    put(live, text);
  };

  let said = byId("facts").dataset.news, heard = Date.now(), cut = false;
  const take = (html) => {
    const fresh = new DOMParser().parseFromString(html, "text/html").getElementById("facts");
    if (!fresh) return;
    ahead = Date.now() - fresh.dataset.now;
    become(byId("facts"), fresh);
    document.title = fresh.dataset.title;
    if (fresh.dataset.news !== said || cut) say(fresh.dataset.news);
    said = fresh.dataset.news;
    heard = Date.now();
    cut = false;
    document.body.className = "";
    state("on", "Live");
    tick();
  };

  // What was so is not said any more as if it were.
  const lost = (why) => {
    const facts = byId("facts");
    const at = new Date(Number(facts.dataset.now)).toISOString().slice(11, 19);
    if (!cut) say(`This page is cut off from the agent: ${why}`);
    cut = true;
    state("off", `Not live: ${why}.`);
    document.body.className = "stale";
    document.title = `Cut off · ${facts.dataset.title}`;
    put(byId("headline"), "Cut off: who is active is not known here");
    put(document.querySelector(".verdict"), `Last heard at ${at} UTC: ${facts.dataset.headline}. Look at the page of another region.`);
  };

  // The server sends something every 5 s at least.
  const silence = 12000;
  let events, again;
  const open = () => {
    clearTimeout(again);
    events?.close();
    events = new EventSource("events");
    events.onmessage = (event) => take(event.data);
    events.onerror = () => {
      if (events.readyState !== EventSource.CLOSED) return lost("the agent does not answer");
      // It said no, as it does to one that is too many. That is final for an EventSource.
      reload();
    };
    heard = Date.now();
  };
  const reload = async () => {
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(silence) });
      if (!answer.ok) throw answer.status;
      take(await answer.text());
      state("on", "Every 10 s: too many pages are open");
    } catch {
      lost("the agent does not answer");
    }
    again = setTimeout(open, 10000);
  };
  // A page that nobody looks at holds no stream.
  const look = () => {
    if (document.hidden) {
      clearTimeout(again);
      events?.close();
      events = undefined;
    } else if (!events) {
      if (Date.now() - heard > silence) lost("it was hidden, and asks the agent again");
      open();
    }
  };
  document.addEventListener("visibilitychange", look);
  ahead = Date.now() - byId("facts").dataset.now;
  setInterval(() => {
    tick();
    if (events && Date.now() - heard > silence) {
      lost("the agent has been silent");
      open();
    }
  }, 1000);
  look();
}
