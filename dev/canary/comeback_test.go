package canary

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// post sends a body as it is, and gives the answer's status and text.
func (h *house) post(path, kind, body string, header ...string) (int, string) {
	t := h.t
	t.Helper()
	request, err := http.NewRequestWithContext(waiting(t), http.MethodPost, h.URL+path, strings.NewReader(body))
	must(t, err)
	request.Header.Set("Content-Type", kind)
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	must(t, err)
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	must(t, err)
	return response.StatusCode, string(answer)
}

// comebacks are what the outside world says of messages: bounces and complaints with the original in them, Twilio's reports,
// what people answer, and the link to unsubscribe; rightly, wrongly, and by those who may not.
func (h *house) comebacks() {
	t := h.t
	var deliveries struct {
		Items []struct {
			ID         string
			Channel    string
			ProviderID string `json:"provider_id"`
		}
	}
	event := h.customer("bounced")
	must(t, h.Call(waiting(t), http.MethodGet, "/api/v1/deliveries?event_id="+event, nil, &deliveries))
	told := 0
	for _, d := range deliveries.Items {
		switch d.Channel {
		case "email":
			h.mailComesBack(d.ProviderID)
			h.leave()
		default:
			h.twilioSays(d.ID, d.ProviderID)
		}
		told++
	}
	if told != 3 {
		t.Errorf("%d deliveries: this test has lost what it looks at", told)
	}
	h.attachments()
}

func (h *house) mailComesBack(messageID string) {
	t, p := h.t, h.person
	h.secrets["wrong hook secret"] = word()
	address := p.address("bounced")
	original := "\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nTo: <" + address + ">\r\nSubject: " + p.canaries["returned subject"] +
		"\r\nMessage-ID: <" + messageID + ">\r\n\r\n" + p.canaries["returned text"] + "\r\n--b--\r\n"
	report := func(recipient string) string {
		return "From: MAILER-DAEMON@mx.example.org\r\nSubject: " + p.canaries["returned subject"] + "\r\nContent-Type: multipart/report; boundary=b\r\n\r\n--b\r\n\r\n" +
			p.canaries["returned text"] + "\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\nFinal-Recipient: rfc822; " + recipient +
			"\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 <" + recipient + "> " + p.canaries["diagnostic"] + "\r\n" + original
	}
	complaint := "From: feedback@isp.example.net\r\nContent-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: message/feedback-report\r\n\r\n" +
		"Feedback-Type: abuse\r\nOriginal-Rcpt-To: " + address + "\r\n" + original
	const mail, reports = "message/rfc822", "application/json"
	right, wrong := "Bearer "+h.secrets["NOTIFY_HOOK_SECRET"], "Bearer "+h.secrets["wrong hook secret"]
	for _, tc := range []struct {
		kind, body, bearer string
		status             int
	}{
		{mail, report(address), wrong, http.StatusUnauthorized},
		{mail, report("eve." + p.canaries["address"] + "@example.com"), right, http.StatusOK},
		{mail, report(address), right, http.StatusOK},
		{mail, complaint, right, http.StatusOK},
		{mail, strings.ReplaceAll(report(address), "Content-Type", "X-Type"), right, http.StatusUnprocessableEntity},
		{mail, p.canaries["returned text"] + "\x00", right, http.StatusBadRequest},
		{reports, `{"type":"` + p.canaries["broken body"] + `","message_id":"` + messageID + `","recipient":"` + p.canaries["broken body"] + `"}`, right, http.StatusUnprocessableEntity},
		{reports, `{"` + p.canaries["broken body"], right, http.StatusUnprocessableEntity},
		{p.canaries["broken body"] + "/x", "", right, http.StatusUnsupportedMediaType},
	} {
		if status, answer := h.post("/hooks/email/bounces?q="+p.canaries["broken body"], tc.kind, tc.body, "Authorization", tc.bearer); status != tc.status {
			t.Errorf("%.60q: answered %d %s, want %d", tc.body, status, answer, tc.status)
		}
	}
}

var leaving = regexp.MustCompile(`List-Unsubscribe: <[^>]*(/unsubscribe/([\w.~-]+))>`)

// leave goes by the link of the last email, and by ones that are none.
func (h *house) leave() {
	t := h.t
	link := leaving.FindStringSubmatch(h.mail.last.Load().(string))
	if link == nil {
		t.Errorf("no link to unsubscribe in %.2000s", h.mail.last.Load())
		return
	}
	h.secrets["link to unsubscribe"] = link[2]
	forged := word()
	h.secrets["forged link"] = forged
	for path, want := range map[string]int{link[1]: http.StatusOK, "/unsubscribe/" + forged: http.StatusNotFound} {
		if got := h.browser().ask(http.MethodGet, path, nil); got.status != want {
			t.Errorf("the page of a link: %d, want %d", got.status, want)
		}
		if status, _ := h.post(path, "application/x-www-form-urlencoded", "List-Unsubscribe=One-Click&x="+h.person.canaries["broken body"]); status != want {
			t.Errorf("one click: %d, want %d", status, want)
		}
	}
}

// twilioSays makes Twilio's calls, signed as Twilio does, and with another's signature.
func (h *house) twilioSays(delivery, sid string) {
	t, p := h.t, h.person
	signed := func(path string, form url.Values, key string) string {
		text := h.URL + path
		for _, name := range slices.Sorted(maps.Keys(form)) {
			text += name + form.Get(name)
		}
		sum := hmac.New(sha1.New, []byte(key))
		sum.Write([]byte(text))
		return base64.StdEncoding.EncodeToString(sum.Sum(nil))
	}
	const account = "AC00000000000000000000000000000000"
	form := func(pairs ...string) url.Values {
		all := url.Values{"AccountSid": {account}, "From": {p.number}, "To": {p.number}}
		for i := 0; i < len(pairs); i += 2 {
			all.Set(pairs[i], pairs[i+1])
		}
		return all
	}
	for _, tc := range []struct {
		path string
		form url.Values
	}{
		{"/hooks/twilio/status?delivery=" + delivery, form("MessageSid", sid, "MessageStatus", "undelivered", "ErrorCode", "30003", "ErrorMessage", p.canaries["inbound text"])},
		{"/hooks/twilio/status?delivery=" + delivery, form("MessageSid", fmt.Sprintf("SM%032x", 0), "MessageStatus", p.canaries["inbound text"])},
		{"/hooks/twilio/messages", form("MessageSid", fmt.Sprintf("SM%032x", 1), "Body", "please stop, says "+p.canaries["inbound text"], "ProfileName", p.canaries["inbound text"])},
		{"/hooks/twilio/messages", form("MessageSid", fmt.Sprintf("SM%032x", 2), "Body", "STOP", "ProfileName", p.canaries["inbound text"])},
		{"/hooks/twilio/messages", form("MessageSid", fmt.Sprintf("SM%032x", 3), "Body", "START", "ProfileName", p.canaries["inbound text"])},
	} {
		for key, want := range map[string]int{h.secrets["TWILIO_WEBHOOK_AUTH_TOKEN"]: 2, word(): 4} {
			status, answer := h.post(tc.path, "application/x-www-form-urlencoded", tc.form.Encode(), "X-Twilio-Signature", signed(tc.path, tc.form, key))
			if status/100 != want {
				t.Errorf("%s: %d %s, want %dxx", tc.path, status, answer, want)
			}
		}
	}
}

// attachments go with an email, are not there, may not be read, and are named by addresses that hold a token.
func (h *house) attachments() {
	t, p := h.t, h.person
	must(t, os.WriteFile(filepath.Join(h.folder, p.canaries["file name"]+".txt"), []byte(p.canaries["file text"]), 0o600))
	must(t, h.Call(waiting(t), http.MethodPost, "/api/v1/notifications", map[string]any{
		"title": "With a file", "message": "See the file.", "channel": "email", "model": "suppliers", "trigger": "new",
		"recipients":  []map[string]any{{"document_field": "doc.email_address"}},
		"attachments": []map[string]any{{"document_field": "doc.name"}, {"name": p.canaries["file name"] + ".csv", "text": p.canaries["file text"] + " {{ doc.name }}"}},
	}, nil))
	before := h.mail.taken.Load()
	for _, name := range []string{
		filepath.Join(h.folder, p.canaries["file name"]+".txt"), filepath.Join(h.folder, p.canaries["file name"]+".none"), "/etc/" + p.canaries["file name"],
		"https://files.example.com/" + p.canaries["file name"] + ".pdf?token=" + p.canaries["link token"], "https://user:" + p.canaries["link token"] + "@files.example.com/x",
	} {
		h.saved("suppliers", map[string]any{"name": name, "email_address": p.address("filed"), "mobile_number": p.number})
	}
	if n := h.mail.taken.Load() - before; n != 1 {
		t.Errorf("%d emails with a file were taken, want the one whose file may be read: %s", n, fmt.Sprint(h.folder))
	}
}
