package twilio

import (
	"context"
	"net/http"
	"net/url"
	"time"

	twilioclient "github.com/twilio/twilio-go/client"
	api "github.com/twilio/twilio-go/rest/api/v2010"
)

// Client hands messages to Twilio and looks for them there. It is safe for concurrent use and needs no closing.
type Client struct {
	cfg       Config
	base      *url.URL // nil means Twilio itself
	transport http.RoundTripper
	now       func() time.Time
}

// New checks the settings and gives a Client for them. Everything that is wrong is named at once. It does not connect.
func New(cfg Config) (*Client, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = DefaultTimeout
	}
	c := &Client{cfg: cfg, transport: cfg.Transport, now: cfg.Now}
	if c.now == nil {
		c.now = time.Now
	}
	if c.transport == nil {
		c.transport = http.DefaultTransport
	}
	if cfg.BaseURL != "" {
		base, err := url.Parse(cfg.BaseURL)
		if err != nil {
			return nil, err
		}
		c.base = base
	}
	return c, nil
}

// call is one use of the API: twilio-go's calls take no context and give no headers back, so each gets an HTTP client
// of its own, over the shared transport, that knows the context and remembers what happened.
func (c *Client) call(ctx context.Context) (*api.ApiService, *exchange) {
	x := &exchange{ctx: ctx, base: c.base, transport: c.transport}
	user, secret := c.cfg.credentials()
	client := &twilioclient.Client{
		Credentials: twilioclient.NewCredentials(user, secret),
		HTTPClient: &http.Client{
			Transport:     x,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	client.SetAccountSid(c.cfg.AccountSID)
	// Not NewRequestHandler: that one reads the environment, and settings come from Config alone.
	handler := &twilioclient.RequestHandler{Client: client, Edge: c.cfg.Edge, Region: c.cfg.Region}
	return api.NewApiService(handler), x
}
