package django

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"
)

func TestAnExportIsSortedIntoWhatItHolds(t *testing.T) {
	t.Parallel()
	e := (&export{}).notification(1, nil, rows(byEmail("ann@example.com")), rows(byNumber("+12025550123"))).
		object("contenttypes.contenttype", 1, values{"model": "order"}).object("contenttypes.contenttype", 2, values{}).
		object("silque_notifications.errorlog", 5, values{"code": "X"})
	d, err := Read(strings.NewReader("\ufeff" + e.String() + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(d.notifications) != 1 || len(d.recipients) != 2 || d.notifications[0].key != "1" {
		t.Errorf("%d notifications and %d recipients", len(d.notifications), len(d.recipients))
	}
	if !reflect.DeepEqual(d.others, map[string]int{"contenttypes.contenttype": 2}) ||
		!reflect.DeepEqual(d.unknown, map[string]int{"silque_notifications.errorlog": 1}) {
		t.Errorf("others %v, unknown %v", d.others, d.unknown)
	}
}

func utf16le(text string) string {
	var out strings.Builder
	for _, unit := range utf16.Encode([]rune("\ufeff" + text)) {
		out.WriteByte(byte(unit))
		out.WriteByte(byte(unit >> 8))
	}
	return out.String()
}

func TestWhatIsNoExportIsRefusedWithItsPlace(t *testing.T) {
	t.Parallel()
	one := `{"model": "silque_notifications.notification", "pk": 1, "fields": {}}`
	tests := []struct{ name, text, says string }{
		{"nothing", "", "ends too early"},
		{"an object", one, "it must be one JSON array"},
		{"no JSON", "hello", "after byte 0: "},
		{"a broken object", "[" + one + ", {]", "after byte 71: object 2: "},
		{"cut off within an object", "[" + one[:30], "ends too early"},
		{"cut off between objects", "[" + one, "ends too early"},
		{"a comma too many", "[" + one + ",]", "object 2"},
		{"two arrays", "[" + one + "][]", "something follows the array"},
		{"a number", "[1]", "object 1, from byte 1 on: an object must be"},
		{"no fields", `[{"model": "a.b", "pk": 1}]`, "object 1, from byte 1 on: an object must be"},
		{"no app", `[{"model": "b", "pk": 1, "fields": {}}]`, "an object must be"},
		{"a key that is a list", `[{"model": "silque_notifications.notification", "pk": [1], "fields": {}}]`, "the pk must be a number or a text"},
		{"a key without end", `[{"model": "silque_notifications.notification", "pk": "` + strings.Repeat("x", 300) + `", "fields": {}}]`, "longer than 255"},
		{"a key twice", "[" + one + "," + one + "]", "object 2, from byte 71 on: silque_notifications.notification 1 is there twice"},
		{"Latin-1", "[{\"model\": \"a.b\", \"pk\": 1, \"fields\": {\"x\": \"\xe4\"}}]", "not UTF-8"},
		{"UTF-16", utf16le("[]"), "PowerShell"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if _, err := Read(strings.NewReader(test.text)); err == nil {
				t.Error("no error")
			} else {
				has(t, err.Error(), test.says)
			}
		})
	}
}

func TestAnExportIsBounded(t *testing.T) {
	t.Parallel()
	const mega, most = 1 << 20, 100
	object := `{"model":"a.b","pk":1,"fields":{}}`
	of := func(objects, size int) string {
		text := "[" + strings.Repeat(object+",", objects-1) + object + "]"
		return text + strings.Repeat(" ", size-len(text))
	}
	tests := []struct{ name, text, says string }{
		{"as much as is allowed", of(most, mega), ""},
		{"an object too many", of(most+1, mega), "more than 100 objects"},
		{"a byte too many", of(most, mega+1), "larger than 1 MiB"},
	}
	for _, test := range tests {
		_, err := readUpTo(strings.NewReader(test.text), mega, most)
		if test.says == "" && err != nil || test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.says)
		}
	}
	if SizeLimit != 64*mega || ObjectLimit != 100_000 {
		t.Errorf("the limits are %d bytes and %d objects", SizeLimit, ObjectLimit)
	}
}

func TestAFileThatCannotBeReadSaysSo(t *testing.T) {
	t.Parallel()
	broken := fmt.Errorf("disk on fire")
	if _, err := Read(iotest.ErrReader(broken)); err == nil || !strings.Contains(err.Error(), "disk on fire") {
		t.Errorf("error %v", err)
	}
}
