package twilio_test

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/internal/channel"
	"github.com/silquetech/silque-notifications/internal/twilio"
)

var since = time.Date(2026, 3, 4, 5, 6, 7, 800_000_000, time.UTC)

func sought() twilio.FindParams {
	return twilio.FindParams{To: "+12025550123", From: "+15005550006", Body: "Order 7 is late.", Since: since}
}

// wantSIDs checks which messages were found, and their order.
func wantSIDs(t *testing.T, found []channel.Receipt, want ...string) {
	t.Helper()
	var got []string
	for _, r := range found {
		got = append(got, r.ProviderID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
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
		"it arrived":                              {since, map[string]any{"status": "delivered"}, true},
		"it did not arrive":                       {since, map[string]any{"status": "undelivered", "error_code": 30003}, false},
		"it failed":                               {since, map[string]any{"status": "failed", "error_code": 30003}, false},
		"it was canceled":                         {since, map[string]any{"status": "canceled"}, false},
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
			found, err := client(t, s, nil).Find(t.Context(), sought())
			if err != nil {
				t.Fatal(err)
			}
			if tc.want {
				wantSIDs(t, found, "SM9")
			} else {
				wantSIDs(t, found)
			}
		})
	}
}

func TestFindAsksByRecipientAndDate(t *testing.T) {
	t.Parallel()
	s := start(t, func(w http.ResponseWriter, _ *http.Request) { page(w, "") })
	if found, err := client(t, s, nil).Find(t.Context(), sought()); err != nil || len(found) != 0 {
		t.Fatalf("found %v, %v", found, err)
	}
	got := s.got()
	if len(got) != 2 || got[0].method != "GET" || got[0].path != path || got[0].user != account {
		t.Fatalf("requests: %+v", got)
	}
	if q := got[0].query; q.Get("To") != "+12025550123" || q.Has("DateSent>") {
		t.Errorf("first query: %v", q)
	}
	if q := got[1].query; q.Get("To") != "+12025550123" || q.Get("DateSent>") != "2026-03-04T05:05:57Z" {
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
	found, err := client(t, s, nil).Find(t.Context(), sought())
	if err != nil || len(found) != 1 || found[0] != (channel.Receipt{ProviderID: "SM9", Response: "queued"}) {
		t.Errorf("found %+v, %v", found, err)
	}
}

// Two deliveries said the same to the same number; one of them is recorded, and which one Find cannot know.
func TestFindGivesEveryCandidateOldestFirst(t *testing.T) {
	t.Parallel()
	first, second := resource("SM1", "sent", since.Add(-5*time.Second), nil), resource("SM2", "sent", since, nil)
	queued := resource("SM3", "queued", since.Add(time.Second), nil)
	for name, tc := range map[string]struct {
		sent, newest []map[string]any
		want         []string
	}{
		"both have been sent":             {[]map[string]any{second, first}, []map[string]any{second, first}, []string{"SM1", "SM2"}},
		"one of them waits in the queue":  {[]map[string]any{first}, []map[string]any{queued, first}, []string{"SM1", "SM3"}},
		"both wait in the queue":          {nil, []map[string]any{queued, second}, []string{"SM2", "SM3"}},
		"the newest do not reach so far":  {[]map[string]any{second, first}, nil, []string{"SM1", "SM2"}},
		"the lists are in another order":  {[]map[string]any{first, second}, []map[string]any{first, queued, second}, []string{"SM1", "SM2", "SM3"}},
		"one of them stands on two pages": {[]map[string]any{second, second, first}, nil, []string{"SM1", "SM2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Has("DateSent>") {
					page(w, "", tc.sent...)
					return
				}
				page(w, "", tc.newest...)
			})
			found, err := client(t, s, nil).Find(t.Context(), sought())
			if err != nil {
				t.Fatal(err)
			}
			wantSIDs(t, found, tc.want...)
		})
	}
}

func TestFindTakesAThirdOfTheTimeAndLeavesRoomForCreate(t *testing.T) {
	t.Parallel()
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			<-r.Context().Done()
			return
		}
		created(w, r)
	})
	const timeout = 9 * time.Second
	out := client(t, s, func(c *twilio.Config) { c.Timeout = timeout })
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	begun := time.Now()
	_, err := out.Find(ctx, sought())
	wantRefusal(t, err, channel.Temporary, "twilio_timeout")
	if took := time.Since(begun); took < timeout/3 {
		t.Errorf("Find took %v of %v, want a third", took, timeout)
	}
	// Create begins only when half of the time is left.
	if _, err := out.Create(ctx, params()); err != nil {
		t.Errorf("Create in the rest of the time: %v", err)
	}
}

func TestAMessageIsFoundWhateverTheClocksSay(t *testing.T) {
	t.Parallel()
	begun := time.Now().Add(-time.Minute) // truly
	for name, tc := range map[string]struct{ workers, twilios, then time.Duration }{
		"all tell the same":                                    {},
		"the worker's is three hours ahead":                    {workers: 3 * time.Hour, then: 3 * time.Hour},
		"the worker's is three hours behind":                   {workers: -3 * time.Hour, then: -3 * time.Hour},
		"Twilio's is three hours behind":                       {twilios: -3 * time.Hour},
		"the worker's was three hours ahead and has been set":  {then: 3 * time.Hour},
		"another worker's was three hours ahead, and now ours": {workers: 2 * time.Hour, then: 5 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Date", time.Now().Add(tc.twilios).UTC().Format(http.TimeFormat))
				mine := resource("SM9", "sent", begun.Add(tc.twilios), nil)
				long := resource("SM1", "sent", begun.Add(tc.twilios-2*time.Hour), nil)
				after, err := time.Parse(time.RFC3339, r.URL.Query().Get("DateSent>"))
				if err == nil && begun.Add(tc.twilios).Before(after) {
					page(w, "")
					return
				}
				page(w, "", mine, long)
			})
			out := client(t, s, func(c *twilio.Config) { c.Now = func() time.Time { return time.Now().Add(tc.workers) } })
			p := sought()
			p.Since = begun.Add(tc.then)
			found, err := out.Find(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			wantSIDs(t, found, "SM9")
		})
	}
}

func TestFindTurnsThePages(t *testing.T) {
	t.Parallel()
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("Page") == "1" {
			page(w, "", resource("SM1", "sent", since.Add(-time.Hour), nil), resource("SM2", "sent", since, nil))
			return
		}
		page(w, path+"?PageSize=100&Page=1&PageToken=PASM3", resource("SM3", "sent", since.Add(time.Minute), nil))
	})
	out := client(t, s, func(c *twilio.Config) { c.BaseURL = s.URL + "/twilio" })
	found, err := out.Find(t.Context(), sought())
	if err != nil {
		t.Fatal(err)
	}
	wantSIDs(t, found, "SM2", "SM3")
	if got := s.got(); len(got) != 4 || got[1].path != "/twilio"+path || got[1].query.Get("PageToken") != "PASM3" {
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
	found, err := client(t, s, nil).Find(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	wantSIDs(t, found, "SM2")
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
			found, err := client(t, s, func(c *twilio.Config) { c.Timeout = 3 * time.Second }).Find(t.Context(), sought())
			wantRefusal(t, err, tc.class, tc.code)
			if found != nil {
				t.Error("found all the same")
			}
		})
	}
}
