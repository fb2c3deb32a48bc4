package attachment

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
)

// errNetwork is the answer for a host whose name leads into a network of our own.
var errNetwork = errors.New("the host's name leads to an address that is not public, and not in the private networks of the settings")

// notPublic are the networks that no public server is in (IANA's special-purpose registries), besides those that
// net/netip knows. Of IPv6, 2000::/3 alone is public.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"), // between providers and their customers
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),    // documentation
	netip.MustParsePrefix("192.88.99.0/24"),  // once 6to4
	netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"), // documentation
	netip.MustParsePrefix("203.0.113.0/24"),  // documentation
	netip.MustParsePrefix("240.0.0.0/4"),     // reserved, and broadcast
	netip.MustParsePrefix("2001::/23"),       // Teredo and other protocols
	netip.MustParsePrefix("2001:db8::/32"),   // documentation
	netip.MustParsePrefix("2002::/16"),       // 6to4, which holds any IPv4 address
	netip.MustParsePrefix("3fff::/20"),       // documentation
}

var (
	publicIPv6 = netip.MustParsePrefix("2000::/3")
	// nat64 is where IPv6 networks show IPv4 addresses (RFC 6052): the last four bytes are what counts.
	nat64 = netip.MustParsePrefix("64:ff9b::/96")
)

// public says whether an address is one that anybody may ask, in whatever form it is written.
func public(ip netip.Addr) bool {
	ip = ip.Unmap()
	if nat64.Contains(ip) {
		whole := ip.As16()
		ip = netip.AddrFrom4([4]byte(whole[12:]))
	}
	switch {
	case !ip.IsValid(), ip.Zone() != "", ip.IsUnspecified(), ip.IsLoopback(), ip.IsPrivate(), ip.IsLinkLocalUnicast(), ip.IsMulticast():
		return false
	case ip.Is6() && !publicIPv6.Contains(ip):
		return false
	default:
		return !slices.ContainsFunc(notPublic, func(network netip.Prefix) bool { return network.Contains(ip) })
	}
}

// networks reads Config.Networks: 10.0.0.0/8, or one address.
func networks(entries []string) (all []netip.Prefix, err error) {
	var problems []error
	for _, entry := range entries {
		network, err := netip.ParsePrefix(entry)
		if ip, notIP := netip.ParseAddr(entry); notIP == nil {
			network, err = netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen()), nil
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("attachment: network %q must look like 10.0.0.0/8 or 10.0.0.7", entry))
			continue
		}
		all = append(all, network)
	}
	return all, errors.Join(problems...)
}

// mayAsk says whether the address of a name may be connected to.
func (f *Fetcher) mayAsk(ip netip.Addr) bool {
	return public(ip) || slices.ContainsFunc(f.networks, func(network netip.Prefix) bool { return network.Contains(ip.Unmap()) })
}

// dial connects. A host that the settings write as an address is connected to as it is. A name is whatever its owner's
// DNS says, and can be something else the next time it is asked: so the address is looked at when the connection to it
// is made, and not before.
func (f *Fetcher) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Resolver: f.resolver}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if _, err := netip.ParseAddr(host); err != nil {
		dialer.Control = func(_, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil || !f.mayAsk(to.Addr()) {
				return errNetwork
			}
			return nil
		}
	}
	return dialer.DialContext(ctx, network, address)
}
