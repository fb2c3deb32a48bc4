// Package unsubscribe makes and reads the links by which somebody leaves: each names one delivery, and is signed, so that
// nobody can make one for a message that they did not get.
package unsubscribe

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/google/uuid"
)

// Path is where the links lead: followed by a token.
const Path = "/unsubscribe/"

// purpose names the key among the database's, and keeps what is signed here from meaning anything elsewhere.
const purpose = "unsubscribe"

// Tokens signs and opens tokens. The zero value opens none. It is safe for concurrent use.
type Tokens struct{ key []byte }

// Keys gives a key that stays the same for all processes and for good; store.Secrets is one.
type Keys interface {
	Get(ctx context.Context, purpose string) ([]byte, error)
}

// Load gives the tokens under the installation's own key.
func Load(ctx context.Context, keys Keys) (Tokens, error) {
	key, err := keys.Get(ctx, purpose)
	if err != nil {
		return Tokens{}, fmt.Errorf("unsubscribe: %w", err)
	}
	return Tokens{key: key}, nil
}

// encoding is that of URLs, and strict: of one token there are no two spellings.
var encoding = base64.RawURLEncoding.Strict()

// tokenBytes are those of a UUID and of an HMAC-SHA256, uncut.
const tokenBytes = 16 + sha256.Size

// Sign gives the token of a delivery: 64 letters, digits, - and _, which hold its ID and nothing else. Only IDs as
// deliveries have them, which are UUIDs, get one; ok is false for others.
func (t Tokens) Sign(deliveryID string) (token string, ok bool) {
	id, err := uuid.Parse(deliveryID)
	if err != nil || id.String() != deliveryID || len(t.key) == 0 {
		return "", false
	}
	return encoding.EncodeToString(append(id[:], t.sum(id)...)), true
}

// Open gives the delivery of a token that was signed here; ok is false for every other text. How long it takes tells
// nothing about the signature that would be right.
func (t Tokens) Open(token string) (deliveryID string, ok bool) {
	if len(t.key) == 0 || len(token) != encoding.EncodedLen(tokenBytes) {
		return "", false
	}
	content, err := encoding.DecodeString(token)
	if err != nil || len(content) != tokenBytes {
		return "", false
	}
	id := uuid.UUID(content[:16])
	if !hmac.Equal(content[16:], t.sum(id)) {
		return "", false
	}
	return id.String(), true
}

func (t Tokens) sum(id uuid.UUID) []byte {
	mac := hmac.New(sha256.New, t.key)
	mac.Write([]byte(purpose + "\x00"))
	mac.Write(id[:])
	return mac.Sum(nil)
}

// Links gives the links of deliveries under the web app's public address. It gives nil, for no links, when that address is
// not one that people can use: it must be https; http is for a web app on this machine itself.
func (t Tokens) Links(publicURL string) func(deliveryID string) string {
	if !Usable(publicURL) {
		return nil
	}
	base := strings.TrimSuffix(publicURL, "/") + Path
	return func(deliveryID string) string {
		token, ok := t.Sign(deliveryID)
		if !ok {
			return ""
		}
		return base + token
	}
}

// Usable says whether links may be made under a public address; see Links.
func Usable(publicURL string) bool {
	u, err := url.Parse(publicURL)
	if err != nil || u.Host == "" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}
