// Loads a trace into the trace processor of Perfetto's web page, and runs queries on it.
//
//     node trace_processor.cjs DIRECTORY TRACE SQL...
//
// DIRECTORY holds Perfetto's `engine_bundle.js` and `trace_processor.wasm`. Prints a JSON list of the
// rows of each query. The page and the processor exchange messages that are defined in Perfetto's
// `protos/perfetto/trace_processor/trace_processor.proto`; this script encodes them by hand.
"use strict";
const fs = require("fs");
const path = require("path");

const [directory, trace, ...queries] = process.argv.slice(2);
const APPEND = 1, FINALIZE = 2, QUERY = 3;
const CHUNK = 8 << 20;

// -- protobuf ------------------------------------------------------------------------------------

function varint(value) {
  const bytes = [];
  for (value = BigInt(value); value > 127n; value >>= 7n) bytes.push(Number(value & 127n) | 128);
  return Buffer.from([...bytes, Number(value)]);
}

const number = (field, value) => Buffer.concat([varint(field << 3), varint(value)]);
const bytes = (field, value) =>
  Buffer.concat([varint((field << 3) | 2), varint(value.length), value]);

function* varints(buffer) {
  for (let at = 0; at < buffer.length; ) {
    let value = 0n, shift = 0n, byte;
    do {
      byte = buffer[at++];
      value |= BigInt(byte & 127) << shift;
      shift += 7n;
    } while (byte & 128);
    yield [BigInt.asIntN(64, value), at];
  }
}

// Yields the fields of a message as [number, value]; a value is a BigInt or a Buffer.
function* fields(buffer) {
  let at = 0;
  const next = () => {
    const [value, length] = varints(buffer.subarray(at)).next().value;
    at += length;
    return value;
  };
  while (at < buffer.length) {
    const tag = Number(next());
    const kind = tag & 7;
    if (kind === 0) yield [tag >> 3, next()];
    else {
      const length = kind === 2 ? Number(next()) : kind === 1 ? 8 : 4;
      yield [tag >> 3, buffer.subarray(at, (at += length))];
    }
  }
}

// -- the worker of Perfetto's page ---------------------------------------------------------------

class XMLHttpRequest {
  open(_, url) { this.url = url; }
  send() { this.response = new Uint8Array(fs.readFileSync(path.join(directory, this.url))).buffer; }
}

const replies = [];
const port = { postMessage: (message) => replies.push(Buffer.from(message)) };
const told = [];
const tell = (text) => told.push(text);
const worker = {
  self: { location: { href: "" } },
  process: undefined, // the bundle refuses to run where it detects node
  WorkerGlobalScope: true,
  XMLHttpRequest,
  console: { log: tell, warn: tell, error: tell },
};
const script = fs.readFileSync(path.join(directory, "engine_bundle.js"), "utf8");
new Function(...Object.keys(worker), script)(...Object.values(worker));

let sent = 0;
function ask(method, ...args) {
  const message = Buffer.concat([number(1, sent++), number(2, method), ...args]);
  replies.length = 0;
  port.onmessage({ data: bytes(1, message) });
  return [...fields(Buffer.concat(replies))].map(([, reply]) => new Map(fields(reply)));
}

function fail(error) {
  throw new Error(`${error}\n${told.join("\n")}`);
}

function append(chunk) {
  for (const reply of ask(APPEND, bytes(101, chunk))) {
    const error = new Map(fields(reply.get(201))).get(2);
    if (error !== undefined) fail(error);
  }
}

function query(sql) {
  let names = [];
  const cells = [];
  for (const reply of ask(QUERY, bytes(103, bytes(1, Buffer.from(sql))))) {
    for (const [field, value] of fields(reply.get(203))) {
      if (field === 1) names.push(value.toString());
      if (field === 2 && value.length) fail(value);
      if (field === 3) cells.push(...batch(value));
    }
  }
  const rows = [];
  for (let at = 0; at < cells.length; at += names.length) {
    rows.push(Object.fromEntries(names.map((name, index) => [name, cells[at + index]])));
  }
  return rows;
}

function* batch(message) {
  const found = new Map(fields(message));
  const packed = (field) => [...varints(found.get(field) ?? Buffer.alloc(0))].map(([one]) => one);
  const integers = packed(2).map(Number);
  const doubles = found.get(3) ?? Buffer.alloc(0);
  const texts = (found.get(5) ?? Buffer.alloc(0)).toString().split("\0");
  let double = 0;
  for (const kind of packed(1).map(Number)) {
    if (kind === 2) yield integers.shift();
    else if (kind === 3) yield doubles.readDoubleLE(8 * double++);
    else yield kind === 4 ? texts.shift() : null;
  }
}

setTimeout(() => {
  worker.self.onmessage({ data: port });
  const file = fs.readFileSync(trace);
  for (let at = 0; at < file.length; at += CHUNK) append(file.subarray(at, at + CHUNK));
  ask(FINALIZE);
  console.log(JSON.stringify(queries.map(query)));
}, 0);
