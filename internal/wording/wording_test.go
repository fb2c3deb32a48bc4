package wording_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/silquetech/silque-notifications/internal/wording"
)

func TestWhatIsKeptIsReadableAndBounded(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		text  string
		limit int
		want  string
	}{
		"nothing":                     {"", 10, ""},
		"as it is":                    {"250 2.0.0 angenommen für\n\tZustellung", 100, "250 2.0.0 angenommen für\n\tZustellung"},
		"Latin-1":                     {"250 angenommen f\xfcr Zustellung", 100, "250 angenommen f\uFFFDr Zustellung"},
		"KOI8-R":                      {"550 \xd3\xca\xcf\xe4 no", 100, "550 \uFFFD no"},
		"NUL and other controls":      {"a\x00b\x1b[31mc\r\nd\x7f", 100, "a b [31mc \nd "},
		"as long as it may be":        {"für", 3, "für"},
		"a character too long":        {"fürs", 3, "fü…"},
		"cut in a character":          {strings.Repeat("ü", 100), 5, "üüüü…"},
		"no limit":                    {strings.Repeat("ü\x00", 100), 0, strings.Repeat("ü ", 100)},
		"much that is no UTF-8":       {strings.Repeat("\xff", 1000), 5, "\uFFFD"},
		"characters of all the bytes": {strings.Repeat("😀", 9), 5, "😀😀😀😀…"},
	} {
		if got := wording.Kept(tc.text, tc.limit); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

func FuzzWhatIsKeptIsReadableAndBounded(f *testing.F) {
	f.Add("250 f\xfcr\x00", 4)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit %= 1000
		got := wording.Kept(text, limit)
		unreadable := func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }
		if !utf8.ValidString(got) || strings.ContainsFunc(got, unreadable) || limit > 0 && utf8.RuneCountInString(got) > limit {
			t.Errorf("%q came of %q and %d", got, text, limit)
		}
		if again := wording.Kept(got, limit); again != got {
			t.Errorf("%q is not kept as it is: %q", got, again)
		}
	})
}
