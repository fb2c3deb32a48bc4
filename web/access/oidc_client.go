package access

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	// providerTimeout bounds each question to the provider, the reading of its answer included.
	providerTimeout = 10 * time.Second
	// answerLimit bounds an answer of the provider's in bytes: descriptions, keys and tokens have some kilobytes.
	answerLimit = 1 << 20
	// headLimit bounds what stands before it.
	headLimit = 64 << 10
	// redirectLimit bounds how often the provider may send us on.
	redirectLimit = 3
)

// newProviderClient gives the client that the provider is asked with. Its answers are bounded in time and size: the
// libraries read descriptions, keys and user infos without an end. It follows no redirect to another host or from https to
// http: a question can carry our secret and a person's code.
func newProviderClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // net/http makes it one
	transport.MaxResponseHeaderBytes = headLimit
	return &http.Client{Timeout: providerTimeout, Transport: boundedAnswers{transport}, CheckRedirect: staysAtProvider}
}

func staysAtProvider(next *http.Request, before []*http.Request) error {
	first := before[0].URL
	switch {
	case len(before) > redirectLimit:
		return errors.New("access: the provider redirects without an end")
	case next.URL.Host != first.Host, next.URL.Scheme != first.Scheme:
		return errors.New("access: the provider redirects to another host, which is not followed: set NOTIFY_OIDC_ISSUER to the address that answers by itself")
	}
	return nil
}

// boundedAnswers cuts off answers that are too long.
type boundedAnswers struct{ next http.RoundTripper }

// RoundTrip satisfies http.RoundTripper.
func (b boundedAnswers) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := b.next.RoundTrip(r)
	if err == nil {
		response.Body = &boundedBody{ReadCloser: response.Body, left: answerLimit}
	}
	return response, err
}

type boundedBody struct {
	io.ReadCloser
	left int64
}

var errAnswerTooLong = fmt.Errorf("access: the provider's answer is longer than %d bytes", answerLimit)

// Read gives an error in place of what is too much: an answer that is cut off must not pass for a whole one.
func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, errAnswerTooLong
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errAnswerTooLong
	}
	return n, err
}
