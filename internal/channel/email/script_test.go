package email_test

import (
	"bufio"
	"net"
	"strings"
	"sync/atomic"
	"testing"
)

// scripted is a server that says exactly what a test wants, for replies that a well-behaved server never gives.
type scripted struct {
	port     int
	accepted atomic.Int32
}

// script answers each command by its verb, "." being the end of the content. An empty answer closes the connection.
// Verbs without an answer in replies get the usual one.
func script(t *testing.T, replies map[string]string) *scripted {
	t.Helper()
	usual := map[string]string{
		"greet": "220 hello", "EHLO": "250 hello", "MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go on",
		".": "250 taken", "RSET": "250 ok", "NOOP": "250 ok", "QUIT": "221 bye",
	}
	for verb, reply := range replies {
		usual[verb] = reply
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	s := &scripted{port: listener.Addr().(*net.TCPAddr).Port}
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			s.accepted.Add(1)
			go converse(c, usual)
		}
	}()
	return s
}

func converse(c net.Conn, replies map[string]string) {
	defer func() { _ = c.Close() }()
	say := func(verb string) bool {
		reply, known := replies[verb]
		if !known {
			reply = "500 what?"
		}
		if reply == "" {
			return false
		}
		_, err := c.Write([]byte(reply + "\r\n"))
		return err == nil
	}
	if !say("greet") {
		return
	}
	content := false
	for lines := bufio.NewScanner(c); lines.Scan(); {
		line := lines.Text()
		if content && line != "." {
			continue
		}
		verb, _, _ := strings.Cut(line, " ")
		if !say(strings.ToUpper(verb)) {
			return
		}
		content = verb == "DATA" && strings.HasPrefix(replies["DATA"], "354")
	}
}
