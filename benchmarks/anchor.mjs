// The same work with the native promises of Node: node --expose-gc anchor.mjs <question> <size>
//
// Prints the seconds, or the bytes, and the result. The first runs let the compiler of Node warm up.

const addOne = (number) => number + 1;
const addOneAsync = async (number) => number + 1;
const addOneLater = async (number) => {
  await null;
  return number + 1;
};

const chain = (step) => async (links) => {
  let resolve;
  let last = new Promise((settle) => { resolve = settle; });
  for (let i = 0; i < links; i++) last = last.then(step);
  resolve(0);
  return await last;
};

const range = (size) => Array.from({ length: size }, (_, i) => i);

async function shortChain(chains) {
  let total = 0;
  for (let i = 0; i < chains; i++) {
    total += (await Promise.resolve(0).then(addOne).then(addOne).then(addOne).then(addOne)) / 4;
  }
  return total;
}

async function makeSettled(times) {
  let made;
  for (let i = 0; i < times; i++) made = Promise.resolve(i);
  return await made + 1;
}

async function chainOf100(links) {
  let total = 0;
  for (let i = 0; i < links / 100; i++) total += await chain(addOne)(100);
  return total;
}

async function raceOfTwo(times) {
  let total = 0;
  for (let i = 0; i < times; i++) total += await Promise.race([addOneLater(0), new Promise(() => {})]);
  return total;
}

async function awaitSettled(times) {
  const settled = Promise.resolve(1);
  let total = 0;
  for (let i = 0; i < times; i++) total += await settled;
  return total;
}

async function awaitPending(times) {
  let total = 0;
  for (let i = 0; i < times; i++) {
    let resolve;
    const pending = new Promise((settle) => { resolve = settle; });
    queueMicrotask(() => resolve(1));
    total += await pending;
  }
  return total;
}

const allOfMany = (size) => Promise.all(range(size).map(addOneLater));

async function mapWithLimit(size) {
  const items = range(size).values();
  const results = [];
  const worker = async () => {
    for (const item of items) results[item] = await addOneLater(item);
  };
  await Promise.all(range(100).map(worker));
  return results;
}

async function seconds(work, size) {
  for (let i = 0; i < 3; i++) await work(size);
  globalThis.gc();
  const start = process.hrtime.bigint();
  const result = await work(size);
  return { measured: Number(process.hrtime.bigint() - start) / 1e9, result };
}

async function bytes(make, finish, size) {
  make(1000);
  globalThis.gc();
  const before = process.memoryUsage().heapUsed;
  const held = make(size);
  globalThis.gc();
  return { measured: process.memoryUsage().heapUsed - before, result: await finish(held) };
}

const links = (size) => {
  let resolve;
  let last = new Promise((settle) => { resolve = settle; });
  for (let i = 0; i < size; i++) last = last.then(addOne);
  return { resolve, last };
};
const settle = async ({ resolve, last }) => {
  resolve(0);
  return await last;
};
const settled = (size) => Array.from({ length: size }, () => Promise.resolve(1));
const sum = async (promises) => {
  let total = 0;
  for (const promise of promises) total += await promise;
  return total;
};

const questions = {
  sync_link: (size) => seconds(chain(addOne), size),
  async_link: (size) => seconds(chain(addOneAsync), size),
  async_link_waiting: (size) => seconds(chain(addOneLater), size),
  make_settled: (size) => seconds(makeSettled, size),
  chain_of_100: (size) => seconds(chainOf100, size),
  race_of_two: (size) => seconds(raceOfTwo, size),
  short_chain: (size) => seconds(shortChain, size),
  await_settled: (size) => seconds(awaitSettled, size),
  await_pending: (size) => seconds(awaitPending, size),
  all_of_many: (size) => seconds(allOfMany, size),
  map_with_limit: (size) => seconds(mapWithLimit, size),
  bytes_per_link: (size) => bytes(links, settle, size),
  bytes_per_settled: (size) => bytes(settled, sum, size),
};

const [question, size] = process.argv.slice(2);
console.log(JSON.stringify(await questions[question](Number(size))));
