package canary

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// mailServer is a mail server that wants a password, and that says aloud what it was given: mail servers repeat the
// address in their refusals, and some more than that. What it does with a message is written before the dot of its address.
type mailServer struct {
	password string
	taken    atomic.Int64
	// last is the last message that was taken.
	last atomic.Value
	// locked refuses every sign-in.
	locked atomic.Bool
}

func startMail(t *testing.T, password string) (s *mailServer, host, port string) {
	t.Helper()
	s = &mailServer{password: password}
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &mailSession{server: s, conn: c}, nil
	}))
	server.Domain, server.AllowInsecureAuth = "mail.example.com", true
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	host, port, _ = net.SplitHostPort(listener.Addr().String())
	return s, host, port
}

type mailSession struct {
	server *mailServer
	conn   *smtp.Conn
	to     string
	user   string
}

// AuthMechanisms offers the one that carries the password as it is.
func (*mailSession) AuthMechanisms() []string { return []string{sasl.Plain} }

// Auth checks the password.
func (s *mailSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		s.user = user
		if password != s.server.password || s.server.locked.Load() {
			return &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "Not " + user}
		}
		return nil
	}), nil
}

func (s *mailSession) Mail(string, *smtp.MailOptions) error {
	if s.user == "" {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	switch outcome, _, _ := strings.Cut(to, "."); outcome {
	case "temporary":
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 2, 1}, Message: "<" + to + "> is busy"}
	case "permanent":
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "<" + to + "> is unknown here"}
	case "hang":
		_, _ = io.Copy(io.Discard, s.conn.Conn())
	}
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	content, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	switch outcome, _, _ := strings.Cut(s.to, "."); outcome {
	case "doubtful":
		_ = s.conn.Conn().Close()
	case "spam":
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "Looks like spam: " + string(content[:100])}
	}
	s.server.last.Store(string(content))
	s.server.taken.Add(1)
	return nil
}

func (*mailSession) Reset()        {}
func (*mailSession) Logout() error { return nil }

// startTwilio is a Twilio that repeats the number and the text in its refusals; the message's last word says what it does.
func startTwilio(t *testing.T) (url string, taken *atomic.Int64) {
	t.Helper()
	taken = new(atomic.Int64)
	refuse := func(w http.ResponseWriter, r *http.Request, status, code int) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"code": code, "status": status,
			"message": fmt.Sprintf("'To' %s, 'Body' %s", r.PostForm.Get("To"), r.PostForm.Get("Body"))})
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet { // the list that is asked after a doubtful attempt
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"messages": [], "page": 0, "page_size": 50}`)
			return
		}
		_ = r.ParseForm()
		words := strings.Fields(r.PostForm.Get("Body"))
		switch words[len(words)-1] {
		case "temporary":
			refuse(w, r, http.StatusServiceUnavailable, 20503)
		case "permanent":
			refuse(w, r, http.StatusBadRequest, 21211)
		case "doubtful":
			panic(http.ErrAbortHandler)
		case "garbage":
			_, _ = io.WriteString(w, "<html>"+r.PostForm.Encode()+"</html>")
		default:
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusCreated)
			_, _ = fmt.Fprintf(w, `{"sid": "SM%032d", "status": "queued"}`, taken.Add(1))
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, taken
}

// startIdentity is an OpenID Connect provider that refuses every code, and repeats what it was asked with.
func startIdentity(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"issuer": server.URL, "authorization_endpoint": server.URL + "/authorize", "token_endpoint": server.URL + "/token",
			"jwks_uri": server.URL + "/keys", "id_token_signing_alg_values_supported": []string{"RS256"},
		})
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		user, password, _ := r.BasicAuth()
		said := fmt.Sprintf("%s %s %s", user, password, r.PostForm.Encode())
		if strings.Contains(r.PostForm.Get("code"), "garbage") {
			_, _ = io.WriteString(w, said) // no JSON at all
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if strings.Contains(r.PostForm.Get("code"), "forged") {
			_ = json.NewEncoder(w).Encode(map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": "e30." + password + ".x"})
			return
		}
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": "invalid_grant", "error_description": said})
	})
	return server.URL
}

// patience bounds one wait.
const patience = 2 * time.Minute
