module gopeer

go 1.19

require (
	github.com/golang-jwt/jwt/v4 v4.3.0
	github.com/gorilla/websocket v1.5.3
)
