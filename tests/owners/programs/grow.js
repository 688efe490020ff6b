// A heap that grows by what it is told; says what V8 has of it.
const v8 = require("node:v8");
const kept = [];
function say() {
  global.gc();
  console.log("physical", v8.getHeapStatistics().total_physical_size);
  console.log("ready");
}
kept.push(Buffer.alloc(50 << 20, 1));
say();
process.stdin.on("data", (line) => {
  for (let n = 0; n < Number(line); n++) kept.push({ n, text: "number " + n });
  say();
});
