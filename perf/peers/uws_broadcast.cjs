// The least that a server on uWebSockets.js does as a relay, with its own publish. Like ws_broadcast.cjs.
'use strict'
const uws = require('uWebSockets.js')

const [port, cert, key] = process.argv.slice(2)
const app = cert ? uws.SSLApp({ cert_file_name: cert, key_file_name: key }) : uws.App()

app.ws('/*', {
  compression: uws.DISABLED,
  maxPayloadLength: 16 * 1024 * 1024,
  maxBackpressure: 64 * 1024 * 1024,
  upgrade (response, request, context) {
    response.upgrade(
      { topic: request.getUrl(), writes: request.getQuery('role') === 'write' },
      request.getHeader('sec-websocket-key'), request.getHeader('sec-websocket-protocol'),
      request.getHeader('sec-websocket-extensions'), context)
  },
  open (socket) {
    const { topic, writes } = socket.getUserData()
    if (!writes) socket.subscribe(topic)
  },
  message (socket, message, isBinary) {
    const { topic, writes } = socket.getUserData()
    if (writes) app.publish(topic, message, isBinary, false)
  },
})
app.listen('127.0.0.1', Number(port), (listening) => {
  if (!listening) process.exit(1)
})
