// The least that a server on node's ws does as a relay: what a publisher sends goes to all viewers of its topic.
// node ws_broadcast.cjs PORT [CERT KEY]; addresses are /topic?role=write and /topic?role=read.
'use strict'
const { readFileSync } = require('node:fs')
const { WebSocketServer } = require('ws')

const [port, cert, key] = process.argv.slice(2)
const server = cert
  ? require('node:https').createServer({ cert: readFileSync(cert), key: readFileSync(key) })
  : require('node:http').createServer()
const topics = new Map()

new WebSocketServer({ server, perMessageDeflate: false }).on('connection', (socket, request) => {
  const address = new URL(request.url, 'http://localhost')
  const viewers = topics.get(address.pathname) ?? new Set()
  topics.set(address.pathname, viewers)
  if (address.searchParams.get('role') === 'write') {
    socket.on('message', (data, isBinary) => {
      for (const viewer of viewers) viewer.send(data, { binary: isBinary })
    })
  } else {
    viewers.add(socket)
    socket.on('close', () => viewers.delete(socket))
  }
})
server.listen(Number(port), '127.0.0.1')
