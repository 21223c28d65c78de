// Pulls a batch with fetch, and prints the SHA-256 of its lines: node pull.mjs URL gzip|identity
import { createHash } from "node:crypto";

const [url, encoding] = process.argv.slice(2);
const response = await fetch(url, { headers: { "Accept-Encoding": encoding } });
const isGzip = response.headers.get("Content-Encoding") === "gzip";
if (response.status !== 200 || isGzip !== (encoding === "gzip")) throw new Error(`${response.status} ${JSON.stringify([...response.headers])}`);
console.log(createHash("sha256").update(new Uint8Array(await response.arrayBuffer())).digest("hex"));
