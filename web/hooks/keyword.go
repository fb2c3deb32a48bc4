package hooks

import (
	"net/url"
	"slices"
	"strings"
)

// The words about consent. Twilio itself understands them on long codes and toll-free numbers, and says so in OptOutType
// where a Messaging Service has Advanced Opt-Out (twilio.com/docs/messaging/tutorials/advanced-opt-out).
const (
	wordStop  = "STOP"
	wordStart = "START"
)

var (
	stopWords  = []string{"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"}
	startWords = []string{"START", "YES", "UNSTOP"}
)

// wordOf reads what a message says about consent: wordStop, wordStart, or nothing. OptOutType, which knows the account's
// own words in every language, counts where there is one. Otherwise the message must be a single one of Twilio's words,
// whatever its case: "please stop" is a sentence, as it is to Twilio.
func wordOf(form url.Values) string {
	switch kind := strings.ToUpper(form.Get("OptOutType")); kind {
	case wordStop, wordStart:
		return kind
	case "":
	default:
		return "" // HELP
	}
	word := strings.ToUpper(strings.Trim(form.Get("Body"), " \t\r\n.!\"'"))
	switch {
	case slices.Contains(stopWords, word):
		return wordStop
	case slices.Contains(startWords, word):
		return wordStart
	default:
		return ""
	}
}
