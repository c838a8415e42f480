// Gets each URL behind the first three arguments, and posts the third one to it; prints status and content of each answer.
// The first argument is the way to do so, the second one the proxy's URL.
"use strict";
const http = require("http");
const https = require("https");

const [way, proxy, text, ...urls] = process.argv.slice(2);

const ways = {
  // The whole URL is the path of a request to the proxy: no library is needed, for http URLs.
  http(url) {
    const { hostname, port } = new URL(proxy);
    const options = { hostname, port, path: url, headers: { Host: new URL(url).host } };
    return (method, content) => exchange(http.request({ ...options, method }), content);
  },

  // An agent of a library, that each request is given.
  agent(url) {
    const secure = url.startsWith("https:");
    const agent = new (require(secure ? "https-proxy-agent" : "http-proxy-agent"))(proxy);
    return (method, content) => exchange((secure ? https : http).request(url, { method, agent }), content);
  },

  fetch(url) {
    const { ProxyAgent, fetch } = require("undici");
    const dispatcher = new ProxyAgent(proxy);
    return async (method, body) => {
      const answer = await fetch(url, { method, body, dispatcher });
      return `${answer.status} ${await answer.text()}`;
    };
  },
};

function exchange(request, content) {
  return new Promise((resolve, reject) => {
    request.on("error", reject).on("response", async (answer) => {
      let received = "";
      for await (const piece of answer.setEncoding("utf8")) received += piece;
      resolve(`${answer.statusCode} ${received}`);
    });
    request.end(content);
  });
}

async function main() {
  for (const url of urls) {
    const send = ways[way](url);
    console.log("GET " + await send("GET"));
    console.log("POST " + await send("POST", text));
  }
}

main().then(() => process.exit(0), (error) => {
  console.error(error);
  process.exit(1);
});
