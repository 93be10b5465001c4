// gopeer speaks to a relay as Go programs do: tokens by golang-jwt, the access step by net/http, the
// WebSocket by gorilla/websocket, TLS by crypto/tls. None of it is ours.
//
//	gopeer mint SECRET CLAIMS-JSON                 prints the token
//	gopeer verify SECRET TOKEN                     prints the claims, or fails
//	gopeer connect [-ca FILE] [-tls12] SESSION-URL TOKEN
//	gopeer dial [-ca FILE] [-tls12] WEBSOCKET-URI
//
// connect and dial print one JSON object a line: {"status":…,"body":…} of a refusal,
// {"open":true,"tls":…}, {"type":…,"data":base64} for each message, {"close":…,"text":…} at the end.
// Lines {"type":…,"data":base64} from standard input are sent; its end closes with 1000.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v4"
	"github.com/gorilla/websocket"
)

const patience = 10 * time.Second

// Claims in the order in which relays' tools of today write them.
type claims struct {
	BookingID string   `json:"booking_id"`
	Topic     string   `json:"topic"`
	Prefix    string   `json:"prefix"`
	Scopes    []string `json:"scopes"`
	jwt.RegisteredClaims
}

type message struct {
	Type string `json:"type"`
	Data []byte `json:"data"`
}

var output sync.Mutex

func fail(err error) {
	fmt.Fprintln(os.Stderr, "gopeer:", err)
	os.Exit(1)
}

func print(value any) {
	output.Lock()
	defer output.Unlock()
	if err := json.NewEncoder(os.Stdout).Encode(value); err != nil {
		fail(err)
	}
}

func mint(secret, text string) {
	var wanted claims
	if err := json.Unmarshal([]byte(text), &wanted); err != nil {
		fail(err)
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, wanted).SignedString([]byte(secret))
	if err != nil {
		fail(err)
	}
	fmt.Println(token)
}

func verify(secret, text string) {
	var found claims
	_, err := jwt.ParseWithClaims(text, &found, func(token *jwt.Token) (any, error) {
		if _, ok := token.Method.(*jwt.SigningMethodHMAC); !ok {
			return nil, errors.New("not an HMAC")
		}
		return []byte(secret), nil
	})
	if err != nil {
		fail(err)
	}
	print(found)
}

func tlsConfig(ca string, only12 bool) *tls.Config {
	config := &tls.Config{}
	if ca != "" {
		text, err := os.ReadFile(ca)
		if err != nil {
			fail(err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			fail(errors.New("no certificate in " + ca))
		}
	}
	if only12 {
		config.MaxVersion = tls.VersionTLS12
	}
	return config
}

// The access step: POST without a body.
func ask(session, token string, config *tls.Config) string {
	client := http.Client{Timeout: patience, Transport: &http.Transport{TLSClientConfig: config}}
	request, err := http.NewRequest(http.MethodPost, session, nil)
	if err != nil {
		fail(err)
	}
	request.Header.Add("Authorization", token)
	reply, err := client.Do(request)
	if err != nil {
		fail(err)
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		fail(err)
	}
	var answer struct {
		URI string `json:"uri"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.URI == "" {
		print(map[string]any{"status": reply.StatusCode, "body": string(body)})
		os.Exit(0)
	}
	return answer.URI
}

func dial(uri string, config *tls.Config) *websocket.Conn {
	dialer := websocket.Dialer{HandshakeTimeout: patience, TLSClientConfig: config}
	conn, reply, err := dialer.Dial(uri, nil)
	if err == websocket.ErrBadHandshake {
		body, _ := io.ReadAll(reply.Body)
		print(map[string]any{"status": reply.StatusCode, "body": string(body)})
		os.Exit(0)
	}
	if err != nil {
		fail(err)
	}
	version := ""
	if secure, ok := conn.UnderlyingConn().(*tls.Conn); ok {
		version = fmt.Sprintf("%#04x", secure.ConnectionState().Version)
	}
	print(map[string]any{"open": true, "tls": version})
	return conn
}

func send(conn *websocket.Conn) {
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break
		}
		var next message
		if err := json.Unmarshal(line, &next); err != nil {
			fail(err)
		}
		kind := websocket.BinaryMessage
		if next.Type == "text" {
			kind = websocket.TextMessage
		}
		if err := conn.WriteMessage(kind, next.Data); err != nil {
			return // the reader says why
		}
	}
	goodbye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	_ = conn.WriteControl(websocket.CloseMessage, goodbye, time.Now().Add(patience))
}

func talk(conn *websocket.Conn) {
	go send(conn)
	for {
		kind, data, err := conn.ReadMessage()
		if err != nil {
			var closed *websocket.CloseError
			if errors.As(err, &closed) {
				print(map[string]any{"close": closed.Code, "text": closed.Text})
			} else {
				print(map[string]any{"close": 0, "text": err.Error()})
			}
			return
		}
		print(message{Type: map[int]string{websocket.TextMessage: "text",
			websocket.BinaryMessage: "binary"}[kind], Data: data})
	}
}

func main() {
	if len(os.Args) < 2 {
		fail(errors.New("usage: gopeer mint|verify|connect|dial …"))
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	ca := flags.String("ca", "", "certificates to trust (PEM)")
	only12 := flags.Bool("tls12", false, "no TLS 1.3")
	_ = flags.Parse(os.Args[2:])
	config := tlsConfig(*ca, *only12)
	arguments := flags.Args()
	switch {
	case os.Args[1] == "mint" && len(arguments) == 2:
		mint(arguments[0], arguments[1])
	case os.Args[1] == "verify" && len(arguments) == 2:
		verify(arguments[0], arguments[1])
	case os.Args[1] == "connect" && len(arguments) == 2:
		talk(dial(ask(arguments[0], arguments[1], config), config))
	case os.Args[1] == "dial" && len(arguments) == 1:
		talk(dial(arguments[0], config))
	default:
		fail(errors.New("usage: gopeer mint|verify|connect|dial …"))
	}
}
