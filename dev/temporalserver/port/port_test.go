package port_test

import (
	"net"
	"strings"
	"testing"

	"github.com/silquetech/silque-notifications/dev/temporalserver/port"
)

func TestAFreePortIsPickedForZeroAndCanBeListenedOn(t *testing.T) {
	t.Parallel()
	seen := map[uint16]bool{}
	for range 20 {
		claimed, err := port.Claim("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if claimed.Addr().String() != "127.0.0.1" || claimed.Port() == 0 || seen[claimed.Port()] {
			t.Fatalf("claimed %s after %v", claimed, seen)
		}
		seen[claimed.Port()] = true
		listener, err := net.Listen("tcp", claimed.String())
		if err != nil {
			t.Fatalf("a claimed port cannot be listened on: %v", err)
		}
		_ = listener.Close()
	}
}

func TestAClaimOfAKnownPortReturnsIt(t *testing.T) {
	t.Parallel()
	free, err := port.Claim("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	again, err := port.Claim(free.String())
	if err != nil || again != free {
		t.Fatalf("Claim(%s) = %s, %v", free, again, err)
	}
}

func TestAnAddressThatCannotBeUsedIsNamedInOneLine(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() }) // after the parallel subtests, unlike a defer

	for name, addr := range map[string]string{
		"taken":           taken.Addr().String(),
		"no port":         "127.0.0.1",
		"no IP":           ":7233",
		"not a number":    "127.0.0.1:no-such-service",
		"somebody else's": "192.0.2.1:7233",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := port.Claim(addr)
			if err == nil || !strings.Contains(err.Error(), addr) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("Claim(%q) = %v, want an error of one line that names the address", addr, err)
			}
		})
	}
}
