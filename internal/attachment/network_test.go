package attachment

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/silquetech/silque-notifications/internal/channel"
)

func TestOnlyPublicAddressesArePublic(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"8.8.8.8": true, "93.184.215.14": true, "172.32.0.1": true, "2606:4700::1111": true, "64:ff9b::8.8.8.8": true, "::ffff:8.8.8.8": true,

		"127.0.0.1": false, "127.8.9.10": false, "::1": false, "0.0.0.0": false, "0.1.2.3": false, "::": false,
		"10.0.0.7": false, "172.16.0.1": false, "172.31.255.255": false, "192.168.1.1": false, "100.64.0.1": false, "fd00::1": false, "fc00::1": false,
		"169.254.169.254": false, "169.254.170.2": false, "fe80::1": false, "fe80::1%eth0": false, "fec0::1": false, "fd00:ec2::254": false, // the clouds' metadata among them
		"::ffff:127.0.0.1": false, "::ffff:169.254.169.254": false, "::127.0.0.1": false,
		"64:ff9b::127.0.0.1": false, "64:ff9b::169.254.169.254": false, "64:ff9b::a00:1": false, "64:ff9b:1::1": false,
		"2002:7f00:1::": false, "2001::1": false, "2001:db8::1": false, "100::1": false, "5f00::1": false, "ff02::1": false, "224.0.0.1": false,
		"192.0.2.1": false, "198.18.0.1": false, "203.0.113.9": false, "240.0.0.1": false, "255.255.255.255": false,
	} {
		if got := public(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: public %v, want %v", address, got, want)
		}
	}
	if public(netip.Addr{}) {
		t.Error("no address at all is public")
	}
}

// names is a DNS server whose owner means ill: each name has a list of addresses, and each question gets the next one.
type names struct {
	mutex   sync.Mutex
	answers map[string][]string
	asked   map[string]int
}

// resolver gives a resolver that asks it.
func (n *names) resolver(t *testing.T) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		packet := make([]byte, 1024)
		for {
			size, from, err := conn.ReadFrom(packet)
			if err != nil {
				return
			}
			if answer, err := n.answer(packet[:size]); err == nil {
				_, _ = conn.WriteTo(answer, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func (n *names) answer(packet []byte) ([]byte, error) {
	var message dnsmessage.Message
	if err := message.Unpack(packet); err != nil {
		return nil, err
	}
	question := message.Questions[0]
	message.Response, message.Authoritative, message.Additionals = true, true, nil
	n.mutex.Lock()
	defer n.mutex.Unlock()
	name := question.Name.String()
	list := n.answers[name]
	if len(list) == 0 {
		message.RCode = dnsmessage.RCodeNameError
		return message.Pack()
	}
	ip := netip.MustParseAddr(list[min(n.asked[name], len(list)-1)])
	header := dnsmessage.ResourceHeader{Name: question.Name, Type: question.Type, Class: question.Class}
	switch {
	case question.Type == dnsmessage.TypeA && ip.Is4():
		message.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AResource{A: ip.As4()}}}
		n.asked[name]++
	case question.Type == dnsmessage.TypeAAAA && ip.Is6():
		message.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AAAAResource{AAAA: ip.As16()}}}
		n.asked[name]++
	}
	return message.Pack()
}

// house is a server in a private network, this machine's, that counts who comes.
func house(t *testing.T, handler http.HandlerFunc) (port string, came *atomic.Int32) {
	t.Helper()
	came = new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		came.Add(1)
		handler(w, r)
	}))
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port, came
}

func refusalOf(t *testing.T, err error, code string) {
	t.Helper()
	var refusal *channel.Error
	if !errors.As(err, &refusal) || refusal.Class != channel.Permanent || refusal.Code != code {
		t.Errorf("got %v, want the code %s", err, code)
	}
}

func secret(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("secret")) }

// TestANameThatLeadsInsideIsNotFollowed: in each of the ways in which an address can be written, and in those of names
// that a resolver of the C library takes for numbers.
func TestANameThatLeadsInsideIsNotFollowed(t *testing.T) {
	t.Parallel()
	port, came := house(t, secret)
	for _, address := range []string{"127.0.0.1", "::ffff:127.0.0.1", "::1", "0.0.0.0", "169.254.169.254", "10.0.0.1", "64:ff9b::7f00:1"} {
		for _, host := range []string{"files.example.com", "2130706433", "0177.0.0.1", "0x7f.1", "127.1", "localhost.example.com"} {
			n := &names{answers: map[string][]string{host + ".": {address}}, asked: map[string]int{}}
			f, err := New(Config{Hosts: []string{"http://" + host + ":" + port}, MaxBytes: 1000})
			if err != nil {
				t.Fatal(err)
			}
			f.resolver = n.resolver(t)
			_, _, err = f.Fetch(t.Context(), "http://"+host+":"+port+"/latest/meta-data")
			// Go's own resolver takes a number for no name and asks nobody; the C library's would.
			var refusal *channel.Error
			if !errors.As(err, &refusal) || refusal.Code != CodeNotAllowed && (strings.Contains(host, "example") || refusal.Code != CodeConnect) {
				t.Errorf("%s at %s: %v", host, address, err)
			}
		}
	}
	f, err := New(Config{Hosts: []string{"http://localhost:" + port}, MaxBytes: 1000})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = f.Fetch(t.Context(), "http://localhost:"+port)
	refusalOf(t, err, CodeNotAllowed)
	if n := came.Load(); n > 0 {
		t.Errorf("%d connections went inside", n)
	}
}

func TestANameMayLeadIntoTheNetworksOfTheSettings(t *testing.T) {
	t.Parallel()
	port, _ := house(t, secret)
	n := &names{answers: map[string][]string{"intranet.": {"127.0.0.1"}}, asked: map[string]int{}}
	for network, allowed := range map[string]bool{"127.0.0.0/8": true, "127.0.0.1": true, "::ffff:127.0.0.1": true, "127.0.0.2": false, "10.0.0.0/8": false} {
		f, err := New(Config{Hosts: []string{"http://intranet:" + port}, Networks: []string{network}, MaxBytes: 1000})
		if err != nil {
			t.Fatal(err)
		}
		f.resolver = n.resolver(t)
		_, content, err := f.Fetch(t.Context(), "http://intranet:"+port)
		if allowed && (err != nil || string(content) != "secret") {
			t.Errorf("%s: %q, %v", network, content, err)
		} else if !allowed {
			refusalOf(t, err, CodeNotAllowed)
		}
	}
	for _, wrong := range []string{"intranet", "10.0.0.0/33", "10.0.0", ""} {
		if _, err := New(Config{Networks: []string{wrong}, MaxBytes: 1}); err == nil {
			t.Errorf("the network %q is taken", wrong)
		}
	}
}

// TestANameThatChangesItsMindIsJudgedEachTime: an answer of DNS that was good once says nothing about the next one (DNS
// rebinding), be it for the next file or after a redirect.
func TestANameThatChangesItsMindIsJudgedEachTime(t *testing.T) {
	t.Parallel()
	inside, came := house(t, secret)
	port, _ := house(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/same":
			http.Redirect(w, r, "/file", http.StatusFound)
		case "/other":
			http.Redirect(w, r, "http://other.example.com:"+inside+"/file", http.StatusFound)
		case "/gopher":
			http.Redirect(w, r, "gopher://files.example.com:70/1", http.StatusFound)
		case "/user":
			http.Redirect(w, r, "http://me:me@files.example.com/", http.StatusFound)
		default:
			secret(w, r)
		}
	})
	for _, path := range []string{"/same", "/other", "/gopher", "/user"} {
		n := &names{
			// 127.0.0.1 stands for what is allowed, and 127.0.0.2 for what is not: both lead to this machine.
			answers: map[string][]string{"files.example.com.": {"127.0.0.1", "127.0.0.2"}, "other.example.com.": {"127.0.0.2"}},
			asked:   map[string]int{},
		}
		f, err := New(Config{
			Hosts:    []string{"http://files.example.com:" + port, "http://other.example.com:" + inside},
			Networks: []string{"127.0.0.1"}, MaxBytes: 1000,
		})
		if err != nil {
			t.Fatal(err)
		}
		f.resolver = n.resolver(t)
		_, _, err = f.Fetch(t.Context(), "http://files.example.com:"+port+path)
		refusalOf(t, err, CodeNotAllowed)
		_, _, err = f.Fetch(t.Context(), "http://files.example.com:"+port+"/file")
		refusalOf(t, err, CodeNotAllowed)
	}
	if n := came.Load(); n > 0 {
		t.Errorf("%d connections went inside", n)
	}
}

func TestOtherWaysToAFileAreNone(t *testing.T) {
	t.Parallel()
	f, err := New(Config{Hosts: []string{"files.example.com", "http://files.example.com"}, Dirs: []string{t.TempDir()}, MaxBytes: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, location := range []string{
		"gopher://files.example.com/1", "ftp://files.example.com/a", "dict://files.example.com:11211/stats", "data://text/plain,hello", "jar:file:///etc/passwd",
		"file:///etc/passwd", "file://files.example.com/etc/passwd", "FILE:///etc/passwd", "/etc/passwd", "../../../../etc/passwd", "/proc/self/environ",
		"http://files.example.com@127.0.0.1/", "http://127.0.0.1#@files.example.com/", "http://files.example.com\\@127.0.0.1/", "http://files.example.com.127.0.0.1/",
		"http://127.0.0.1/", "http://2130706433/", "http://0177.0.0.1/", "http://0x7f.1/", "http://127.1/", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://0/",
		"http://files.example.com:22/", "http://files.example.com:0/", "http://169.254.169.254/latest/meta-data/", "http://files.example.com%00.evil.example.com/",
		"//files.example.com/a", "http:/files.example.com/", "http:///a", "unix:///var/run/docker.sock",
	} {
		_, _, err := f.Fetch(t.Context(), location)
		var refusal *channel.Error
		if !errors.As(err, &refusal) || refusal.Class != channel.Permanent || refusal.Code != CodeNotAllowed && refusal.Code != CodeNotFound {
			t.Errorf("%s: %v", location, err)
		}
	}
}
