// Holds what its words name: bBYTES in a buffer, w for a worker.
const { Worker } = require("worker_threads");
const held = [];
const words = process.argv.slice(2);
let waiting = 1;
const ready = () => --waiting || console.log("ready");
for (const word of words) {
  if (word[0] === "b") held.push(Buffer.alloc(Number(word.slice(1)), 1));
  else {
    waiting++;
    const source = "require('worker_threads').parentPort.on('message', () => {})";
    held.push(new Worker(source, { eval: true }).on("online", ready));
  }
}
process.stdin.resume();
ready();
