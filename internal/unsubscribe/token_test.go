package unsubscribe_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/silquetech/silque-notifications/internal/unsubscribe"
)

const deliveryID = "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071"

type keys string

func (k keys) Get(context.Context, string) ([]byte, error) {
	if k == "" {
		return nil, errors.New("no database")
	}
	return []byte(k), nil
}

func load(t testing.TB, key keys) unsubscribe.Tokens {
	t.Helper()
	tokens, err := unsubscribe.Load(context.Background(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func TestATokenLeadsBackToItsDelivery(t *testing.T) {
	t.Parallel()
	token, ok := load(t, "key").Sign(deliveryID)
	if !ok || !regexp.MustCompile(`^[0-9A-Za-z_-]{64}$`).MatchString(token) {
		t.Fatalf("the token is %q, %v", token, ok)
	}
	if id, ok := load(t, "key").Open(token); !ok || id != deliveryID {
		t.Errorf("it opens as %q, %v", id, ok)
	}
	if again, _ := load(t, "key").Sign(deliveryID); again != token {
		t.Error("the same delivery has two tokens")
	}
}

func TestAForgedTokenOpensNothing(t *testing.T) {
	t.Parallel()
	tokens := load(t, "key")
	token, _ := tokens.Sign(deliveryID)
	other, _ := tokens.Sign("019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6072")
	foreign, _ := load(t, "another key").Sign(deliveryID)
	forged := map[string]string{
		"nothing": "", "another key's": foreign, "too short": token[:63], "too long": token + "A", "padded": token + "=",
		"with a line break": token[:32] + "\n" + token[33:], "with a slash": token[:10] + "/" + token[11:],
		"one delivery with the signature of another": token[:22] + other[22:],
		"the plain ID": deliveryID, "zeros": strings.Repeat("A", 64),
	}
	for i := range token {
		letter := "A"
		if token[i] == 'A' {
			letter = "B"
		}
		forged["with another letter at "+string(rune('0'+i))] = token[:i] + letter + token[i+1:]
	}
	for name, one := range forged {
		if id, ok := tokens.Open(one); ok && one != token {
			t.Errorf("%s: opens as %s", name, id)
		}
	}
	if _, ok := (unsubscribe.Tokens{}).Open(token); ok {
		t.Error("tokens without a key open one")
	}
}

func TestOnlyDeliveriesGetTokens(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", "d1", "019AB3C4-5D6E-7F80-9A1B-2C3D4E5F6071", "urn:uuid:" + deliveryID, "{" + deliveryID + "}", deliveryID + "\r\n"} {
		if token, ok := load(t, "key").Sign(id); ok {
			t.Errorf("%q has the token %s", id, token)
		}
	}
	if _, ok := (unsubscribe.Tokens{}).Sign(deliveryID); ok {
		t.Error("there is a token without a key")
	}
	if _, err := unsubscribe.Load(t.Context(), keys("")); err == nil {
		t.Error("there are tokens without a database")
	}
}

func TestLinksAreMadeWhereTheyCanBeFollowed(t *testing.T) {
	t.Parallel()
	tokens := load(t, "key")
	token, _ := tokens.Sign(deliveryID)
	for address, want := range map[string]string{
		"https://notify.example.com":  "https://notify.example.com/unsubscribe/" + token,
		"https://notify.example.com/": "https://notify.example.com/unsubscribe/" + token,
		"http://127.0.0.1:8080":       "http://127.0.0.1:8080/unsubscribe/" + token,
		"http://[::1]:8080":           "http://[::1]:8080/unsubscribe/" + token,
		"http://localhost:8080":       "http://localhost:8080/unsubscribe/" + token,
		"http://notify.example.com":   "", "": "", "notify.example.com": "", "ftp://notify.example.com": "",
	} {
		links := tokens.Links(address)
		switch {
		case want == "" && links != nil:
			t.Errorf("%s: there are links", address)
		case want != "" && links == nil:
			t.Errorf("%s: there are no links", address)
		case want != "" && links(deliveryID) != want:
			t.Errorf("%s: %s, want %s", address, links(deliveryID), want)
		case want != "" && links("d1") != "":
			t.Errorf("%s: a link of no delivery", address)
		}
	}
}

func FuzzOpen(f *testing.F) {
	tokens := load(f, "key")
	token, _ := tokens.Sign(deliveryID)
	f.Add(token)
	f.Add(strings.Repeat("_", 64))
	f.Fuzz(func(t *testing.T, text string) {
		id, ok := tokens.Open(text)
		if again, _ := tokens.Sign(id); ok && again != text {
			t.Fatalf("%q opens as %s, whose token is %q", text, id, again)
		}
	})
}
