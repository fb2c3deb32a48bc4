package outbox_test

import (
	"encoding/json"
	"testing"

	"github.com/silquetech/silque-notifications/internal/outbox"
)

func TestASnapshotIsItsOwnJSON(t *testing.T) {
	t.Parallel()
	type holder struct {
		Doc outbox.Snapshot `json:"doc"`
	}
	for _, text := range []string{`{"doc":{"a":1}}`, `{"doc":null}`, `{"doc":[1,2]}`} {
		var h holder
		if err := json.Unmarshal([]byte(text), &h); err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(h)
		if err != nil || string(again) != text {
			t.Errorf("%s became %s, error %v", text, again, err)
		}
		if isNull := text == `{"doc":null}`; isNull != (h.Doc == nil) {
			t.Errorf("%s is kept as %v", text, h.Doc)
		}
	}
}

func TestASnapshotDoesNotShareTheDriversBytes(t *testing.T) {
	t.Parallel()
	var s outbox.Snapshot
	bytes := []byte(`{"a":1}`)
	if err := s.Scan(bytes); err != nil {
		t.Fatal(err)
	}
	bytes[0] = 'x'
	if string(s) != `{"a":1}` {
		t.Errorf("the snapshot changed with the driver's buffer: %s", s)
	}
	if err := s.Scan(7); err == nil {
		t.Error("a number was read as a snapshot")
	}
}
