// The npm package ws as a server, for the client of spec/socket/client_spec.lua: node ws_server.js SCENARIO. Says
// "listening on PORT", and runs until it is killed.
"use strict";

const { WebSocketServer } = require("ws");

const scenarios = {
  echo(socket) {
    const say = {
      fragments() {
        socket.send("one ", { fin: false });
        socket.send("two ", { fin: false });
        socket.send("three", { fin: true });
      },
      ping() {
        socket.once("pong", (data) => socket.send(`pong: ${data}`));
        socket.ping("are you there?");
      },
      close: () => socket.close(4003, "go"),
      terminate: () => socket.terminate(),
      burst() {
        for (let i = 1; i <= 2000; i++) socket.send(`${i}`);
      },
    };
    socket.on("ping", (data) => data.length && socket.send(`ping: ${data}`));
    socket.on("message", (data, isBinary) => {
      const act = !isBinary && say[data.toString()];
      if (act) act();
      else socket.send(data, { binary: isBinary });
    });
    socket.on("close", (code, reason) => console.log(`closed ${code} ${reason}`));
  },
};

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  handleProtocols: (protocols) => [...protocols][0],
  verifyClient: ({ req }, done) => (req.url === "/refuse" ? done(false, 401) : done(true)),
});
server.on("connection", scenarios[process.argv[2]]);
server.on("listening", () => console.log(`listening on ${server.address().port}`));
