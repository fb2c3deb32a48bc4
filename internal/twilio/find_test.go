package twilio_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/internal/channel"
	"github.com/silquetech/silque-notifications/internal/twilio"
)

var since = time.Date(2026, 3, 4, 5, 6, 7, 800_000_000, time.UTC)

func sought() twilio.FindParams {
	return twilio.FindParams{To: "+12025550123", From: "+15005550006", Body: "Order 7 is late.", Since: since}
}

func TestFindRecognisesTheMessage(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		created time.Time
		change  map[string]any
		want    bool
	}{
		"the same message":                        {since.Add(time.Second), nil, true},
		"created in the same second":              {since.Truncate(time.Second), nil, true},
		"by a clock that is a little behind":      {since.Add(-9 * time.Second), nil, true},
		"whatever became of it":                   {since, map[string]any{"status": "undelivered", "error_code": 30003}, true},
		"from a trial account":                    {since, map[string]any{"body": "Sent from your Twilio trial account - Order 7 is late."}, true},
		"with a last line break dropped":          {since, map[string]any{"body": "Order 7 is late.\n"}, true},
		"created before":                          {since.Add(-12 * time.Second), nil, false},
		"another text":                            {since, map[string]any{"body": "Order 8 is late."}, false},
		"another sender":                          {since, map[string]any{"from": "+15005550007"}, false},
		"another recipient, by a careless filter": {since, map[string]any{"to": "+12025550124"}, false},
		"a message that came in":                  {since, map[string]any{"direction": "inbound"}, false},
		"no date":                                 {since, map[string]any{"date_created": nil}, false},
		"no SID":                                  {since, map[string]any{"sid": nil}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, func(w http.ResponseWriter, _ *http.Request) {
				page(w, "", resource("SM9", "sent", tc.created, tc.change))
			})
			receipt, found, err := client(t, s, nil).Find(t.Context(), sought())
			if err != nil || found != tc.want {
				t.Fatalf("found %v, %v; want %v", found, err, tc.want)
			}
			if found && receipt.ProviderID != "SM9" || !found && receipt != (channel.Receipt{}) {
				t.Errorf("receipt = %+v", receipt)
			}
		})
	}
}

func TestFindAsksByRecipientAndDate(t *testing.T) {
	t.Parallel()
	s := start(t, func(w http.ResponseWriter, _ *http.Request) { page(w, "") })
	if _, found, err := client(t, s, nil).Find(t.Context(), sought()); err != nil || found {
		t.Fatalf("found %v, %v", found, err)
	}
	got := s.got()
	if len(got) != 2 || got[0].method != "GET" || got[0].path != path || got[0].user != account {
		t.Fatalf("requests: %+v", got)
	}
	if q := got[0].query; q.Get("To") != "+12025550123" || q.Get("DateSent>") != "2026-03-04T05:05:57Z" {
		t.Errorf("first query: %v", q)
	}
	if q := got[1].query; q.Get("To") != "+12025550123" || q.Has("DateSent>") {
		t.Errorf("second query: %v", q)
	}
}

func TestFindSeesMessagesThatWaitInTheQueue(t *testing.T) {
	t.Parallel()
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("DateSent>") { // a queued message has no such date
			page(w, "")
			return
		}
		page(w, "", resource("SM9", "queued", since, nil))
	})
	receipt, found, err := client(t, s, nil).Find(t.Context(), sought())
	if err != nil || !found || receipt != (channel.Receipt{ProviderID: "SM9", Response: "queued"}) {
		t.Errorf("found %v %+v, %v", found, receipt, err)
	}
}

func TestFindTurnsThePagesAndTakesTheEarliest(t *testing.T) {
	t.Parallel()
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("Page") == "1" {
			page(w, "", resource("SM1", "sent", since.Add(-time.Hour), nil), resource("SM2", "sent", since, nil))
			return
		}
		page(w, path+"?PageSize=100&Page=1&PageToken=PASM3", resource("SM3", "sent", since.Add(time.Minute), nil))
	})
	out := client(t, s, func(c *twilio.Config) { c.BaseURL = s.URL + "/twilio" })
	receipt, found, err := out.Find(t.Context(), sought())
	if err != nil || !found || receipt.ProviderID != "SM2" {
		t.Errorf("found %v %+v, %v", found, receipt, err)
	}
	if got := s.got(); len(got) != 2 || got[1].path != "/twilio"+path || got[1].query.Get("PageToken") != "PASM3" {
		t.Errorf("requests: %+v", got)
	}
}

func TestFindKnowsTheMessagingService(t *testing.T) {
	t.Parallel()
	s := start(t, func(w http.ResponseWriter, _ *http.Request) {
		page(w, "", resource("SM1", "sent", since, nil),
			resource("SM2", "accepted", since, map[string]any{"from": nil, "messaging_service_sid": service}))
	})
	p := sought()
	p.From, p.MessagingServiceSID = "", service
	receipt, found, err := client(t, s, nil).Find(t.Context(), p)
	if err != nil || !found || receipt.ProviderID != "SM2" {
		t.Errorf("found %v %+v, %v", found, receipt, err)
	}
}

func TestAFailedFindTellsNothingAndIsNeverInDoubt(t *testing.T) {
	t.Parallel()
	secondPageFails := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("Page") == "1" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		page(w, path+"?Page=1", resource("SM3", "sent", since, nil))
	}
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		class  channel.Class
		code   string
	}{
		"wrong credentials":             {failing(401, 20003), channel.Permanent, "twilio_20003"},
		"too many requests":             {failing(429, 20429), channel.Temporary, "twilio_20429"},
		"503":                           {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, channel.Temporary, "twilio_http_503"},
		"a redirect":                    {func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 302, map[string]any{"messages": []any{}}) }, channel.Temporary, "twilio_http_302"},
		"no list":                       {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }, channel.Temporary, "twilio_bad_answer"},
		"a failure on a later page":     {secondPageFails, channel.Temporary, "twilio_http_503"},
		"a server that does not answer": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, channel.Temporary, "twilio_timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, tc.answer)
			_, found, err := client(t, s, func(c *twilio.Config) { c.Timeout = time.Second }).Find(t.Context(), sought())
			wantRefusal(t, err, tc.class, tc.code)
			if found {
				t.Error("found all the same")
			}
		})
	}
}
