package canary

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/dev/apiclient"
	"github.com/silquetech/silque-notifications/dev/stack"
)

// house is a stack in a process of its own, and what it was told to keep to itself.
type house struct {
	apiclient.Client
	t *testing.T
	// data is the stack's folder; databaseURL is empty when the application's database is a file in there.
	data, databaseURL string
	// folder is where files may be read from.
	folder   string
	secrets  canaries
	person   personal
	mail     *mailServer
	temporal string

	process *exec.Cmd
	orders  io.WriteCloser
	// said is all that the process has written to its standard output and its standard error.
	said *transcript
}

// transcript keeps what is written to it. It is safe for concurrent use.
type transcript struct {
	mutex sync.Mutex
	all   bytes.Buffer
}

// Write keeps p.
func (s *transcript) Write(p []byte) (int, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.all.Write(p)
}

func (s *transcript) bytes() []byte {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return bytes.Clone(s.all.Bytes())
}

// took says how long a part of the test has taken.
func (h *house) took(what string, begun time.Time) {
	h.t.Logf("%s: %s", what, time.Since(begun).Round(10*time.Millisecond))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func waiting(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// freePort is one that nobody listened on a moment ago: the stack's own address is a setting, so it must be known before.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// build starts a stack that has every secret there is.
func build(t *testing.T, databaseURL string) *house {
	t.Helper()
	h := &house{t: t, data: t.TempDir(), folder: t.TempDir(), databaseURL: databaseURL, person: somebody(), said: new(transcript)}
	var environ []string
	h.secrets, environ = secretSettings(t, databaseURL)
	var host, port string
	h.mail, host, port = startMail(t, h.secrets["SMTP_PASSWORD"])
	twilio, _ := startTwilio(t)
	addr := freePort(t)
	environ = append(environ, "SMTP_HOST="+host, "SMTP_PORT="+port, "SMTP_TLS=none", "SMTP_AUTH=plain", "SMTP_USERNAME=silque", "SMTP_TIMEOUT=1s",
		"SMTP_FROM=Shop <shop@example.com>", "TWILIO_ACCOUNT_SID=AC00000000000000000000000000000000", "TWILIO_API_KEY=SK00000000000000000000000000000000",
		"TWILIO_BASE_URL="+twilio, "TWILIO_SMS_FROM=+12025550100", "TWILIO_WHATSAPP_FROM=+12025550100",
		"NOTIFY_OIDC_ISSUER="+startIdentity(t), "NOTIFY_OIDC_CLIENT_ID=silque", "NOTIFY_PUBLIC_URL=http://"+addr,
		"NOTIFY_RETRY_INTERVAL=20ms", "NOTIFY_LOG_LEVEL=debug", "NOTIFY_ATTACHMENT_DIRS="+h.folder)
	options := stack.Options{Addr: addr, UIAddr: "127.0.0.1:0", TemporalAddr: "127.0.0.1:0", Data: h.data}
	for i, setting := range environ {
		if value, ok := strings.CutPrefix(setting, "DATABASE_URL="); ok { // the stack has a flag for it
			options.DatabaseURL = value
			environ = append(environ[:i:i], environ[i+1:]...)
			break
		}
	}
	h.start(options, environ)
	h.Client = apiclient.Client{URL: "http://" + addr, Token: h.secrets["NOTIFY_API_TOKEN"]}
	return h
}

// start runs the process and returns when it is up.
func (h *house) start(options stack.Options, environ []string) {
	t := h.t
	given, err := json.Marshal(options)
	must(t, err)
	h.process = exec.Command(os.Args[0], "-test.run=^$")
	h.process.Env = slices.Concat(environ, []string{childVariable + "=" + string(given), "PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir()})
	h.process.Stderr = h.said
	output, err := h.process.StdoutPipe()
	must(t, err)
	h.orders, err = h.process.StdinPipe()
	must(t, err)
	must(t, h.process.Start())
	t.Cleanup(func() {
		if err := h.stop(); err != nil {
			t.Logf("the stack ended with %v, and said:\n%s", err, h.lastWords())
		}
	})
	lines := bufio.NewReader(output)
	first := make(chan string, 1)
	go func() {
		line, _ := lines.ReadString('\n')
		first <- line
		_, _ = h.said.Write([]byte(line))
		_, _ = io.Copy(h.said, lines)
	}()
	select {
	case line := <-first:
		var up started
		if err := json.Unmarshal([]byte(line), &up); err != nil {
			t.Fatalf("the stack did not come up: %v\n%s", err, h.said.bytes())
		}
		h.temporal = up.Temporal
	case <-time.After(patience):
		t.Fatal("the stack did not come up")
	}
}

// order tells the process to do something.
func (h *house) order(order, word string) {
	h.t.Helper()
	_, err := fmt.Fprintf(h.orders, "%s: %s\n", order, word)
	must(h.t, err)
}

// lastWords gives what a process says of its own end: a race, or a panic.
func (h *house) lastWords() []byte {
	said := h.said.bytes()
	for _, beginning := range []string{"WARNING: DATA RACE", "\npanic: ", "\nfatal error: "} {
		if i := bytes.Index(said, []byte(beginning)); i >= 0 {
			return said[i:min(len(said), i+10000)]
		}
	}
	return said[max(0, len(said)-5000):]
}

// heard says whether the process has said something.
func (h *house) heard(what string) bool { return bytes.Contains(h.said.bytes(), []byte(what)) }

// stop ends the stack in order, so that its last words are heard too.
func (h *house) stop() error {
	if h.process == nil {
		return nil
	}
	process := h.process
	h.process = nil
	_ = h.orders.Close()
	ended := make(chan error, 1)
	go func() { ended <- process.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-time.After(patience):
		_ = process.Process.Kill()
		return fmt.Errorf("the stack did not stop: %w", <-ended)
	}
}

// browser is somebody at the console.
type browser struct {
	*http.Client
	house *house
}

func (h *house) browser() *browser {
	jar, err := cookiejar.New(nil)
	must(h.t, err)
	return &browser{house: h, Client: &http.Client{Jar: jar, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// ask gives a page's status, type, body and where it leads.
func (b *browser) ask(method, path string, form url.Values, header ...string) answer {
	t := b.house.t
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, b.house.URL+path, strings.NewReader(form.Encode()))
	must(t, err)
	request.Header.Set("Accept", "text/html")
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set("Origin", b.house.URL)
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := b.Do(request)
	must(t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	must(t, err)
	return answer{response.StatusCode, response.Header.Get("Content-Type"), response.Header.Get("Location"), string(body)}
}

type answer struct {
	status               int
	kind, location, body string
}

// send sends a form of the console, with its token.
func (b *browser) send(path string, pairs ...string) answer {
	b.house.t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	from := "/account"
	if path == "/sign-in" || strings.HasPrefix(path, "/welcome/") {
		from = path
	}
	return b.ask(http.MethodPost, path, form, "X-CSRF-Token", b.token(from))
}

func (b *browser) token(page string) string {
	b.house.t.Helper()
	body := b.ask(http.MethodGet, page, nil).body
	_, rest, found := strings.Cut(body, `name="csrf-token" content="`)
	token, _, _ := strings.Cut(rest, `"`)
	if !found {
		b.house.t.Fatalf("%s has no token:\n%s", page, body)
	}
	return strings.ReplaceAll(token, "&#43;", "+")
}

// cookie gives a cookie's value.
func (b *browser) cookie(name string) string {
	b.house.t.Helper()
	where, err := url.Parse(b.house.URL)
	must(b.house.t, err)
	for _, cookie := range b.Jar.Cookies(where) {
		if cookie.Name == name {
			return cookie.Value
		}
	}
	b.house.t.Fatalf("no cookie %s", name)
	return ""
}

// files lists those under a folder of the stack's data.
func (h *house) files(folder string) []string {
	h.t.Helper()
	var found []string
	must(h.t, filepath.WalkDir(filepath.Join(h.data, folder), func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			found = append(found, path)
		}
		return err
	}))
	return found
}
