-- GET /: a page with a live chat. The room itself is routes/room.get.lua; this file is only what the browser gets.
local spry = require "sprylua"
local Response = spry.Response

local style = [[
:root {
  color-scheme: light dark;
  --page: #f6f7f4; --card: #ffffff; --ink: #1c211d; --soft: #667066; --line: #dfe4dd;
  --leaf: #2f7d4f; --on-leaf: #ffffff; --mine: #e3f1e7; --good: #2f9e5b; --busy: #c98a1b; --bad: #c8453b;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #131714; --card: #1b211d; --ink: #e6ebe6; --soft: #96a198; --line: #2d352f;
    --leaf: #6cc08b; --on-leaf: #0f1711; --mine: #24382b; --good: #5fcf8a; --busy: #e0ac4a; --bad: #ef7a70;
  }
}
* { box-sizing: border-box }
body {
  margin: 0 auto; padding: clamp(1rem, 5vh, 3.5rem) 1rem; max-width: 46rem;
  background: var(--page); color: var(--ink); font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", sans-serif;
}
header h1 { margin: 0; font-size: 2rem; letter-spacing: -.02em }
header h1 span { color: var(--leaf) }
header p { margin: .25rem 0 1.75rem; color: var(--soft) }
h2 { font-size: 1rem; margin: 2.25rem 0 .75rem }
code { font: .9em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace }
a { color: var(--leaf); text-underline-offset: .2em }

.chat {
  background: var(--card); border: 1px solid var(--line); border-radius: 14px; overflow: hidden;
  box-shadow: 0 1px 2px rgb(0 0 0 / .05), 0 8px 24px rgb(0 0 0 / .05);
}
.bar { display: flex; align-items: center; gap: .6rem; padding: .7rem 1rem; border-bottom: 1px solid var(--line) }
.bar strong { margin-right: auto }
.bar small { color: var(--soft) }
.dot { width: .65rem; height: .65rem; border-radius: 50%; background: var(--busy); transition: background .2s }
.dot.open { background: var(--good) }
.dot.lost { background: var(--bad) }
#log {
  height: min(24rem, 50vh); overflow-y: auto; margin: 0; padding: 1rem; list-style: none;
  display: flex; flex-direction: column; gap: .4rem;
}
#log li { max-width: 80%; align-self: flex-start; overflow-wrap: anywhere }
#log .said { padding: .4rem .75rem; border-radius: 12px; border: 1px solid var(--line) }
#log .said b { display: block; font-size: .8rem; color: var(--leaf) }
#log .mine { align-self: flex-end; background: var(--mine); border-color: transparent }
#log .note { align-self: center; color: var(--soft); font-size: .85rem }
form { display: flex; gap: .5rem; padding: .75rem; border-top: 1px solid var(--line) }
input, button { font: inherit; color: inherit; padding: .5rem .75rem; border-radius: 9px; border: 1px solid }
input { border-color: var(--line) }
input { background: var(--page); min-width: 0 }
#name { width: 8rem }
#text { flex: 1 }
button { background: var(--leaf); color: var(--on-leaf); border-color: transparent; font-weight: 600; cursor: pointer }
button:disabled { opacity: .45; cursor: default }
:focus-visible { outline: 2px solid var(--leaf); outline-offset: 2px }

.routes { display: grid; gap: .1rem; margin: 0; padding: 0; list-style: none }
.routes li { display: flex; flex-wrap: wrap; gap: 0 1rem; padding: .45rem 0; border-top: 1px solid var(--line) }
.routes a, .routes b { flex: 0 0 9rem; font-weight: 600 }
.routes span { flex: 1 1 16rem; color: var(--soft) }
@media (max-width: 30rem) { form { flex-wrap: wrap } #name { width: 100% } }
]]

local script = [[
const by = (id) => document.getElementById(id);
const log = by("log"), send = by("send"), scheme = location.protocol === "https:" ? "wss://" : "ws://";
let socket, tries = 0;

by("name").value = localStorage.getItem("name") || "guest-" + Math.random().toString(36).slice(2, 6);

function add(className, text, name) {
  const follow = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  const item = document.createElement("li");
  item.className = className;
  if (name) item.appendChild(document.createElement("b")).textContent = name;
  item.append(text);                       // as text: what others write is never HTML here
  log.append(item);
  while (log.children.length > 500) log.firstChild.remove();
  if (follow) log.scrollTop = log.scrollHeight;
}

function state(className, text) {
  by("dot").className = "dot " + className;
  by("state").textContent = text;
  send.disabled = className !== "open";
}

function show(line) {
  const online = line.match(/^User (?:joined|left) \((\d+) online\)$/);
  if (online) {
    by("online").textContent = online[1] + " online";
    return add("note", line.replace(/ \(.*/, ""));
  }
  const said = line.match(/^Message: (?:(.{1,24}?): )?([^]*)$/);
  if (!said) return add("note", line);
  const name = said[1] || "somebody";
  add(name === by("name").value ? "said mine" : "said", said[2], name);
}

function connect() {
  state("", "connecting");
  socket = new WebSocket(scheme + location.host + "/room");
  socket.onopen = () => { tries = 0; state("open", "connected"); };
  socket.onmessage = (event) => show(event.data);
  socket.onclose = () => {
    let wait = Math.min(30, 2 ** tries++);
    by("online").textContent = "";
    const timer = setInterval(count, 1000);
    function count() {
      if (wait <= 0) { clearInterval(timer); return connect(); }
      state("lost", "lost, again in " + wait-- + " s");
    }
    count();
  };
}

by("form").onsubmit = (event) => {
  event.preventDefault();
  const text = by("text").value.trim(), name = by("name").value.replace(/:/g, "").trim() || "somebody";
  if (!text || socket.readyState !== WebSocket.OPEN) return;
  localStorage.setItem("name", name);
  by("name").value = name;
  socket.send(name + ": " + text);
  by("text").value = "";
};

connect();
]]

local page = ([[
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>sprylua</title>
<link rel="icon" href="data:,">
<style>
$style</style>
</head>
<body>
<header>
  <h1>spry<span>lua</span></h1>
  <p>Files are routes, and WebSockets are routes too. This page is <code>routes/index.lua</code>.</p>
</header>

<section class="chat" aria-label="Chat">
  <div class="bar">
    <i id="dot" class="dot"></i>
    <strong>The room</strong>
    <small id="online"></small>
    <small id="state" role="status">connecting</small>
  </div>
  <ol id="log" aria-live="polite"></ol>
  <form id="form" autocomplete="off">
    <input id="name" aria-label="Your name" maxlength="24" placeholder="name" spellcheck="false">
    <input id="text" aria-label="Message" maxlength="2000" autofocus
      placeholder="Say something. Open a second tab to answer.">
    <button id="send" disabled>Send</button>
  </form>
</section>

<h2>Also here</h2>
<ul class="routes">
  <li><a href="/chat">/chat</a><span>an echo over WebSocket: <code>routes/chat.get.lua</code></span></li>
  <li><a href="/room">/room</a><span>the room above: <code>routes/room.get.lua</code></span></li>
  <li><a href="/notifications">/notifications</a>
    <span>a message every ten seconds: <code>routes/notifications.get.lua</code></span></li>
  <li><a href="/hybrid">/hybrid</a>
    <span>a page and a WebSocket at one address: <code>routes/hybrid.lua</code></span></li>
  <li><a href="/about">/about</a><span>a table becomes JSON: <code>routes/about.get.lua</code></span></li>
  <li><a href="/admin">/admin</a>
    <span>needs <code>Authorization: Bearer secret-token</code>: <code>routes/admin/</code></span></li>
</ul>
<script>
$script</script>
</body>
</html>
]]):gsub("%$(%l+)", { style = style, script = script })

return function()
  return Response.html(page)
end
