package console

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/store"
	"github.com/silquetech/silque-notifications/web/ui"
)

// undoPurpose names the key among the database's, and keeps what is signed here from meaning anything elsewhere.
const undoPurpose = "lifted suppression"

// undoTime bounds how long a lifted entry can be put back: later, the person may have said something else.
const undoTime = time.Hour

// lifted is an entry that was lifted, as the button that takes that back carries it. Who entered it, when and why is not the
// browser's to say, and so it is signed; nothing about the person stays here.
type lifted struct {
	Entry *store.Suppression
	At    time.Time
}

// sealed gives the fields of the button.
func (s *Console) sealed(c *gin.Context, entry *store.Suppression) (map[string][]string, error) {
	content, err := json.Marshal(lifted{entry, time.Now().UTC()})
	if err != nil {
		return nil, err
	}
	proof, err := s.proof(c.Request.Context(), content)
	if err != nil {
		return nil, err
	}
	return map[string][]string{
		"entry": {base64.RawURLEncoding.EncodeToString(content)}, "proof": {base64.RawURLEncoding.EncodeToString(proof)},
	}, nil
}

func (s *Console) proof(ctx context.Context, content []byte) ([]byte, error) {
	key, err := store.Secrets{DB: s.config.DB}.Get(ctx, undoPurpose)
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(undoPurpose + "\x00"))
	mac.Write(content)
	return mac.Sum(nil), nil
}

// opened reads the fields of the button.
func (s *Console) opened(c *gin.Context) (*store.Suppression, error) {
	nothing := wrongInput("There is nothing to take back.")
	content, err := base64.RawURLEncoding.DecodeString(c.PostForm("entry"))
	if err != nil {
		return nil, nothing
	}
	given, err := base64.RawURLEncoding.DecodeString(c.PostForm("proof"))
	if err != nil {
		return nil, nothing
	}
	proof, err := s.proof(c.Request.Context(), content)
	if err != nil {
		return nil, err
	}
	var was lifted
	if !hmac.Equal(given, proof) || json.Unmarshal(content, &was) != nil {
		return nil, nothing
	}
	if time.Since(was.At) > undoTime {
		return nil, wrongInput("It was lifted more than an hour ago, and the person may have said something else since. Add the address anew if that is right.")
	}
	return was.Entry, nil
}

// restoreSuppression puts a lifted entry back as it was.
func (s *Console) restoreSuppression(c *gin.Context) error {
	entry, err := s.opened(c)
	if err != nil {
		return err
	}
	restored, err := s.suppressions.Restore(c.Request.Context(), entry, s.actor(c))
	if err != nil {
		return err
	}
	if !restored {
		return s.done(c, "/suppressions", ui.Flash{Problem: true, Text: entry.Address + " is on the list already."})
	}
	return s.done(c, "/suppressions/"+entry.ID, ui.Flash{Text: "Put back as it was: " + entry.Address + "."})
}
