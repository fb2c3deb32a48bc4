package rule

import "testing"

func TestATestMessageHasTheTextsThatItBringsOrSaysThatTheChannelWorks(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ doc, subject, text string }{
		"without texts":       {`{"channel":"email","to":"a@example.com"}`, testSubject, testText},
		"with texts":          {`{"channel":"email","to":"a@example.com","subject":"Order 7","text":"It is."}`, "Order 7", "It is."},
		"with HTML alone":     {`{"channel":"email","to":"a@example.com","subject":"Order 7","html":"<p>"}`, "Order 7", ""},
		"a WhatsApp template": {`{"channel":"whatsapp","to":"+1","details":{"content_sid":"HX"}}`, "", ""},
	} {
		m, ok := ReadTestMessage([]byte(test.doc))
		if !ok || m.Subject != test.subject || m.Text != test.text || m.Details == nil {
			t.Errorf("%s: %+v, %v", name, m, ok)
		}
	}
	for _, doc := range []string{"", "null", "{}", "[]", `{"to":""}`} {
		if _, ok := ReadTestMessage([]byte(doc)); ok {
			t.Errorf("%q was read", doc)
		}
	}
}
