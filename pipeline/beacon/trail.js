// Tells the web server's own log how long a page was looked at, and what was clicked. Never what was typed.
// <script src="/trail.js" defer data-path="/trail/event" data-cookie="visitor"></script>; both are optional.
(function (w, d) {
  if (w.trail && w.trail.on) return;
  var said = (d.currentScript || {}).dataset || {}, to = said.path || "/trail/event";
  var BEAT = 9e5, IDLE = 18e5; // ms: the longest silence of a page in view; without a person's sign it is not looked at
  var view, page, born, from, active, shown, sent = Date.now();
  function now() { return performance.now(); }
  function id() { return Array.from(crypto.getRandomValues(new Uint32Array(2)), function (n) { return n.toString(36); }).join(""); }
  function begin(at) { view = id(); page = location.pathname; born = at; shown = 0; }
  function count() {
    if (from == null) return;
    shown += Math.max(0, Math.min(now(), active + IDLE) - from);
    from = now();
  }
  function send(name, label) {
    count();
    try {
      var url = to + "?e=" + encodeURIComponent(name) + "&v=" + view + "&a=" + Math.round(Date.now() - born) +
        "&t=" + Math.round(shown) + "&p=" + encodeURIComponent(page) + (label ? "&l=" + encodeURIComponent(Array.from(String(label)).slice(0, 100).join("")) : "");
      shown = 0;
      sent = Date.now();
      fetch(url, { method: "POST", keepalive: true, referrerPolicy: "no-referrer" }).catch(function () {});
    } catch (e) {} // a page never breaks for what it reports
  }
  function beat() { count(); if (from != null && shown && Date.now() - sent >= BEAT) send("still"); }
  function alive() { count(); active = now(); }
  function look() {
    if (d.visibilityState == "hidden") return leave();
    if (from != null) return;
    from = active = now();
    if (Date.now() - sent >= BEAT) send("show");
  }
  function leave() { if (from != null) { send("hide"); from = null; } }
  function moved() {
    if (location.pathname == page) return;
    send("hide");
    begin(Date.now());
    send("view");
  }
  if (said.cookie && ("; " + d.cookie).indexOf("; " + said.cookie + "=") < 0)
    d.cookie = said.cookie + "=" + id() + id() + ";path=/;max-age=31536000;samesite=lax" + (location.protocol == "https:" ? ";secure" : "");
  begin(performance.timeOrigin);
  look();
  d.addEventListener("visibilitychange", look);
  w.addEventListener("pageshow", look);
  w.addEventListener("pagehide", leave);
  w.addEventListener("popstate", moved);
  ["pointermove", "keydown", "scroll", "touchstart"].forEach(function (kind) { d.addEventListener(kind, alive, { capture: true, passive: true }); });
  ["pushState", "replaceState"].forEach(function (name) {
    var change = history[name];
    history[name] = function () { change.apply(history, arguments); moved(); };
  });
  setInterval(beat, 6e4);
  d.addEventListener("click", function (event) {
    alive();
    var on = event.target.closest && event.target.closest("[data-trail],a[href],button,summary,[role=button],[type=submit]");
    if (on) send("click", on.dataset.trail || (on.id && "#" + on.id) || (/^http/.test(on.protocol) ? on.host != location.host ? on.host : on.pathname : on.protocol) || on.getAttribute("name") || on.tagName.toLowerCase());
  }, true);
  send.on = 1;
  w.trail = send;
})(window, document);
