package attachment

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
)

// maxRedirects is how many redirects are followed, each to an allowed host.
const maxRedirects = 3

// maxHeaderBytes bounds the header of an answer.
const maxHeaderBytes = 64 << 10

var (
	errHost      = errors.New("the host is not among those of the settings, or not with this scheme or port")
	errRedirects = fmt.Errorf("more than %d redirects", maxRedirects)
	errEncoded   = errors.New("the server encoded the content although nobody asked for that")
)

// hostEntry reads one of Config.Hosts.
func hostEntry(entry string) (origin string, err error) {
	whole := entry
	if !strings.Contains(entry, "://") {
		whole = "https://" + entry
	}
	u, err := url.Parse(whole)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" ||
		(u.Scheme != "http" && u.Scheme != "https") {
		return "", fmt.Errorf("attachment: host %q must look like files.example.com, files.example.com:8443 or http://files.example.com", entry)
	}
	return originOf(u), nil
}

// originOf gives scheme, host and port in one form.
func originOf(u *url.URL) string {
	scheme, port := strings.ToLower(u.Scheme), u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[scheme]
	}
	return scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// allows says whether u may be asked for. Credentials in a URL would end up in rules and rows, so they are refused.
func (f *Fetcher) allows(u *url.URL) bool { return u.User == nil && f.hosts[originOf(u)] }

// newClient makes a client that goes nowhere else: no proxy of the environment, no redirect to another host, no name that
// leads into a network of our own. Connections are not kept, because downloads are rare and nobody would close them.
func (f *Fetcher) newClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            f.dial,
			DisableKeepAlives:      true,
			DisableCompression:     true, // the file as it is, and its length before it is read
			MaxResponseHeaderBytes: maxHeaderBytes,
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return errRedirects
			}
			if !f.allows(req.URL) {
				return errHost
			}
			req.Header.Del("Referer") // the first address is none of the second host's business
			return nil
		},
	}
}

func (f *Fetcher) download(ctx context.Context, u *url.URL) (string, []byte, error) {
	location := u.Redacted()
	if !f.allows(u) {
		return "", nil, refused(CodeNotAllowed, location, errHost)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return "", nil, refused(CodeNotAllowed, location, err)
	}
	resp, err := f.client.Do(req)
	switch {
	case errors.Is(err, errHost), errors.Is(err, errNetwork):
		return "", nil, refused(CodeNotAllowed, location, err)
	case errors.Is(err, errRedirects):
		return "", nil, refused(CodeRedirects, location, err)
	case err != nil:
		return "", nil, interrupted(ctx, CodeConnect, location, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if err := f.acceptable(ctx, location, resp); err != nil {
		return "", nil, err
	}
	content, err := f.readAll(ctx, resp.Body)
	switch {
	case errors.Is(err, errTooLarge):
		return "", nil, refused(CodeTooLarge, location, err)
	case err != nil:
		return "", nil, interrupted(ctx, CodeConnectionLost, location, err)
	}
	return nameOf(resp, u), content, nil
}

// acceptable judges an answer by its header; nil means that its body is worth reading.
func (f *Fetcher) acceptable(ctx context.Context, location string, resp *http.Response) error {
	status := resp.StatusCode
	code, cause := fmt.Sprintf("attachment_http_%d", status), errors.New(resp.Status)
	switch encoding := resp.Header.Get("Content-Encoding"); {
	case status >= 500, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status == http.StatusTooEarly:
		return interrupted(ctx, code, location, cause)
	case status != http.StatusOK:
		return refused(code, location, cause)
	case encoding != "" && !strings.EqualFold(encoding, "identity"):
		return refused(CodeBadAnswer, location, errEncoded)
	case resp.ContentLength > f.cfg.MaxBytes:
		return refused(CodeTooLarge, location, errTooLarge)
	default:
		return nil
	}
}

// nameOf is the name that the server gives the file, or the last part of the path.
func nameOf(resp *http.Response, u *url.URL) string {
	if _, params, err := mime.ParseMediaType(resp.Header.Get("Content-Disposition")); err == nil && params["filename"] != "" {
		return params["filename"]
	}
	name := path.Base(u.Path)
	if name == "/" || name == "." {
		return ""
	}
	return name
}
