// Service worker. The portal serves this file at /sw.js. It keeps static files and one page for "no connection"; never a page with
// content: what a person may see is decided by the server at each request.
"use strict";
const CACHE = "tongban-static-1";
const OFFLINE = "/offline";

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then(async (cache) => {
    const answer = await fetch(OFFLINE, { credentials: "omit" });
    if (!answer.ok) return;
    await cache.put(OFFLINE, answer.clone());
    // The page's own style and icons, or it would stand there naked.
    const text = await answer.text();
    const needed = [...text.matchAll(/(?:href|src)="(\/static\/[^"#]+)/g)].map((found) => found[1]);
    await Promise.all([...new Set(needed)].map((one) => cache.add(one).catch((problem) => console.info("not kept:", one, problem.message))));
  }).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(caches.keys()
    .then((names) => Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name))))
    .then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const address = new URL(request.url);
  if (request.method !== "GET" || address.origin !== location.origin) return;
  if (request.mode === "navigate") {
    event.respondWith(fetch(request).catch(async () => (await caches.match(OFFLINE)) || Response.error()));
  } else if (address.pathname.startsWith("/static/") && address.searchParams.has("v")) {
    // The hash in the address makes the content final.
    event.respondWith(caches.match(request).then((kept) => kept || fetch(request).then((answer) => {
      if (answer.ok) {
        event.waitUntil(keep(request, address, answer.clone()));
      }
      return answer;
    })));
  }
});

// One version of each file: the older ones go when a newer one comes.
async function keep(request, address, answer) {
  const cache = await caches.open(CACHE);
  for (const old of await cache.keys()) if (new URL(old.url).pathname === address.pathname) await cache.delete(old);
  await cache.put(request, answer);
}
