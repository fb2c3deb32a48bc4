package rule

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestDecodeDocumentGivesEveryFieldItsType(t *testing.T) {
	t.Parallel()
	doc := document(t, anOrder)
	want := map[string]any{
		"id": int64(7), "status": "APPROVED", "weight": 0.1, "paid": true, "phone": int64(12025550123),
		"due":        time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC),
		"shipped_at": time.Date(2026, 1, 31, 15, 4, 5, 0, time.UTC),
		"opens":      time.Date(0, 1, 1, 8, 30, 0, 0, time.UTC),
		"seal":       []byte{0, 1, 2},
		"tags":       []any{"new", map[string]any{"a": json.Number("1.0")}},
	}
	for name, value := range want {
		if !reflect.DeepEqual(doc[name], value) {
			t.Errorf("%s is %#v, want %#v", name, doc[name], value)
		}
	}
	if amount, ok := doc["amount"].(ExactDecimal); !ok || amount.String() != "12.50" {
		t.Errorf("amount is %#v, want the decimal 12.50", doc["amount"])
	}
	if _, ok := doc["secret"]; ok {
		t.Error("a key that the model does not have was kept")
	}
}

func TestDecodeDocumentAcceptsWhatOtherApplicationsWrite(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("9", 30)
	doc := document(t, `{"id":"9","quantity":9.0,"weight":"1.5","amount":12.50,"paid":1,"due":"2026-01-31T23:30:00-08:00",
		"shipped_at":"2026-01-31 15:04:05.123","opens":"08:30","tags":`+big+`}`)
	want := map[string]string{
		"id": "9", "quantity": "9", "weight": "1.5", "amount": "12.50", "paid": "True", "due": "2026-01-31",
		"shipped_at": "2026-01-31 15:04:05+00:00", "opens": "08:30:00", "tags": big, "status": "",
	}
	for name, text := range want {
		field, _ := orders.Field(name)
		if got := format(field.Type, doc[name]); got != text {
			t.Errorf("%s prints as %q, want %q", name, got, text)
		}
	}
	if value, ok := doc["status"]; !ok || value != nil {
		t.Errorf("a missing key gave %v (there: %v), want null", value, ok)
	}
}

func TestDecodeDocumentOfNothingIsNil(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"", "null", " null "} {
		if doc := document(t, raw); doc != nil {
			t.Errorf("%q gave %v, want nil", raw, doc)
		}
	}
}

func TestDecodeDocumentNamesTheFieldThatDoesNotFitAndNotItsValue(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`{"id":"zebra"}`:                      "id",
		`{"id":1.5}`:                          "id",
		`{"id":9223372036854775808}`:          "id",
		`{"id":true}`:                         "id",
		`{"status":123454321}`:                "status",
		`{"weight":"NaN"}`:                    "weight",
		`{"weight":1e999}`:                    "weight",
		`{"amount":"1e999999999"}`:            "amount",
		`{"amount":"zebra"}`:                  "amount",
		`{"paid":"zebra"}`:                    "paid",
		`{"paid":2}`:                          "paid",
		`{"due":"31.01.2026"}`:                "due",
		`{"shipped_at":1767193445}`:           "shipped_at",
		`{"opens":"zebra"}`:                   "opens",
		`{"seal":"zebra!"}`:                   "seal",
		`["zebra"]`:                           "a snapshot of orders",
		`{"status":"zebra"`:                   "a snapshot of orders",
		`{"status":"zebra"} {"id":"zebra"}`:   "a snapshot of orders",
		`{"amount":"` + digits(3000) + `"}`:   "amount",
		`{"quantity":"` + digits(3000) + `"}`: "quantity",
	} {
		_, err := DecodeDocument(orders, json.RawMessage(raw))
		var own *Error
		if !errors.As(err, &own) || own.Code != EventDecodeFail {
			t.Errorf("%.60s gave %v, want an error with the code %s", raw, err, EventDecodeFail)
			continue
		}
		if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "zebra") || len(err.Error()) > 200 {
			t.Errorf("%.60s gave %q, want it to name %s and no value", raw, err, want)
		}
	}
}

func digits(n int) string { return strings.Repeat("7", n) }

func TestDecimalsKeepTheirDigitsAndCompareByValue(t *testing.T) {
	t.Parallel()
	a, errA := ParseDecimal("12.50")
	b, errB := ParseDecimal("12.5")
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	if a.Cmp(b) != 0 || a.String() != "12.50" {
		t.Errorf("%s and %s compare as %d", a, b, a.Cmp(b))
	}
	if raw, err := json.Marshal(a); err != nil || string(raw) != `"12.50"` {
		t.Errorf("JSON is %s (%v)", raw, err)
	}
	if (ExactDecimal{}).Cmp(ExactDecimal{}) != 0 || (ExactDecimal{}).String() != "0" {
		t.Error("the zero value is not zero")
	}
}
