package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/testdb"
	"github.com/silquetech/silque-notifications/web/api"
)

const anID = "0192f0c1-7a5e-7c3a-9d1e-5b0a4c8e2f10"

func TestACallWithoutTheTokenIsRefused(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), nil)
	tests := map[string]struct {
		header http.Header
		status int
	}{
		"no header":                        {http.Header{}, 401},
		"another scheme":                   {http.Header{"Authorization": {"Basic " + token}}, 401},
		"the token without a scheme":       {http.Header{"Authorization": {token}}, 401},
		"an empty token":                   {http.Header{"Authorization": {"Bearer "}}, 401},
		"the beginning of the token":       {http.Header{"Authorization": {"Bearer " + token[:5]}}, 401},
		"more than the token":              {http.Header{"Authorization": {"Bearer " + token + "x"}}, 401},
		"the token":                        {http.Header{"Authorization": {"Bearer " + token}}, 200},
		"the token, scheme in lower case":  {http.Header{"Authorization": {"bearer " + token}}, 200},
		"a wrong token and a wrong header": {http.Header{"Authorization": {"Bearer x"}, "X-Token": {token}}, 401},
	}
	for name, test := range tests {
		r := s.send(t, http.MethodGet, "/notifications", nil, test.header)
		if r.status != test.status {
			t.Errorf("%s: status %d, want %d", name, r.status, test.status)
		}
		if test.status == http.StatusUnauthorized {
			r.refusal(t, 401, "unauthorized")
			contains(t, "WWW-Authenticate", r.header.Get("WWW-Authenticate"), "Bearer")
		}
	}
}

func TestEveryRouteButTheDescriptionNeedsTheToken(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), nil)
	for _, route := range s.engine.Routes() {
		if strings.HasSuffix(route.Path, "/openapi.json") {
			continue
		}
		path := strings.NewReplacer(":id", anID, ":model", "orders", "/api/v1", "").Replace(route.Path)
		s.send(t, route.Method, path, nil, http.Header{}).refusal(t, 401, "unauthorized")
	}
}

func TestAnInstallationWithoutATokenRefusesEverythingAndSaysWhatToSet(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), func(c *api.Config) { c.Token = "" })
	for _, header := range []http.Header{{}, {"Authorization": {"Bearer "}}, {"Authorization": {"Bearer " + token}}} {
		message, _ := s.send(t, http.MethodGet, "/models", nil, header).refusal(t, 401, "unauthorized")
		contains(t, "the message", message, "NOTIFY_API_TOKEN")
	}
}

func TestABodyThatIsNotExactlyRightIsRefusedAndNothingIsWritten(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), func(c *api.Config) { c.MaxBody = 4096 })
	tests := map[string]struct {
		path, body, code, field, says string
	}{
		"an empty body":             {"/test", "", "malformed_json", "", "unexpected end"},
		"broken JSON":               {"/test", `{"channel": "sms",}`, "malformed_json", "", "line 1"},
		"broken JSON on line 3":     {"/test", "{\n\"channel\": \"sms\"\n,}", "malformed_json", "", "line 3"},
		"trailing data":             {"/test", `{"channel":"sms","to":"+12025550123"} {}`, "malformed_json", "", "after top-level value"},
		"an array":                  {"/test", `[]`, "malformed_json", "", "object"},
		"null":                      {"/test", `null`, "malformed_json", "", "object"},
		"a string":                  {"/test", `"x"`, "malformed_json", "", "object"},
		"broken UTF-8":              {"/test", "{\"to\":\"\xff\"}", "malformed_json", "", "UTF-8"},
		"an unknown field":          {"/test", `{"chanel":"sms","to":"+12025550123"}`, "invalid_body", "chanel", "not a field"},
		"a name in another case":    {"/test", `{"Channel":"sms","to":"+12025550123"}`, "invalid_body", "Channel", "not a field"},
		"a name twice":              {"/test", `{"channel":"sms","to":"+1","to":"+2"}`, "invalid_body", "to", "more than once"},
		"a number for a string":     {"/test", `{"channel":"sms","to":12025550123}`, "invalid_body", "to", "a string"},
		"NUL in a string":           {"/test", `{"channel":"sms","to":"+1\u0000"}`, "invalid_body", "to", "NUL"},
		"a string for a number":     {"/notifications", `{"alert_days":"3"}`, "invalid_body", "alert_days", "whole number"},
		"a fraction":                {"/notifications", `{"alert_days":1.5}`, "invalid_body", "alert_days", "whole number"},
		"a number beyond 64 bits":   {"/notifications", `{"alert_days":99999999999999999999}`, "invalid_body", "alert_days", "whole number"},
		"a string for a truth":      {"/notifications", `{"active":"yes"}`, "invalid_body", "active", "true or false"},
		"an object for an array":    {"/notifications", `{"recipients":{}}`, "invalid_body", "recipients", "array"},
		"a string for an object":    {"/notifications", `{"recipients":["x"]}`, "invalid_body", "recipients[0]", "object"},
		"a wrong type deep inside":  {"/notifications", `{"recipients":[{},{"address":1}]}`, "invalid_body", "recipients[1].address", "a string"},
		"an unknown field inside":   {"/notifications", `{"recipients":[{"email":"x"}]}`, "invalid_body", "recipients[0].email", "not a field"},
		"a number for IDs":          {"/notifications/activate", `{"ids":[1]}`, "invalid_body", "ids[0]", "a string"},
		"an unknown filter":         {"/deliveries/retry", `{"filter":{"state":"failed"}}`, "invalid_body", "filter.state", "not a field"},
		"an unknown preview field":  {"/notifications/preview", `{"notification":{"titel":""}}`, "invalid_body", "notification.titel", "not a field"},
		"an unknown field in event": {"/events", `{"models":"orders"}`, "invalid_body", "models", "not a field"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			message, fields := s.call(t, http.MethodPost, test.path, test.body+"").refusal(t, 400, test.code)
			if test.field == "" {
				contains(t, "the message", message, test.says)
				return
			}
			said, _ := fields[test.field].(string)
			contains(t, "the field's message", said, test.says)
		})
	}
	_, fields := s.call(t, http.MethodPost, "/test", `{"chanel":1,"to":2}`).refusal(t, 400, "invalid_body")
	if len(fields) != 2 {
		t.Errorf("not everything is named at once: %v", fields)
	}
	s.call(t, http.MethodPost, "/test", `{"channel":"sms","to":"`+strings.Repeat("1", 4096)+`"}`).refusal(t, 413, "body_too_large")
	for _, contentType := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/jsonp", ";"} {
		header := http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {contentType}}
		s.send(t, http.MethodPost, "/test", []byte(`{"channel":"sms","to":"+12025550123"}`), header).
			refusal(t, 415, "unsupported_media_type")
	}
	if n := count(t, s.db, "notify_events") + count(t, s.db, "notify_notifications"); n != 0 {
		t.Errorf("%d rows were written", n)
	}
	if s.nudges.Load() != 0 || s.ruleChanges.Load() != 0 {
		t.Error("someone was told of a change")
	}
	header := http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/json; charset=utf-8"}}
	s.send(t, http.MethodPost, "/test", []byte(`{"channel":"sms","to":"+12025550123"}`), header).object(t, 202)
}

func TestAParameterThatIsNotRightIsRefusedByName(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), nil)
	tests := map[string]struct{ path, field string }{
		"limit that is no number":     {"/notifications?limit=ten", "limit"},
		"limit of nothing":            {"/notifications?limit=0", "limit"},
		"limit below nothing":         {"/events?limit=-1", "limit"},
		"limit beyond the maximum":    {"/deliveries?limit=501", "limit"},
		"empty limit":                 {"/errors?limit=", "limit"},
		"limit of models":             {"/models?limit=x", "limit"},
		"cursor that is no ID":        {"/notifications?cursor=abc", "cursor"},
		"cursor of deliveries":        {"/deliveries?cursor=%27", "cursor"},
		"active that is no truth":     {"/notifications?active=yes", "active"},
		"unknown channel":             {"/notifications?channel=fax", "channel"},
		"empty channel":               {"/notifications?channel=", "channel"},
		"unknown trigger":             {"/notifications?trigger=save", "trigger"},
		"unknown action":              {"/events?action=insert", "action"},
		"unknown status of an event":  {"/events?status=sent", "status"},
		"unknown source":              {"/events?source=web", "source"},
		"unknown delivery status":     {"/deliveries?status=done", "status"},
		"event that is no ID":         {"/deliveries?event_id=7", "event_id"},
		"notification that is no ID":  {"/deliveries?notification_id=7", "notification_id"},
		"delivery that is no ID":      {"/errors?delivery_id=7", "delivery_id"},
		"resolved that is no truth":   {"/errors?resolved=1", "resolved"},
		"a mistyped filter":           {"/deliveries?adress=x", "adress"},
		"a filter given twice":        {"/deliveries?address=x&address=y", "address"},
		"NUL":                         {"/deliveries?address=%00", "address"},
		"broken UTF-8":                {"/notifications?search=%ff", "search"},
		"no channel for suggestions":  {"/models/orders/recipients", "channel"},
		"bad channel for suggestions": {"/models/orders/recipients?channel=fax", "channel"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, fields := s.call(t, http.MethodGet, test.path, nil).refusal(t, 400, "invalid_query")
			if len(fields) != 1 || fields[test.field] == nil {
				t.Errorf("the fields are %v, want %s", fields, test.field)
			}
		})
	}
	s.call(t, http.MethodGet, "/notifications?search=%zz", nil).refusal(t, 400, "invalid_query")
}

func TestWhatIsNotThereIsNotFound(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), nil)
	for _, id := range []string{anID, "7", "none", "%00", "%ff", strings.ToUpper(anID), "{" + anID + "}", "urn:uuid:" + anID} {
		for _, path := range []string{"/notifications/", "/events/", "/deliveries/", "/errors/"} {
			s.call(t, http.MethodGet, path+id, nil).refusal(t, 404, "not_found")
		}
		s.call(t, http.MethodDelete, "/notifications/"+id, nil).refusal(t, 404, "not_found")
		s.call(t, http.MethodPut, "/notifications/"+id, input(nil)).refusal(t, 404, "not_found")
		for _, path := range []string{"/notifications/" + id + "/duplicate", "/deliveries/" + id + "/retry", "/errors/" + id + "/resolve"} {
			s.call(t, http.MethodPost, path, nil).refusal(t, 404, "not_found")
		}
	}
	s.call(t, http.MethodGet, "/models/none", nil).refusal(t, 404, "not_found")
	s.call(t, http.MethodGet, "/models/none/recipients?channel=sms", nil).refusal(t, 404, "not_found")
	s.call(t, http.MethodGet, "/nothing", nil).refusal(t, 404, "not_found")
}

func TestAMethodThatAPathDoesNotHaveIsNamedWithThoseThatItHas(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), nil)
	tests := map[string]string{
		"PATCH /notifications":                      "GET, POST",
		"POST /models":                              "GET",
		"DELETE /events":                            "GET, POST",
		"GET /test":                                 "POST",
		"POST /deliveries/" + anID:                  "GET",
		"GET /errors/" + anID + "/resolve":          "POST",
		"PUT /notifications/" + anID + "/duplicate": "POST",
	}
	for call, allow := range tests {
		method, path, _ := strings.Cut(call, " ")
		r := s.call(t, method, path, nil)
		r.refusal(t, 405, "method_not_allowed")
		if got := r.header.Get("Allow"); got != allow {
			t.Errorf("%s: Allow is %q, want %q", call, got, allow)
		}
	}
}

func TestPathsOutsideTheAPIAreLeftToOthers(t *testing.T) {
	t.Parallel()
	engine := gin.New()
	engine.HandleMethodNotAllowed = true
	other := func(c *gin.Context) { c.String(c.Writer.Status(), "page") }
	engine.NoRoute(api.NoRoute, other)
	engine.NoMethod(api.NoMethod, other)
	engine.GET("/page", other)
	for call, want := range map[string]string{
		"GET /apiary": "page", "POST /page": "page", "GET /": "page", "GET /api": "not_found", "GET /api/v2/events": "not_found",
	} {
		method, path, _ := strings.Cut(call, " ")
		recorder := httptest.NewRecorder()
		engine.ServeHTTP(recorder, httptest.NewRequest(method, path, nil))
		contains(t, call, recorder.Body.String(), want)
	}
}

func TestAnswersAreKeptOutOfCaches(t *testing.T) {
	t.Parallel()
	s := serve(t, testdb.SQLite(t), nil)
	for _, path := range []string{"/deliveries", "/deliveries/" + anID, "/nothing"} {
		if got := s.call(t, http.MethodGet, path, nil).header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control is %q", path, got)
		}
	}
}
