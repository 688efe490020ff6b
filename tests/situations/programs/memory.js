// Does to its memory what the lines that it reads name; says what node itself counts.
const lines = require("readline").createInterface({ input: process.stdin });
let kept = [];
const acts = {
  buffers: () => { for (let i = 0; i < 20; i++) kept.push(Buffer.alloc(10 << 20, 1)); },
  objects: () => { for (let i = 0; i < 1000000; i++) kept.push({ number: i, list: [i] }); },
  wasm: () => {
    for (let i = 0; i < 5; i++) {
      const memory = new WebAssembly.Memory({ initial: 160, maximum: 65536 });
      new Uint8Array(memory.buffer).fill(1);
      kept.push(memory);
    }
  },
  resizable: () => {
    for (let i = 0; i < 4; i++) {
      const buffer = new ArrayBuffer(10 << 20, { maxByteLength: 2 ** 32 });
      new Uint8Array(buffer).fill(1);
      kept.push(buffer);
    }
  },
  free: () => { kept = []; for (let i = 0; i < 4; i++) global.gc(); },
};
console.log("ready");
lines.on("line", (line) => {
  acts[line]();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  console.log(`account heapUsed ${heapUsed}, arrayBuffers ${arrayBuffers}`);
  console.log("done");
});
