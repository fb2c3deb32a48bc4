// Package port claims TCP addresses for servers that open their own listener and take a
// taken port badly: the Temporal server logs and carries on, its Web UI exits the process.
package port

import (
	"fmt"
	"net"
	"net/netip"
	"runtime"
)

// Claim promises that addr ("127.0.0.1:7233") can be listened on now and returns it with
// its IP and port filled in; port 0 picks a free one. The listener is closed again, so the
// caller should open its own soon. A port picked for 0 is not picked again by this machine
// for some seconds. The error names the address.
func Claim(addr string) (netip.AddrPort, error) {
	tcp, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("address %q is not IP:port: %w", addr, err)
	}
	if tcp.IP == nil {
		return netip.AddrPort{}, fmt.Errorf("address %q names no IP: use 127.0.0.1:%d", addr, tcp.Port)
	}
	listener, err := net.ListenTCP("tcp", tcp)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("cannot listen on %s: %w", addr, err)
	}
	defer func() { _ = listener.Close() }()

	bound := listener.Addr().(*net.TCPAddr).AddrPort()
	bound = netip.AddrPortFrom(bound.Addr().Unmap(), bound.Port())
	if tcp.Port == 0 {
		if err := rest(listener); err != nil {
			return netip.AddrPort{}, fmt.Errorf("claim a free port on %s: %w", addr, err)
		}
	}
	return bound, nil
}

// rest leaves a connection on the port in TIME_WAIT. Linux hands out ephemeral ports at
// random and could give the same one to the next program before our caller listens on it;
// it does not hand out a port in TIME_WAIT, yet lets it be listened on. (The side that
// closes first is the one that waits, so that is the listener's.) macOS and Windows hand
// out ports in order and need none of this.
func rest(listener *net.TCPListener) error {
	if runtime.GOOS == "darwin" || runtime.GOOS == "windows" {
		return nil
	}
	dialed, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		return err
	}
	defer func() { _ = dialed.Close() }()
	accepted, err := listener.Accept()
	if err != nil {
		return err
	}
	return accepted.Close()
}
