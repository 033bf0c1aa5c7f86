// socketio.mjs MODULE: socket.io as its documentation shows it, over WebSocket alone; a POST is told to everybody.
import http from 'node:http';
import { createRequire } from 'node:module';

const { Server } = createRequire(process.argv[2])(process.argv[2]);
const server = http.createServer((request, answer) => {
  let text = '';
  request.on('data', (piece) => (text += piece));
  request.on('end', () => {
    io.emit('say', text);
    answer.writeHead(204).end();
  });
});
// The watchers of the benchmark answer no ping.
const io = new Server(server, { transports: ['websocket'], pingInterval: 600_000 });
server.listen(0, '127.0.0.1', 4096, () => console.log(`127.0.0.1:${server.address().port}`));
