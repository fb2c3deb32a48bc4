package access

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/sethvargo/go-limiter"
	"github.com/sethvargo/go-limiter/memorystore"
)

// Tries bounds how often somebody may try to sign in, each web process for itself.
type Tries struct {
	// OfAccount is for one account from one network address, OfAddress for all accounts from one; 10 and 100 when zero.
	OfAccount, OfAddress uint64
	// Within is the time in which they may be made; 15 minutes when zero.
	Within time.Duration
}

const (
	defaultOfAccount = 10
	defaultOfAddress = 100
	defaultWithin    = 15 * time.Minute
)

type tries struct{ ofAccount, ofAddress limiter.Store }

func newTries(t Tries) (*tries, error) {
	if t.OfAccount == 0 {
		t.OfAccount = defaultOfAccount
	}
	if t.OfAddress == 0 {
		t.OfAddress = defaultOfAddress
	}
	if t.Within <= 0 {
		t.Within = defaultWithin
	}
	made := func(tokens uint64) (limiter.Store, error) {
		return memorystore.New(&memorystore.Config{
			Tokens: tokens, Interval: t.Within, SweepInterval: t.Within, SweepMinTTL: 2 * t.Within, InitialAlloc: 16,
		})
	}
	ofAccount, err := made(t.OfAccount)
	if err != nil {
		return nil, fmt.Errorf("access: %w", err)
	}
	ofAddress, err := made(t.OfAddress)
	if err != nil {
		return nil, fmt.Errorf("access: %w", err)
	}
	return &tries{ofAccount: ofAccount, ofAddress: ofAddress}, nil
}

func (t *tries) close(ctx context.Context) error {
	return errors.Join(t.ofAccount.Close(ctx), t.ofAddress.Close(ctx))
}

// Attempt counts one try to prove who somebody is. When it is one too many it says how long to wait; whether there is
// such an account makes no difference.
func (a *Access) Attempt(c *gin.Context, email string) (wait time.Duration, allowed bool) {
	ctx, from := c.Request.Context(), network(c.ClientIP())
	// The address first: once it has no tries left, it cannot fill the memory with the names of accounts.
	for _, limit := range []struct {
		store limiter.Store
		key   string
	}{{a.tries.ofAddress, from}, {a.tries.ofAccount, from + " " + strings.ToLower(strings.TrimSpace(email))}} {
		_, _, reset, ok, err := limit.store.Take(ctx, limit.key)
		if err != nil {
			a.log(c, err)
			return time.Minute, false
		}
		if !ok {
			return max(time.Second, time.Until(time.Unix(0, int64(reset)))), false //nolint:gosec // a time of day
		}
	}
	return 0, true
}

// network is the part of an address that one person has: of IPv6, a whole /64.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if ip = ip.Unmap(); ip.Is4() {
		return ip.String()
	}
	prefix, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return address
	}
	return prefix.String()
}
