package sandbox

import (
	"net/http"
	"testing"
	"time"
)

func TestTheRealTwilioClientFetchesTheAccount(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	s.setFault(SMS, Temporary, 0) // a channel's switch says nothing of the account
	account, err := s.twilio().Api.FetchAccount(DefaultAccountSID)
	if err != nil {
		t.Fatal(err)
	}
	if *account.Sid != DefaultAccountSID || *account.Status != "active" || *account.Type != "Full" ||
		*account.Uri != "/2010-04-01/Accounts/"+DefaultAccountSID+".json" {
		t.Errorf("account: %+v", account)
	}
	if _, err := time.Parse(time.RFC1123Z, *account.DateCreated); err != nil {
		t.Error(err)
	}
}

func TestAnAccountIsShownToItselfOnly(t *testing.T) {
	t.Parallel()
	s := newStand(t, Options{})
	stranger, _ := s.twilioClient(DefaultAccountSID, "another", 5*time.Second)
	_, err := stranger.Api.FetchAccount(DefaultAccountSID)
	if refusal := twilioRefusal(t, err); refusal.Status != http.StatusUnauthorized || refusal.Code != 20003 {
		t.Errorf("with a wrong token: %+v", refusal)
	}
	_, err = s.twilio().Api.FetchAccount("AC00000000000000000000000000000001")
	if refusal := twilioRefusal(t, err); refusal.Status != http.StatusUnauthorized {
		t.Errorf("of another account: %+v", refusal)
	}
}
