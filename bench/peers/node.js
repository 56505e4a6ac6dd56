// Node's http with ws: the routes of bench/app. node.js PORT PUBLIC SECTIONS
const fs = require('fs');
const http = require('http');
const path = require('path');
const { WebSocketServer } = require('ws');

const [port, publicFolder, sections] = process.argv.slice(2);

function send(response, type, body) {
  response.setHeader('Content-Type', type);
  response.setHeader('Content-Length', Buffer.byteLength(body));
  response.end(body);
}

const sendText = (response, body) => send(response, 'text/plain; charset=utf-8', body);
const sendJson = (response, value) => send(response, 'application/json', JSON.stringify(value));

// ---- what bench/app does in three middlewares ----

const middlewares = [
  (context, next) => {
    context.user = context.request.headers.authorization ?? 'nobody';
    return next();
  },
  (context, next) => {
    if (context.id !== 0) return next();
    context.response.statusCode = 403;
    context.response.end();
  },
  (context, next) => {
    context.response.setHeader('X-Request-Id', String(requests++));
    return next();
  },
];
let requests = 0;

function run(context, handler, at = 0) {
  if (at === middlewares.length) return handler(context);
  return middlewares[at](context, () => run(context, handler, at + 1));
}

function post(request, response, [, id, number], query) {
  const context = { request, response, id: Number(id) };
  run(context, () => {
    const fields = new URLSearchParams(query).get('fields');
    sendText(response, `post ${number} of user ${id}: ${fields}`);
  });
}

// ---- the routes ----

function order(request, response) {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const { id, lines } = JSON.parse(Buffer.concat(chunks).toString());
    sendJson(response, { id, lines: lines.length });
  });
}

function file(response) {
  const name = path.join(publicFolder, 'file.html');
  fs.stat(name, (err, stat) => {
    response.setHeader('Content-Type', 'text/html; charset=utf-8');
    response.setHeader('Content-Length', stat.size);
    fs.createReadStream(name).pipe(response);
  });
}

function events(response) {
  response.setHeader('Content-Type', 'text/event-stream');
  for (let i = 1; i <= 10; i++) response.write(`id: ${i}\ndata: tick ${i}\n\n`);
  response.end();
}

const followers = new Set();

function follow(response) {
  response.setHeader('Content-Type', 'text/event-stream');
  response.flushHeaders();
  followers.add(response);
  response.on('close', () => followers.delete(response));
}

const routes = new Map(Object.entries({
  '/': (request, response) => sendText(response, 'hello, world'),
  '/json': (request, response) => sendJson(response, {
    id: 7, name: 'Ada Lovelace', email: 'ada@example.org', active: true, balance: 12.5,
  }),
  '/orders': order,
  '/file.html': (request, response) => file(response),
  '/events': (request, response) => events(response),
  '/follow': (request, response) => follow(response),
}));

const sectionRoutes = new Map();
for (let i = 1; i <= Number(sections); i++) {
  sectionRoutes.set(`section${i}`, (response, id) => sendText(response, id));
}

function onRequest(request, response) {
  const [pathname, query] = request.url.split('?');
  const route = routes.get(pathname);
  if (route) return route(request, response);
  const parts = pathname.match(/^\/users\/(\d+)\/posts\/(\d+)$/);
  if (parts) return post(request, response, parts, query);
  const [, section, id] = pathname.split('/');
  if (sectionRoutes.has(section)) return sectionRoutes.get(section)(response, id);
  response.statusCode = 404;
  response.end();
}

// ---- WebSockets ----

const subscribers = new Set();

const sessions = {
  '/echo': (ws) => ws.on('message', (data, binary) => ws.send(data, { binary })),
  '/subscribe': (ws) => {
    subscribers.add(ws);
    ws.on('close', () => subscribers.delete(ws));
  },
  '/publish': (ws) => ws.on('message', (data, binary) => {
    for (const subscriber of subscribers) subscriber.send(data, { binary });
  }),
  '/announce': (ws) => ws.on('message', (data) => {
    for (const follower of followers) follower.write(`data: ${data}\n\n`);
  }),
};

const server = http.createServer(onRequest);
const handshakes = new WebSocketServer({ noServer: true, perMessageDeflate: false });
server.on('upgrade', (request, socket, head) => {
  handshakes.handleUpgrade(request, socket, head, sessions[request.url]);
});
server.listen({ port: Number(port), host: '127.0.0.1', backlog: 4096 });
