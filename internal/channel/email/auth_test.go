package email_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/silquetech/silque-notifications/internal/channel"
	"github.com/silquetech/silque-notifications/internal/channel/email"
)

const (
	user     = "silque"
	password = "correct horse"
)

var errDone = errors.New("unexpected message from the client")

// steps is a sasl.Server made of one function a message; the last one decides.
type steps []func(response []byte) (challenge []byte, err error)

func (s *steps) Next(response []byte) ([]byte, bool, error) {
	if len(*s) == 0 {
		return nil, false, errDone
	}
	step := (*s)[0]
	*s = (*s)[1:]
	challenge, err := step(response)
	return challenge, err == nil && challenge == nil, err
}

func verdict(ok bool) ([]byte, error) {
	if ok {
		return nil, nil
	}
	return nil, smtp.ErrAuthFailed
}

func say(challenge string) func([]byte) ([]byte, error) {
	return func([]byte) ([]byte, error) { return []byte(challenge), nil }
}

func plain() sasl.Server {
	return sasl.NewPlainServer(func(_, u, p string) error {
		_, err := verdict(u == user && p == password)
		return err
	})
}

func login() sasl.Server {
	var given []byte
	return &steps{say("Username:"), func(r []byte) ([]byte, error) { given = bytes.Clone(r); return []byte("Password:"), nil },
		func(r []byte) ([]byte, error) { return verdict(string(given) == user && string(r) == password) }}
}

func cramMD5() sasl.Server {
	const challenge = "<1896.697170952@mail.example.com>"
	return &steps{say(challenge), func(r []byte) ([]byte, error) {
		mac := hmac.New(md5.New, []byte(password))
		mac.Write([]byte(challenge))
		return verdict(string(r) == fmt.Sprintf("%s %x", user, mac.Sum(nil)))
	}}
}

// scramSHA256 follows RFC 5802 and RFC 7677 on the side of a server that knows secret; the client notices when the
// secret is not its password.
func scramSHA256(secret string) func() sasl.Server {
	return func() sasl.Server {
		const iterations, suffix = 4096, "server-nonce"
		salt := []byte("salt and pepper.")
		mac := func(key []byte, text string) []byte {
			h := hmac.New(sha256.New, key)
			h.Write([]byte(text))
			return h.Sum(nil)
		}
		var bare, first string
		return &steps{
			func([]byte) ([]byte, error) { return []byte{}, nil },
			func(r []byte) ([]byte, error) {
				bare = strings.TrimPrefix(string(r), "n,,")
				_, nonce, _ := strings.Cut(bare, ",r=")
				first = fmt.Sprintf("r=%s%s,s=%s,i=%d", nonce, suffix, base64.StdEncoding.EncodeToString(salt), iterations)
				return []byte(first), nil
			},
			func(r []byte) ([]byte, error) {
				without, proof, _ := strings.Cut(string(r), ",p=")
				salted, err := pbkdf2.Key(sha256.New, secret, salt, iterations, sha256.Size)
				if err != nil {
					return nil, err
				}
				exchange := bare + "," + first + "," + without
				key := mac(salted, "Client Key")
				stored := sha256.Sum256(key)
				for i, b := range mac(stored[:], exchange) {
					key[i] ^= b
				}
				if secret == password && proof != base64.StdEncoding.EncodeToString(key) {
					return nil, smtp.ErrAuthFailed
				}
				signature := mac(mac(salted, "Server Key"), exchange)
				return []byte("v=" + base64.StdEncoding.EncodeToString(signature)), nil
			},
			func([]byte) ([]byte, error) { return nil, nil },
		}
	}
}

func allMechanisms() map[string]func() sasl.Server {
	return map[string]func() sasl.Server{
		"PLAIN": plain, "LOGIN": login, "CRAM-MD5": cramMD5, "SCRAM-SHA-256": scramSHA256(password),
	}
}

func TestSigningIn(t *testing.T) {
	t.Parallel()
	for _, method := range []string{email.AuthAuto, email.AuthPlain, email.AuthLogin, email.AuthCRAMMD5, email.AuthSCRAMSHA256} {
		for name, tc := range map[string]struct{ password, code string }{
			"with the right password": {password, ""},
			"with a wrong password":   {"wrong", "smtp_auth_535"},
		} {
			t.Run(method+" "+name, func(t *testing.T) {
				t.Parallel()
				s := start(t, func(s *server) { s.mechs = allMechanisms() })
				out := sender(t, s, func(c *email.Config) { c.Username, c.Password, c.AuthMethod = user, tc.password, method })
				_, err := out.Send(t.Context(), message("d1"))
				if tc.code == "" && err != nil {
					t.Fatal(err)
				}
				if tc.code != "" {
					refusal := refusalOf(t, err, channel.Permanent, tc.code)
					if strings.Contains(refusal.Detail+refusal.Error(), tc.password) {
						t.Error("the refusal tells the password")
					}
				}
				if s.signedIn.Load() != 1 {
					t.Errorf("signed in %d times", s.signedIn.Load())
				}
			})
		}
	}
}

func TestAutoTakesWhatTheServerOffers(t *testing.T) {
	t.Parallel()
	for name, start1 := range allMechanisms() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, func(s *server) { s.mechs = map[string]func() sasl.Server{name: start1} })
			out := sender(t, s, func(c *email.Config) { c.Username, c.Password = user, password })
			if _, err := out.Send(t.Context(), message("d1")); err != nil {
				t.Fatal(err)
			}
			if s.signedIn.Load() != 1 {
				t.Error("not signed in")
			}
		})
	}
}

func TestSigningInThatCannotWork(t *testing.T) {
	t.Parallel()
	later := func() sasl.Server {
		return &steps{func([]byte) ([]byte, error) {
			return nil, &smtp.SMTPError{Code: 454, EnhancedCode: smtp.EnhancedCode{4, 7, 0}, Message: "temporary"}
		}}
	}
	for name, tc := range map[string]struct {
		mechs  map[string]func() sasl.Server
		method string
		class  channel.Class
		code   string
	}{
		"the server offers nothing":               {nil, email.AuthAuto, channel.Permanent, "smtp_auth_unsupported"},
		"the server offers only something else":   {map[string]func() sasl.Server{"XOAUTH2": plain}, email.AuthAuto, channel.Permanent, "smtp_auth_unsupported"},
		"the server lacks the method that is set": {map[string]func() sasl.Server{"PLAIN": plain}, email.AuthSCRAMSHA256, channel.Permanent, "smtp_auth_unsupported"},
		"the server cannot decide now":            {map[string]func() sasl.Server{"PLAIN": later}, email.AuthPlain, channel.Temporary, "smtp_auth_454"},
		"the server does not know the password":   {map[string]func() sasl.Server{"SCRAM-SHA-256": scramSHA256("other")}, email.AuthAuto, channel.Permanent, "smtp_auth"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, func(s *server) { s.mechs = tc.mechs })
			out := sender(t, s, func(c *email.Config) { c.Username, c.Password, c.AuthMethod = user, password, tc.method })
			_, err := out.Send(t.Context(), message("d1"))
			wantRefusal(t, err, tc.class, tc.code)
			wantRefusal(t, out.Check(t.Context()), tc.class, tc.code)
			if len(s.received()) != 0 {
				t.Error("a message went without signing in")
			}
		})
	}
}
