package sandbox

import (
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

// twilioAccount is an account as https://www.twilio.com/docs/iam/api/account documents it.
type twilioAccount struct {
	AuthToken       string            `json:"auth_token"`
	DateCreated     string            `json:"date_created"`
	DateUpdated     string            `json:"date_updated"`
	FriendlyName    string            `json:"friendly_name"`
	OwnerAccountSID string            `json:"owner_account_sid"`
	SID             string            `json:"sid"`
	Status          string            `json:"status"`
	SubresourceURIs map[string]string `json:"subresource_uris"`
	Type            string            `json:"type"`
	URI             string            `json:"uri"`
}

// accountMade is when the sandbox's account came to be, as far as anybody asks.
var accountMade = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// fetchTwilioAccount answers who is asking. No fault is met: the switches are a channel's, and the account is none.
func (s *Sandbox) fetchTwilioAccount(c *gin.Context) {
	if !strings.HasSuffix(c.Param("account"), ".json") {
		refuseTwilio(c, errTwilioNotFound.about(c.Request.URL.Path))
		return
	}
	uri := "/" + twilioVersion + "/Accounts/" + s.account.sid
	c.JSON(http.StatusOK, twilioAccount{
		AuthToken: s.account.token, DateCreated: twilioTime(accountMade), DateUpdated: twilioTime(accountMade),
		FriendlyName: "Sandbox", OwnerAccountSID: s.account.sid, SID: s.account.sid, Status: "active", Type: "Full",
		SubresourceURIs: map[string]string{"messages": uri + "/Messages.json"}, URI: uri + ".json",
	})
}
