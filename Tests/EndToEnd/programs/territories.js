// An HTTP server that reads the path of each request in the ways that programs for Node.js do, and says in a field for each
// way which territory it leads to. The content of the response is the target as it arrived. Arguments: a file for the
// targets, then name=prefix for each territory. Prints its port.
"use strict";
const fs = require("fs");
const http = require("http");
const path = require("path");
const querystring = require("querystring");
const url = require("url");

const log = fs.openSync(process.argv[2], "a");
const territories = process.argv.slice(3).map((text) => text.split("="));

const raw = (target) => target.split("?")[0];

const readers = {
  Raw: raw,
  URL: (target) => new URL(target, "http://localhost").pathname,
  "URL-Decoded": (target) => decodeURIComponent(new URL(target, "http://localhost").pathname),
  // What stores the path that it has parsed, and a program that parses that.
  "URL-Twice": (target) => new URL(new URL(target, "http://localhost").pathname, "http://localhost").pathname,
  // A front end that decodes, and a program behind it for which the result is a URL.
  "Decoded-URL": (target) => new URL(decodeURIComponent(raw(target)), "http://localhost").pathname,
  "Legacy-URL": (target) => url.parse(target).pathname ?? "",
  Decoded: (target) => path.posix.normalize(decodeURIComponent(raw(target))),
  Joined: (target) => path.posix.join("/", decodeURIComponent(raw(target))),
  Windows: (target) => path.win32.normalize(decodeURIComponent(raw(target))).replaceAll("\\", "/"),
  // What decodes also %uXXXX, in front of a program that decodes again.
  Unescape: (target) => path.posix.normalize(unescape(unescape(raw(target)))),
  // What stores the path that it has parsed, and a program that parses that.
  "URL-Twice": (target) => new URL(new URL(target, "http://localhost").pathname, "http://localhost").pathname,
  // A front end that decodes, and a program behind it that decodes again.
  Twice: (target) => path.posix.normalize(querystring.unescape(querystring.unescape(raw(target)))),
};

function territory(read, target) {
  let path;
  try {
    path = read(target);
  } catch (error) {
    return "error";
  }
  const within = ([, prefix]) => path === prefix || path.startsWith(prefix + "/");
  // The longest prefix comes last.
  return (territories.findLast(within) ?? ["none"])[0];
}

const server = http.createServer((request, response) => {
  fs.writeSync(log, request.url + "\n");
  for (const [name, read] of Object.entries(readers)) {
    response.setHeader("X-Territory-" + name, territory(read, request.url));
  }
  response.setHeader("Content-Length", request.url.length);
  response.end(request.url, "latin1");
});
server.keepAliveTimeout = 0;
server.requestTimeout = 0;
server.headersTimeout = 0;
server.listen(0, "127.0.0.1", 1024, () => console.log("listening " + server.address().port));
