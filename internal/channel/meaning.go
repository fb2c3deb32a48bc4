package channel

import "strings"

// Meaning says for people what a code means, and what to do about it. It names settings, never an address.
type Meaning struct {
	// What happened, as a sentence; empty when nothing is known of the code.
	What string
	// Do is what to do; empty when there is nothing to do.
	Do string
}

// meanings are by the beginning of the code; the first that fits counts.
var meanings = []struct {
	code string
	Meaning
}{
	{"smtp_connection_lost", Meaning{"The connection to the mail server broke off.", "Look at the network, and at the mail server's log."}},
	{"smtp_connect", Meaning{"The mail server cannot be reached.", "Look whether SMTP_HOST and SMTP_PORT are right, and whether a firewall is between."}},
	{"smtp_tls", Meaning{"The mail server cannot be spoken to encrypted.", "Look at SMTP_TLS, and whether the server's certificate is valid for SMTP_HOST."}},
	{"smtp_auth_unsupported", Meaning{"The mail server offers no way to sign in that we may use.", "Look at SMTP_AUTH and SMTP_TLS."}},
	{"smtp_auth_unencrypted", Meaning{"The mail server would see the password unencrypted.", "Set SMTP_TLS to mandatory or implicit."}},
	{"smtp_auth", Meaning{"The mail server does not take the name and password.", "Look at SMTP_USERNAME, SMTP_PASSWORD and SMTP_AUTH."}},
	{"smtp_timeout", Meaning{"The mail server does not answer in time.", "Look whether it is overloaded, and whether SMTP_PORT fits SMTP_TLS: port 465 wants implicit."}},
	{"smtp_bad_reply", Meaning{"The mail server does not speak SMTP.", "Look whether SMTP_HOST and SMTP_PORT are right."}},
	{"smtp_busy", Meaning{"All connections to the mail server were busy.", "Raise SMTP_CONNECTIONS if the server takes more."}},
	{"twilio_20003", Meaning{"Twilio does not take the credentials.", "Look at TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN, or the API key."}},
	{"twilio_20429", Meaning{"Twilio takes no more requests at the moment.", "If it comes again and again, set NOTIFY_SMS_CONCURRENCY or NOTIFY_WHATSAPP_CONCURRENCY."}},
	{"twilio_21211", Meaning{"Twilio knows no such phone number.", "Look at the recipient's number."}},
	{"twilio_21408", Meaning{"The account may not send to the recipient's country.", "Allow it in Twilio's console, under geo permissions."}},
	{"twilio_21608", Meaning{"A trial account sends to verified numbers only.", "Verify the number in Twilio's console, or upgrade the account."}},
	{"twilio_21610", Meaning{"The recipient has told Twilio to stop.", "Only the recipient can undo that, by answering START."}},
	{"twilio_21614", Meaning{"The number takes no SMS.", "Look whether it is a mobile one."}},
	{"twilio_63016", Meaning{"WhatsApp takes free text only within a day of the recipient's last message.", "Send a template (content SID) instead."}},
	{"twilio_connection_lost", Meaning{"The connection to Twilio broke off.", "Look at the network, and at status.twilio.com."}},
	{"twilio_connect", Meaning{"Twilio cannot be reached.", "Look whether this machine may connect to api.twilio.com, or to TWILIO_BASE_URL."}},
	{"twilio_timeout", Meaning{"Twilio does not answer in time.", "Look at status.twilio.com, and at the network."}},
	{"twilio_bad_answer", Meaning{"The answer was none of Twilio's.", "Look whether TWILIO_BASE_URL is right."}},
	{"twilio_http_5", Meaning{"Twilio, or a proxy on the way, has a fault.", "Look at status.twilio.com."}},
}

// MeaningOf gives what a refusal's code means. A code that is the provider's own, and says it to its people only, has none.
func MeaningOf(code string) Meaning {
	for _, known := range meanings {
		if strings.HasPrefix(code, known.code) {
			return known.Meaning
		}
	}
	return Meaning{}
}
