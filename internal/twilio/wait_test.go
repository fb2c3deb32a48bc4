package twilio_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/silquetech/silque-notifications/internal/channel"
	"github.com/silquetech/silque-notifications/internal/twilio"
)

func TestRetryAfterIsCarried(t *testing.T) {
	t.Parallel()
	date := func(after time.Duration) string { return time.Now().Add(after).UTC().Format(http.TimeFormat) }
	for name, tc := range map[string]struct {
		header   string
		min, max time.Duration
	}{
		"in seconds":             {"7", 7 * time.Second, 7 * time.Second},
		"as a date":              {date(90 * time.Second), 60 * time.Second, 91 * time.Second},
		"as a date of past":      {date(-time.Hour), 0, 0},
		"just the longest":       {"21600", 6 * time.Hour, 6 * time.Hour},
		"longer":                 {"86400", twilio.MaxRetryAfter, twilio.MaxRetryAfter},
		"a date that is further": {date(24 * time.Hour), twilio.MaxRetryAfter, twilio.MaxRetryAfter},
		"an absurd number":       {"2000000000", 0, 0},
		"a number too large":     {"99999999999999999999", 0, 0},
		"an absurd date":         {"Fri, 31 Dec 9999 23:59:59 GMT", 0, 0},
		"not given":              {"", 0, 0},
		"negative":               {"-5", 0, 0},
		"nonsense":               {"soon", 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Retry-After", tc.header)
				failing(429, 20429)(w, r)
			})
			_, err := client(t, s, nil).Create(t.Context(), params())
			got := refusalOf(t, err, channel.Temporary, "twilio_20429").RetryAfter
			if got < tc.min || got > tc.max {
				t.Errorf("RetryAfter = %v, want %v to %v", got, tc.min, tc.max)
			}
		})
	}
}

func TestRetryAfterIsCarriedWhereAnotherTryMakesSense(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status int
		class  channel.Class
		code   string
		want   time.Duration
	}{
		"a 503 that leaves it open": {503, channel.Unknown, "twilio_http_503", 5 * time.Minute},
		"a 429":                     {429, channel.Temporary, "twilio_http_429", 5 * time.Minute},
		"a 403":                     {403, channel.Permanent, "twilio_http_403", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "300")
				w.WriteHeader(tc.status)
				_, _ = w.Write([]byte("<html>busy</html>"))
			})
			_, err := client(t, s, nil).Create(t.Context(), params())
			if got := refusalOf(t, err, tc.class, tc.code).RetryAfter; got != tc.want {
				t.Errorf("RetryAfter = %v, want %v", got, tc.want)
			}
		})
	}
}

func TestCreateBeginsOnlyWithTimeEnough(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		allowed time.Duration
		begins  bool
	}{
		"more than the timeout":                {time.Hour, true},
		"what a slow Find leaves of it":        {40 * time.Second, true},
		"a little less than half":              {29 * time.Second, false},
		"a moment":                             {time.Second, false},
		"nothing: the deadline is past by now": {-time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, created)
			ctx, cancel := context.WithTimeout(t.Context(), tc.allowed)
			defer cancel()
			_, err := client(t, s, func(c *twilio.Config) { c.Timeout = time.Minute }).Create(ctx, params())
			if tc.begins {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if after := refusalOf(t, err, channel.Temporary, "twilio_busy").RetryAfter; after < time.Second || after > 10*time.Second {
				t.Errorf("RetryAfter = %v, want a few seconds", after)
			}
			if n := s.connections.Load(); n != 0 {
				t.Errorf("%d connections, want none", n)
			}
		})
	}
}
