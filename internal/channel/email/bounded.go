package email

import (
	"net"
	"net/textproto"
)

// maxReply bounds what a server may say without being asked again, in bytes: replies are some lines, and the certificates
// of a handshake some kilobytes.
const maxReply = 256 << 10

// errEndless is of the type by which replies that are no SMTP are known.
const errEndless = textproto.ProtocolError("a reply without an end")

// bounded is a connection that lets no reply go on for ever: the smtp package reads lines however long they are, and
// replies however many lines they have, and would fill the memory. It is for one goroutine at a time.
type bounded struct {
	net.Conn
	said int
}

// Read fails once the server has said too much.
func (b *bounded) Read(p []byte) (int, error) {
	if b.said > maxReply {
		return 0, errEndless
	}
	n, err := b.Conn.Read(p)
	b.said += n
	return n, err
}

// Write is the next question.
func (b *bounded) Write(p []byte) (int, error) {
	b.said = 0
	return b.Conn.Write(p)
}
