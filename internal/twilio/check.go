package twilio

import (
	"context"
	"errors"

	api "github.com/twilio/twilio-go/rest/api/v2010"
)

// Account is what Twilio says of the account. Its name is left out: Twilio takes its owner's email address for it.
type Account struct {
	// Status is active, suspended or closed, and Type is Trial or Full; both are empty when the credentials may not ask.
	Status, Type string
}

var errNoAccount = errors.New("the answer is no account")

// Check signs in as a hand-over would, and sends nothing. With the account's token it fetches the account; a standard API
// key may not do that (twilio.com/docs/iam/api-keys), so with one it asks for a message of the list, and drops it. It
// takes at most Config.Timeout, and returns a *channel.Error of class Temporary or Permanent, as Find does.
func (c *Client) Check(ctx context.Context) (Account, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	if c.cfg.APIKey != "" {
		return Account{}, c.checkKey(ctx)
	}
	service, x := c.call(ctx)
	found, err := service.FetchAccount(c.cfg.AccountSID)
	if err == nil && (x.status >= 300 || found.Sid == nil) {
		err = errNoAccount
	}
	if err != nil {
		return Account{}, c.refusal(x, err, true)
	}
	return Account{Status: value(found.Status), Type: value(found.Type)}, nil
}

func (c *Client) checkKey(ctx context.Context) error {
	one := 1
	service, x := c.call(ctx)
	_, err := service.ListMessage(&api.ListMessageParams{PageSize: &one, Limit: &one})
	if err == nil && x.status >= 300 {
		err = errNoList
	}
	if err != nil {
		return c.refusal(x, err, true)
	}
	return nil
}
